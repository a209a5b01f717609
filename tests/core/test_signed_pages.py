"""Signed pages: whoever writes one in another's name changes nothing, and is charged for it."""

from __future__ import annotations

import pytest

from gossipmm.core.identity.keys import Ed25519Signer, Identity
from gossipmm.core.identity.trust import VERIFIED
from gossipmm.core.values.events import IdentityConflict, NameClaimed
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import IdentityState, NodeState, Registration, Status
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import page_untrusted
from tests.helpers import Mesh, dropped, held, picks
from tests.identities import ANNOUNCE, REQUIRE, in_the_name_of, seal, signed_mesh, signing, view
from tests.puppets import Puppet

EVIL = Registration("compute", "evil")


def mesh_of(*names: str, mode: object = REQUIRE) -> Mesh:
    mesh = signed_mesh(*(names or ("a", "b", "c")), mode=mode)  # type: ignore[arg-type]
    for name in mesh.names():
        mesh[name].register("compute", f"gpu-{name}", now=mesh.now)
    mesh.run(1)
    assert mesh.agreed()
    return mesh


def insider(mesh: Mesh) -> Puppet:
    """A member with a key of its own, that everybody knows."""
    x = mesh.puppet("x")
    x.seal = seal("x")
    return x.introduce()


def tell(mesh: Mesh, by: Puppet, *pages: object) -> None:
    for name in mesh.names():
        by.say(name, pages=list(pages))
    mesh.run(3)


def test_what_nodes_sign_all_of_them_take_with_real_keys() -> None:
    """[P150]."""
    signers = {name: Ed25519Signer.from_seed(name.encode() * 32) for name in "abc"}
    mesh = Mesh("a", "b", "c", identity=lambda name: Identity(REQUIRE, signers[name]))
    mesh.settle()
    mesh["b"].register("compute", "gpu-1", {"zone": "eu"}, now=mesh.now)
    mesh.run(0.1)
    assert picks(mesh["a"], "compute") == picks(mesh["c"], "compute") == ("gpu-1",)
    record = held(mesh["a"], "b").pages
    assert all(page_untrusted(page.raw).signed for page in record.values())
    assert record[0].signer == signers["b"].public
    assert not mesh["a"].stats.dropped


@pytest.mark.parametrize("number", [None, 1])
def test_nobody_changes_the_registrations_of_another_one(number: int | None) -> None:
    """A page of a higher version, from a member, listed a host of its own under a foreign name.

    [P150, P151]
    """
    mesh = mesh_of()
    x = insider(mesh)
    forger = in_the_name_of(mesh, "b", number)
    tell(mesh, x, forger.page(1, EVIL))
    assert all(set(picks(mesh[name], "compute")) == {"gpu-a", "gpu-b", "gpu-c"} for name in "abc")
    reason = Drop.UNSIGNED if number is None else Drop.BAD_SIGNATURE
    assert dropped(mesh["a"], reason)
    assert mesh["b"].stats.renewals == 0, "its owner does not mind"


@pytest.mark.parametrize("number", [None, 1])
def test_nobody_says_for_another_one_that_it_left_or_moved(number: int | None) -> None:
    """Page 0 with another state or address took a healthy host away. [P151]."""
    mesh = mesh_of()
    x = insider(mesh)
    forger = in_the_name_of(mesh, "b", number)
    before = mesh["b"].generation
    tell(mesh, x, forger.page_zero(NodeState.LEFT))
    tell(mesh, x, forger.page_zero())
    for name in "ac":
        assert view(mesh, name, "b").status is Status.ALIVE
        assert view(mesh, name, "b").addresses == mesh["b"].addresses
    assert mesh["b"].generation == before


@pytest.mark.parametrize("number", [None, 1])
def test_nobody_claims_a_name_by_a_later_life(number: int | None) -> None:
    """Whoever answers for a later life had the name, as long as there were no keys. [P153]."""
    mesh = mesh_of()
    x = insider(mesh)
    forger = mesh.puppet("forger", generation=mesh["b"].generation + 1)
    forger.name = "b"
    forger.seal = seal("forger") if number else None
    tell(mesh, x, forger.page_zero(), forger.page(1, EVIL))
    for name in "ac":
        assert held(mesh[name], "b").generation == mesh["b"].generation
        assert not mesh.told(name, NameClaimed)
    assert not forger.heard, "nobody asked it"


def test_a_later_life_of_a_name_that_never_signed_has_to_answer_as_ever() -> None:
    """Where identities are being announced, no signature speaks for either life. [P129, P153]."""
    mesh = mesh_of(mode=ANNOUNCE)
    x = insider(mesh)
    old = mesh.puppet("old").introduce()
    forged = mesh.puppet("forged", generation=old.generation + (1 << 20))
    forged.name, forged.answers = "old", False
    tell(mesh, x, forged.page_zero())
    assert held(mesh["a"], "old").generation == old.generation


def test_what_was_written_in_a_name_before_its_key_was_known_does_not_stay() -> None:
    """A page of another writer came first, and was listed beside what the owner signed.

    [P152]
    """
    mesh = mesh_of(mode=ANNOUNCE)
    x = insider(mesh)
    late = mesh.puppet("late")
    forger = mesh.puppet("forger", generation=late.generation)
    forger.name, forger.version = "late", 1000
    x.say("a", pages=[forger.page(1, EVIL)])
    late.seal = seal("late")
    late.introduce("a")
    mesh.run(1)
    assert held(mesh["a"], "late").pages[0].signed
    assert "evil" not in picks(mesh["a"], "compute")


def test_a_restart_counts_at_once_without_an_answer() -> None:
    """[P153]: its key proves it, so nobody waits for a round trip."""
    mesh = mesh_of()
    address = mesh["b"].addresses[0]
    mesh.crash("b")
    mesh.run(0.1)
    b = mesh.add("b", address=address)
    b.register("compute", "gpu-new", now=mesh.now)
    mesh.run(0.1)
    for name in "ac":
        assert held(mesh[name], "b").generation == b.generation
        assert "gpu-new" in picks(mesh[name], "compute")
        assert mesh[name].stats.later_lives_asked == 0
        assert view(mesh, name, "b").identity in (
            IdentityState.PINNED,
            IdentityState.PROVISIONAL,
        )


def test_a_name_once_seen_signed_is_never_taken_unsigned() -> None:
    """[P151]: in the mode announce, which takes names that it never saw signed."""
    mesh = mesh_of(mode=ANNOUNCE)
    x = mesh.puppet("x").introduce()
    assert view(mesh, "a", "x").identity is IdentityState.UNSIGNED
    mesh.crash("b")
    forger = mesh.puppet("b")
    tell(mesh, x, forger.page_zero())
    mesh.run(10)
    assert held(mesh["a"], "b").generation != forger.generation
    assert dropped(mesh["a"], Drop.UNSIGNED)


def test_where_all_must_sign_an_unsigned_name_is_nobody() -> None:
    """[P151]."""
    mesh = mesh_of()
    x = mesh.puppet("x")
    x.say("a", pages=[x.page_zero()])
    assert mesh["a"].member("x") is None


def test_off_takes_signed_pages_and_passes_them_on_as_they_are() -> None:
    """[P150]: an older version reads what it knows of them."""
    mesh = Mesh("a", "b", identity=lambda name: signing(ANNOUNCE)(name) if name == "b" else None)
    mesh.settle()
    b = mesh["b"]
    assert "b" in mesh["a"].table.by_name
    assert held(mesh["a"], "b").pages[0].raw == b._local.me.pages[0].raw
    assert mesh["a"].member("a").identity is IdentityState.UNSIGNED  # type: ignore[union-attr]


def test_a_second_key_of_a_name_is_refused_and_said_once() -> None:
    """[P152]."""
    mesh = mesh_of()
    mesh.run(61)
    x = insider(mesh)
    forger = in_the_name_of(mesh, "b", 1)
    for _ in range(5):
        tell(mesh, x, forger.page_zero())
    (told,) = mesh.told("a", IdentityConflict)
    assert told.name == "b"
    assert told.held == mesh["b"].addresses
    assert told.other == forger.addresses
    assert told.key == view(mesh, "a", "b").key != told.other_key
    assert view(mesh, "a", "b").identity is IdentityState.CONFLICT
    assert mesh["a"].identities.conflicts() == (("b", told.other_key),)
    assert mesh.told("b", IdentityConflict), "its owner is told as well"
    mesh.run(61)
    assert view(mesh, "a", "b").identity is IdentityState.PINNED
    assert not mesh["a"].identities.conflicts()


def test_a_forgery_is_charged_ten_times_and_known_again_by_its_hash() -> None:
    """[P151]: a datagram of nine bad pages took half a millisecond, whoever sent it."""
    mesh = mesh_of()
    x = insider(mesh)
    forger = in_the_name_of(mesh, "b", 1)
    stats = mesh["a"].stats
    page = forger.page(1, EVIL)
    before = stats.work
    x.say("a", pages=[page])
    assert stats.work - before >= 10 * VERIFIED
    before = stats.work
    x.say("a", pages=[page])
    assert stats.work - before < VERIFIED
    assert dropped(mesh["a"], Drop.BAD_SIGNATURE) == 2


def test_what_would_change_nothing_is_not_verified() -> None:
    """[P151]."""
    mesh = mesh_of()
    x = insider(mesh)
    page = held(mesh["a"], "b").pages[1]
    before = mesh["a"].stats.work
    for _ in range(3):
        x.say("a", pages=[page])
    assert mesh["a"].stats.work - before < VERIFIED


def test_a_page_that_comes_before_its_key_is_asked_for_again() -> None:
    """[P151]: not kept, since anybody could have it kept."""
    mesh = mesh_of()
    y = mesh.puppet("y")
    y.seal = seal("y")
    zero, one = y.page_zero(), y.page(1, Registration("compute", "gpu-y"))
    x = insider(mesh)
    asked = x.say("a", pages=[one])
    assert "y" not in mesh["a"].table.by_name
    assert dropped(mesh["a"], Drop.UNKNOWN_SIGNER) == 1
    assert [want[0] for p in asked for want in p.frame.options.get(wire.OPT_WANT, ())] == [y.key]
    x.say("a", pages=[one, zero])
    assert set(held(mesh["a"], "y").pages) == {0, 1}, "in one datagram, in any order"


def test_the_signature_of_another_cluster_or_page_does_not_hold() -> None:
    """[P150]: the cluster, the number and the version are in the text."""
    mesh = mesh_of()
    x = insider(mesh)
    stranger = mesh.puppet("y")
    stranger.seal = seal("y", cluster="other")
    x.say("a", pages=[stranger.page_zero()])
    assert "y" not in mesh["a"].table.by_name
    raw = held(mesh["a"], "b").pages[1].raw
    version = raw.index(b"\x82", 1)
    assert version > 0
    bent = page_untrusted(raw.replace(b"gpu-b", b"gpu-x"))
    higher = bytearray(bent.raw)
    x.say("a", pages=[bent._replace(raw=bytes(higher))])
    assert "gpu-x" not in picks(mesh["a"], "compute")
