"""Dial-back at join: what is wrong is told apart, in words, and only words change."""

import logging
import random
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import trio

from gossipmm import keyfile
from gossipmm.agent import dialback, open_agent
from gossipmm.agent.dialback import MAGIC, PATIENCE, DialBack, Identity
from gossipmm.config import Config
from gossipmm.core.sealing.keyring import Keyring
from gossipmm.core.values.stats import Drop
from tests.agent.memory_network import Air

A, B, OUTSIDE = ("127.0.0.1", 1), ("127.0.0.1", 2), ("203.0.113.9", 7)


@pytest.fixture
async def air():
    async with Air() as air:
        yield air


def config(name, port, *seeds, **fields):
    join = tuple(f"127.0.0.1:{seed}" for seed in seeds)
    return Config(name=name, bind=f"127.0.0.1:{port}", join=join, **fields)


@asynccontextmanager
async def pair(air, *, seed=None, **newcomer):
    """A seed at port 1 and a newcomer at port 2, which has had time to ask; gives (a, b)."""
    wanted = config("b", 2, 1, **newcomer)
    async with (
        open_agent(replace(config("a", 1), **(seed or {})), network=air.host()) as a,
        open_agent(wanted, network=air.host()) as b,
    ):
        await trio.sleep(PATIENCE + 1.5)
        yield a, b


def keyring(tmp_path, name, *others):
    key = keyfile.generate()
    path = tmp_path / name
    keyfile.create(str(path), Keyring((key, *others)))
    return str(path), key


async def trouble(air, **fields):
    async with pair(air, **fields) as (_, b):
        return b.seed_trouble().get("127.0.0.1:1", "")


async def test_nothing_is_wrong(autojump_clock, air, caplog):
    async with pair(air) as (a, b):
        assert b.table.joined
        assert b.seed_trouble() == {}
        assert b.seeds_tried("127.0.0.1:1")
        assert "malformed" not in {**a.stats.as_dict()["dropped"], **b.stats.as_dict()["dropped"]}
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []


async def test_nobody_is_there(autojump_clock, air):
    async with open_agent(config("b", 2, 1), network=air.host()) as b:
        await trio.sleep(PATIENCE + 1)
        assert b.seed_trouble() == {
            "127.0.0.1:1": "does not answer: it is down, the address is wrong, "
            "or its port is blocked"
        }


async def test_the_system_there_says_that_nobody_listens(autojump_clock, air):
    host = air.host()
    asked = []

    async def refuses(address, data):
        asked.append((address, data))
        await trio.sleep(0.01)
        return True

    host.refuses = refuses
    async with open_agent(config("b", 2, 1), network=host) as b:
        await trio.sleep(0.5)
        assert b.seed_trouble() == {
            "127.0.0.1:1": "nothing listens there: the address is wrong, or its agent is not "
            "running"
        }
        assert asked == [(A, MAGIC)]


@pytest.mark.parametrize("late", [0.5, 30.0])
async def test_a_seed_that_came_later_is_not_in_trouble(autojump_clock, air, caplog, late):
    """Five hosts that name each other were started in turn.

    The first said for good that nobody listens at the seeds that came a second later, while it
    listed both as alive.
    """
    caplog.set_level(logging.INFO, "gossipmm.agent.dialback")
    async with open_agent(config("b", 2, 1), network=air.host()) as b:
        await trio.sleep(late)
        async with open_agent(config("a", 1, 2), network=air.host()) as a:
            await b.wait_joined()
            await trio.sleep(2 * PATIENCE + 1)
            assert a.seed_trouble() == b.seed_trouble() == {}
    said = [r.getMessage() for r in caplog.records if r.name == "gossipmm.agent.dialback"]
    assert (said[-1:] == ["seed 127.0.0.1:1: all is well now"]) == (late > PATIENCE)


async def test_a_seed_that_is_alive_may_still_not_reach_this_node(autojump_clock, air):
    """It is asked once more when it joins, not told to be well because it is a member."""
    async with open_agent(config("b", 2, 1), network=air.host()) as b:
        await trio.sleep(PATIENCE + 1)
        air.lost = lambda source, target: target == B and source != A
        async with open_agent(config("a", 1), network=air.host()):
            await b.wait_joined()
            await trio.sleep(2 * PATIENCE + 1)
            assert "reaches this node at 127.0.0.1:2 only with answers" in str(b.seed_trouble())


async def test_another_cluster(autojump_clock, air, caplog):
    found = await trouble(air, cluster="prod")
    assert found == "belongs to another cluster than this node's, 'prod'"
    (said,) = [r.getMessage() for r in caplog.records if r.name == "gossipmm.agent.dialback"]
    assert said == f"seed 127.0.0.1:1 {found}"


async def test_another_version(autojump_clock, air, monkeypatch):
    own = DialBack.identity

    def identity(self):
        ours = own(self)
        return ours._replace(protocol=7) if self._announced()[0] == A else ours

    monkeypatch.setattr(DialBack, "identity", identity)
    assert await trouble(air) == ("speaks another version of the protocol: 7, this node 1")


async def test_other_keys(autojump_clock, air, tmp_path):
    ours, key = keyring(tmp_path, "ours")
    theirs, other = keyring(tmp_path, "theirs")
    both, _ = keyring(tmp_path, "both", other)
    assert await trouble(air, seed={"keyring": theirs}) == (
        "encrypts, and this node has no keyring"
    )
    assert await trouble(air, keyring=ours) == "does not encrypt, and this node has a keyring"
    assert await trouble(air, seed={"keyring": theirs}, keyring=ours) == (
        f"uses key {other.kid.hex()}, which is not in this node's keyring"
    )
    assert await trouble(air, seed={"keyring": ours}, keyring=ours) == ""
    assert await trouble(air, seed={"keyring": theirs}, keyring=both) == ""
    assert key.kid != other.kid


async def test_an_announced_address_that_is_wrong(autojump_clock, air):
    assert await trouble(air, advertise="10.9.9.9:2", insecure=True) == (
        "cannot reach this node at 10.9.9.9:2, the address that it announces, and sees it at "
        "127.0.0.1:2: set advertise"
    )


async def test_an_announced_address_of_a_family_that_the_seed_does_not_have(autojump_clock, air):
    """It was told to set advertise to an address that it had: the family was not named."""
    words = await trouble(air, advertise="[2001:db8::9]:7")
    assert words == (
        "cannot reach this node at [2001:db8::9]:7: this node announces no IPv4 address, by which "
        "that seed is reached; set advertise, or bind to [::]"
    )


async def test_a_seed_tries_the_announced_address_of_its_own_family(autojump_clock, air):
    """An IPv4 seed was asked to try the IPv6 address that is announced first, and could not."""
    async with open_agent(config("b", 2, 1), network=air.host()) as b:
        asks = b._dial_back
        asks._announced = lambda: (("fd09::2", 2), B)
        assert asks._announced_to(A) == B
        assert asks._announced_to(("fd09::1", 1)) == ("fd09::2", 2)
        asks._announced = lambda: (("fd09::2", 2),)
        assert asks._announced_to(A) == ("fd09::2", 2)


async def test_an_announced_port_that_nothing_gets_in_by(autojump_clock, air):
    assert await trouble(air, advertise="127.0.0.1:9", insecure=True) == (
        "cannot reach this node at 127.0.0.1:9, the address that it announces: "
        "UDP port 9 seems to be blocked"
    )


async def test_a_firewall_that_lets_only_answers_in(autojump_clock, air):
    air.lost = lambda source, target: target == B and source != A
    found = await trouble(air)
    assert found == (
        "reaches this node at 127.0.0.1:2 only with answers: others may not reach it at all, "
        "UDP port 2 seems to be blocked"
    )


async def test_loss_is_no_trouble(autojump_clock, air):
    chance = random.Random(7)
    air.lost = lambda source, target: chance.random() < 0.25
    assert await trouble(air) == ""


async def test_a_seed_that_comes_late_is_asked_again_while_alone(autojump_clock, air, caplog):
    caplog.set_level(logging.INFO, "gossipmm.agent.dialback")
    async with open_agent(config("b", 2, 1), network=air.host()) as b:
        await trio.sleep(5)
        assert "does not answer" in b.seed_trouble()["127.0.0.1:1"]
        async with open_agent(config("a", 1, cluster="other"), network=air.host()):
            await trio.sleep(40)
            assert "another cluster" in b.seed_trouble()["127.0.0.1:1"]
        await trio.sleep(80)
    said = [r.getMessage() for r in caplog.records if r.name == "gossipmm.agent.dialback"]
    assert ["does not answer" in line for line in said] == [True, False, True]


async def test_of_very_many_addresses_a_few_are_asked(autojump_clock, air):
    air.names["all"] = [("127.0.0.1", number) for number in range(100, 400)]
    asked = []
    carry = air.carry
    air.carry = lambda data, source, target: (
        asked.append(target) if data.startswith(MAGIC) else carry(data, source, target)
    )
    async with open_agent(
        Config(name="b", bind="127.0.0.1:2", join=("all:1",)), network=air.host()
    ) as b:
        await trio.sleep(PATIENCE + 1)
        assert len(set(asked)) == 16
        assert b.seeds_tried("all:1")
        assert "does not answer" in b.seed_trouble()["all:1"]
        assert len(b._dial_back.found) == 16


async def test_switched_off_it_neither_asks_nor_answers(autojump_clock, air):
    assert await trouble(air, cluster="prod", dial_back=False) == ""
    assert await trouble(air, cluster="prod", seed={"dial_back": False}) == (
        "does not answer: it is down, the address is wrong, or its port is blocked"
    )


async def test_a_node_does_not_ask_itself(autojump_clock, air):
    async with open_agent(config("a", 1, 1), network=air.host()) as a:
        await trio.sleep(3)
        assert a.seed_trouble() == {}
        assert a.seeds_tried("127.0.0.1:1")
        assert a.table.joined


# -- strangers -------------------------------------------------------------------------------------


class Wire:
    """A DialBack without an agent; what it sends from its port is in ``sent``."""

    def __init__(self, air):
        self.sent = []
        self.refused = []
        self.network = air.host()
        self.dial_back = DialBack(
            self.network,
            bound=A,
            send=lambda data, address: self.sent.append((data, address)),
            cluster="gossipmm",
            announced=lambda: (A,),
            keys=lambda: None,
            alone=lambda: True,
            allows=lambda host: not host.startswith("198.51.100."),
            refused=self.refused.append,
        )


def ask(announced=B):
    head = dialback._HEAD.pack(MAGIC, dialback._ASK, b"n" * 16)
    identity = Identity(1, b"tag!", b"").pack()
    return (head + identity + dialback._pack(announced)).ljust(dialback._ASK_SIZE, b"\0")


async def test_an_answer_is_never_larger_than_the_question(autojump_clock, air):
    wire = Wire(air)
    wire.dial_back.take(ask(), OUTSIDE)
    (report, to), (tried, at) = wire.sent
    assert (to, at) == (OUTSIDE, B)
    assert len(report) + 2 * len(tried) <= len(ask())
    wire.dial_back.close()


async def test_answers_are_few_a_second(autojump_clock, air):
    wire = Wire(air)
    for _ in range(1000):
        wire.dial_back.take(ask(), OUTSIDE)
    assert len(wire.sent) == 2 * 20
    assert wire.refused == [Drop.SOURCE_RATE] * 980
    await trio.sleep(1)
    for _ in range(1000):
        wire.dial_back.take(ask(), OUTSIDE)
    assert len(wire.sent) == 2 * 30
    wire.dial_back.close()


async def test_the_allow_list_is_asked_first(autojump_clock, air):
    """Whoever is not allowed once got an answer, and had any third address poked, uncounted."""
    wire = Wire(air)
    wire.dial_back.take(ask(), ("198.51.100.7", 7))
    wire.dial_back.take(ask(("198.51.100.7", 7)), OUTSIDE)
    wire.dial_back.take(MAGIC, ("198.51.100.7", 7))
    assert wire.sent == []
    assert wire.refused == [Drop.NOT_ALLOWED] * 3


async def test_an_agent_gives_its_allow_list(autojump_clock, air):
    only = config("a", 1, allow=("10.0.0.0/8",), advertise="10.0.0.1")
    async with open_agent(only, network=air.host()) as a:
        a._driver.aside(ask(), B)
        assert a.stats.as_dict()["dropped"] == {"not_allowed": 1}


@pytest.mark.parametrize(
    "data",
    [
        MAGIC,
        MAGIC + b"\1",
        ask()[:-1],
        ask() + b"\0",
        ask(("127.0.0.1", 0)),
        ask().replace(b"\4\x7f\0\0\1", b"\5\x7f\0\0\1"),
        MAGIC + b"\2" + b"x" * 200,
        MAGIC + b"\3" + b"x" * 17,
        MAGIC + b"\x09" + b"x" * 17,
        bytes(94),
    ],
)
async def test_nonsense_is_not_answered(autojump_clock, air, data):
    wire = Wire(air)
    wire.dial_back.take(data, OUTSIDE)
    assert wire.sent == []


async def test_gossip_begins_otherwise(autojump_clock, air):
    """No datagram of the core is ever taken for one of these."""
    seen = []
    carry = air.carry
    air.carry = lambda data, source, target: (seen.append(data), carry(data, source, target))
    async with pair(air, dial_back=False, seed={"dial_back": False}):
        pass
    assert len(seen) > 20
    assert not [data for data in seen if data.startswith(MAGIC)]


async def test_an_only_seed_that_is_this_node_makes_a_cluster_of_one(autojump_clock, air, caplog):
    """It was NOT JOINED for ever, and not ready, because "nobody has answered".

    One configuration for all names the first host, or an address in front of it: on that host the
    seed is the host itself.
    """
    network = air.host()
    wanted = Config(name="a", bind="127.0.0.1:1", join=("127.0.0.9:1",))
    async with open_agent(wanted, network=network) as a:
        air.ports["127.0.0.9", 1] = network.port
        await trio.sleep(5)
        assert a.table.joined
        assert "is this node itself" in a.seed_trouble()["127.0.0.9:1"]
        assert caplog.text.count("is this node itself") == 1
        async with open_agent(config("b", 2, 1), network=air.host()) as b:
            await b.wait_joined()
            await trio.sleep(2)
            assert a.agreement().agree == 1


async def test_a_seed_that_is_this_node_beside_one_that_cannot_be_resolved(autojump_clock, air):
    """Perhaps there is a cluster to join: nothing is known yet."""
    network = air.host()
    wanted = Config(name="a", bind="127.0.0.1:1", join=("127.0.0.9:1", "later:1"))
    async with open_agent(wanted, network=network) as a:
        air.ports["127.0.0.9", 1] = network.port
        await trio.sleep(5)
        assert not a.table.joined
