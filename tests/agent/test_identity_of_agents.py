"""Identities of agents: files, what status says, what a restart knows, what a reload changes."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from gossipmm import identityfile
from gossipmm.agent import open_agent
from gossipmm.agent.checking import check
from gossipmm.agent.state import Memory, load, save
from gossipmm.answers import IdentityStatus
from gossipmm.core.identity.certificates import Wanted, encode_certificate
from gossipmm.core.identity.keys import Ed25519Signer, key_id
from gossipmm.core.identity.revocations import encode_revocations
from gossipmm.core.values.types import IdentityState, Status
from gossipmm.errors import IdentityError, RegistrationError
from gossipmm.identityfile import CERTIFICATE, REVOCATIONS, dump
from gossipmm.publickeys import public_key_text
from gossipmm.sidecar.ops.reload import Reloader
from tests.agent.memory_network import Air
from tests.sidecar.helpers import config

AUTHORITY = Ed25519Signer.from_seed(bytes(range(32)))


@pytest.fixture
async def air():
    async with Air() as air:
        yield air


class Files:
    """The files of several hosts in one folder."""

    def __init__(self, folder):
        self.folder = folder

    def path(self, name, kind):
        return str(self.folder / f"{name}.{kind}")

    def config(self, name, port, *seeds, **fields):
        fields = {
            "identity": "announce",
            "state_file": self.path(name, "state"),
            "gossip_interval": 0.5,
            **fields,
        }
        return config(name, port, *seeds, **fields)

    def public(self, name):
        path = self.path(name, "state.identity")
        if not os.path.exists(path):
            identityfile.create_key(path)
        return identityfile.load_key(path).public

    def certify(self, name, wall, *, days=30.0, issue=1, by=AUTHORITY, **claims):
        """Write a certificate; return the fields of the configuration that name it."""
        wanted = Wanted(
            name,
            "gossipmm",
            self.public(name),
            issue,
            int(wall) - 300,
            int(wall + days * 86400),
            **claims,
        )
        path = self.path(name, "pem")
        with open(path, "w") as file:
            file.write(dump(CERTIFICATE, encode_certificate(by, wanted).raw))
        return {"certificate": path, "authority": (public_key_text(AUTHORITY.public),)}

    def revoke(self, number, **least):
        """Write a list of revocations; return its path."""
        made = encode_revocations(AUTHORITY, cluster="gossipmm", number=number, least=least)
        path = self.path("x", "revocations")
        Path(path).write_text(dump(REVOCATIONS, made.raw))
        return path


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


@asynccontextmanager
async def running(air, *configs):
    """Run agents until all agree."""
    async with AsyncExitStack() as stack:
        opened = [
            await stack.enter_async_context(open_agent(one, network=air.host())) for one in configs
        ]
        with trio.fail_after(30):
            while not all(agent.agreement().agree == len(configs) - 1 for agent in opened):
                await trio.sleep(0.05)
        yield opened


async def until(holds, seconds=60):
    with trio.fail_after(seconds):
        while not holds():
            await trio.sleep(0.05)


def wall_of(air):
    return air.host().wall_ms() / 1000


async def test_without_identity_there_is_nothing_to_see(autojump_clock, air, tmp_path):
    async with running(air, config("a", 1), config("b", 2, 1)) as (a, _):
        assert a.status().identity == IdentityStatus()
        assert {view.key for view in a.members()} == {""}
    assert os.listdir(tmp_path) == []


async def test_who_signs_and_who_does_not_is_in_status(autojump_clock, air, files):
    plain = config("c", 3, 1)
    async with running(air, files.config("a", 1), files.config("b", 2, 1), plain) as (a, b, c):
        key = key_id(files.public("b"))
        await until(lambda: b.name not in a.status().identity.not_ready)
        found = a.status().identity
        assert (found.mode, found.key) == ("announce", key_id(files.public("a")))
        assert found.public == public_key_text(files.public("a"))
        assert found.not_ready == ("c",)
        assert found.members["unsigned"] == 1
        assert (found.conflicts, found.equivocating, found.ending) == ({}, (), {})
        assert a.member("b").key == key
        assert a.member("c").identity is IdentityState.UNSIGNED
        assert c.member("a").key == ""  # it does not look at signatures
        assert "identity" not in a.faults()  # not before this node requires it


async def test_a_restart_knows_the_keys_of_names(autojump_clock, air, files):
    async with running(air, files.config("a", 1), files.config("b", 2, 1)) as (a, _):
        await until(lambda: a.member("b").identity is IdentityState.PINNED, 200)
    memory = load(files.path("a", "state"), name="a", cluster="gossipmm")
    assert memory.pins == {"b": files.public("b")}
    os.unlink(files.path("b", "state.identity"))  # a restart of b with another key
    async with (
        open_agent(files.config("a", 1), network=air.host()) as a,
        open_agent(files.config("b", 2, 1), network=air.host()),
    ):
        await until(lambda: "b" in a.status().identity.conflicts)
        await until(lambda: "identity" in a.faults())
        assert "somebody uses the name b with another key" in a.faults()["identity"]
        assert "gossipmm forget NAME" in a.faults()["identity"]


def test_the_state_file_has_pins_and_revocations(tmp_path):
    path = str(tmp_path / "state")
    memory = Memory(5, (), {"b": bytes(range(32)), "ü": bytes(32)}, b"\x84list")
    assert save(path, memory, name="a", cluster="x") == ""
    assert load(path, name="a", cluster="x") == memory
    assert save(path, Memory(5, ()), name="a", cluster="x") == ""
    assert "pins" not in (tmp_path / "state").read_text()
    for wrong in ('"pins": []', '"pins": {"b": "00"}', '"pins": {"b": 1}', '"revocations": 1'):
        (tmp_path / "state").write_text(
            f'{{"name": "a", "cluster": "x", "generation": 5, "peers": [], {wrong}}}'
        )
        assert load(path, name="a", cluster="x") == Memory()


@pytest.mark.parametrize(
    ("days", "words"),
    [(8.0, ""), (6.5, "the certificate of this node ends in 6 days"), (-1.0, "ended 24 h")],
)
async def test_a_certificate_is_complained_of_in_its_last_week(
    autojump_clock, air, files, days, words
):
    begins = wall_of(air) - (86_400 * 5 if days < 0 else 0)
    fields = files.certify("a", begins, days=days + (5 if days < 0 else 0), issue=7)
    async with running(air, files.config("a", 1, **fields)) as (a,):
        await trio.sleep(20)
        found = a.status().identity
        assert (found.issue, found.authorities) == (7, (key_id(AUTHORITY.public),))
        assert found.ending == ({"a": found.expires} if words else {})
        assert words in a.faults().get("certificate", "")
        assert ("certificate" in a.faults()) == bool(words)
        if words:
            assert "gossipmm ca issue a renews it" in a.faults()["certificate"]
            assert a.status().verdict.name == "degraded"


async def test_a_renewed_certificate_is_read_at_a_reload(autojump_clock, air, files):
    fields = files.certify("a", wall_of(air), days=2)
    async with running(air, files.config("a", 1, **fields)) as (a,):
        await until(lambda: "certificate" in a.faults())
        generation = a.generation
        reloader = Reloader(a, a.config, lambda: a.config)
        assert reloader.reload() == ["nothing differs"]
        files.certify("a", wall_of(air), days=30, issue=2)
        (said,) = reloader.reload()
        assert said.startswith("certificate: issue 2, until ")
        assert a.status().identity.issue == 2
        assert a.generation == generation
        await until(lambda: "certificate" not in a.faults())
        assert reloader.reload() == ["nothing differs"]


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"by": Ed25519Signer.from_seed(bytes(range(1, 33)))}, "is signed by an authority that"),
        ({"days": -20.0 / 86400}, "has expired|is none that could be read"),
    ],
)
async def test_a_wrong_one_changes_nothing_and_is_said(autojump_clock, air, files, claims, words):
    fields = files.certify("a", wall_of(air), issue=1)
    async with running(air, files.config("a", 1, **fields)) as (a,):
        reloader = Reloader(a, a.config, lambda: a.config)
        files.certify("a", wall_of(air) - (claims.get("days", 0) < 0) * 86400, issue=2, **claims)
        (said,) = reloader.reload()
        assert said.startswith("certificate: nothing was changed: ")
        assert words.partition("|")[0] in said
        assert a.status().identity.issue == 1


async def test_another_key_needs_a_restart(autojump_clock, air, files):
    async with running(air, files.config("a", 1)) as (a,):
        os.unlink(files.path("a", "state.identity"))
        files.public("a")
        (said,) = Reloader(a, a.config, lambda: a.config).reload()
        assert said.endswith("has another key now, which needs a restart")


async def test_a_newer_list_of_revocations_is_read_at_a_reload(autojump_clock, air, files):
    fields = files.certify("a", wall_of(air))
    path = files.path("x", "revocations")
    fields["revocations"] = path

    def revoke(number, **least):
        if number is None:
            Path(path).write_text("nonsense")
            return b""
        made = encode_revocations(AUTHORITY, cluster="gossipmm", number=number, least=least)
        Path(path).write_text(dump(REVOCATIONS, made.raw))
        return made.raw

    revoke(1)
    async with running(air, files.config("a", 1, **fields)) as (a,):
        reloader = Reloader(a, a.config, lambda: a.config)
        assert reloader.reload() == ["nothing differs"]
        raw = revoke(2, c=5)
        assert reloader.reload() == ["revocations: a newer list"]
        revoke(None)
        (said,) = reloader.reload()
        assert said.startswith(f"revocations: nothing was changed: {path}: is not a list of")
    assert load(files.path("a", "state"), name="a", cluster="gossipmm").revocations == raw


async def test_what_cannot_start_says_why_at_a_check_as_well(autojump_clock, air, files):
    """The same words for the command that looks, and for the agent that would start."""
    fields = files.certify("a", wall_of(air))
    wrong = replace(
        files.config("a", 1, **fields), name="c", identity_key=files.path("a", "state.identity")
    )
    words = "is for another name: for a, and this node is called c"
    with pytest.raises(IdentityError, match=words):
        await check(wrong, network=air.host())
    with pytest.raises(IdentityError, match=words):
        async with open_agent(wrong, network=air.host()):
            pass
    files.certify("a", wall_of(air) - 40 * 86_400)
    ended = files.config("a", 1, **fields)
    with pytest.raises(IdentityError, match="has expired: it ended .* gossipmm ca issue a"):
        await check(ended, network=air.host())
    # An agent starts with it: what it knows is still worth having.
    async with open_agent(ended, network=air.host()) as a:
        await until(lambda: "certificate" in a.faults())


async def test_a_check_makes_no_key(autojump_clock, air, files, tmp_path):
    await check(files.config("a", 1), network=air.host())
    assert os.listdir(tmp_path) == []


async def test_a_topic_outside_the_certificate_is_refused_at_once(autojump_clock, air, files):
    """A node registered a topic that all others left out, and was told nothing."""
    fields = files.certify("a", wall_of(air), topics=["compute*"], networks=["127.0.0.0/8"])
    async with running(air, files.config("a", 1, **fields)) as (a,):
        a.register("compute_az1", "a")
        words = "the certificate of a does not name the topic network"
        with pytest.raises(RegistrationError, match=words):
            a.register("network", "a")
        # A renewal may take a topic away that is registered already.
        files.certify("a", wall_of(air), issue=2, topics=["volume"])
        Reloader(a, a.config, lambda: a.config).reload()
        await until(
            lambda: "does not name the topic compute_az1" in a.faults().get("certificate", "")
        )
    with pytest.raises(IdentityError, match=words):
        await check(files.config("a", 1, register=("network",), **fields), network=air.host())
    files.certify("a", wall_of(air), issue=3, networks=["10.0.0.0/8"])
    words = r"a.pem: the certificate of a does not name the address 127.0.0.1 \(gossipmm ca issue a"
    with pytest.raises(IdentityError, match=words):
        await check(files.config("a", 1, **fields), network=air.host())


async def test_who_is_revoked_is_told_so_at_both_ends(autojump_clock, air, files):
    """It said of itself that it was refused, and the others said that it was not signed."""
    fields = files.certify("a", wall_of(air))
    others = files.certify("b", wall_of(air))
    both = {"identity": "require"}
    path = files.revoke(1)
    configs = (
        files.config("a", 1, **fields, **both, revocations=path),
        files.config("b", 2, 1, **others, **both),
    )
    async with running(air, *configs) as (a, b):
        await until(lambda: a.member("b").identity is IdentityState.CERTIFIED)
        await until(lambda: b.member("a").identity is IdentityState.CERTIFIED)
        await trio.sleep(30)
        for agent in (a, b):
            assert agent.status().identity.not_ready == ()
            assert "identity" not in agent.faults()
        files.revoke(2, b=2)
        Reloader(a, a.config, lambda: a.config).reload()
        await until(lambda: "certificate" in b.faults())
        words = "the certificate of this node was revoked: gossipmm ca issue b makes another one"
        assert b.faults()["certificate"] == words
        assert "identity" not in b.faults()
        await until(lambda: "identity" in a.faults())
        assert a.faults()["identity"].startswith("the authority revoked the certificate of b: ")
        assert a.status().identity.revoked == b.status().identity.revoked == ("b",)
        assert a.member("b").identity is IdentityState.EXPIRED
        assert a.member("b").key == key_id(files.public("b"))
        files.certify("b", wall_of(air), issue=2)
        Reloader(b, b.config, lambda: b.config).reload()
        await until(lambda: "certificate" not in b.faults())
        await until(lambda: "identity" not in a.faults())
        await until(lambda: a.member("b").status is Status.ALIVE)
