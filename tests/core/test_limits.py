"""Bounds on what others can make a node hold or believe; each refusal is counted by reason."""

from __future__ import annotations

import pytest

from gossipmm.config import Config
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import Registration, Status
from gossipmm.core.wire import frame as wire
from gossipmm.errors import ConfigError
from tests.helpers import Mesh, dropped, held


def size(mesh: Mesh) -> int:
    """Bytes of all pages held by node a, added up anew."""
    table = mesh["a"].table
    pages = [page for member in table.by_key.values() for page in member.pages.values()]
    assert sum(member.size for member in table.by_key.values()) == table.size
    return sum(len(page.raw) for page in pages)


def test_the_bytes_of_the_table_are_counted_whatever_happens_to_it() -> None:
    mesh = Mesh("a", reap_after=10)
    x, y = mesh.puppets("x", "y")
    x.say("a", pages=[x.page(1, Registration("t", "h"), Registration("t", "i"))])
    assert mesh["a"].table.size == size(mesh)
    x.say("a", pages=[x.page(1)])
    assert mesh["a"].table.size == size(mesh)
    y.generation += 1 << 20
    y.say("a", pages=[y.page_zero()])
    assert mesh["a"].table.size == size(mesh)
    mesh["a"].register("t", "h", now=mesh.now)
    x.answers = y.answers = False
    mesh.run(40)
    assert mesh["a"].member("x") is None
    assert mesh["a"].table.size == size(mesh)


def test_a_record_has_at_most_so_many_bytes() -> None:
    """[P105]."""
    mesh = Mesh("a", max_record=17_000)
    x, y = mesh.puppets("x", "y")
    big = [Registration("t", "h" * 90 + str(n)) for n in range(8)]
    for number in (1, 2, 3, 4):
        x.say("a", pages=[x.page(number, *big)])
    assert len(held(mesh["a"], "x").pages) == 3
    assert held(mesh["a"], "x").memory <= 17_000
    assert dropped(mesh["a"], Drop.MAX_RECORD) == 2
    y.say("a", pages=[y.page(1, *big)])
    assert len(held(mesh["a"], "y").pages) == 2
    x.say("a", pages=[x.page(1)])
    x.say("a", pages=[x.page(3, *big)])
    assert 3 in held(mesh["a"], "x").pages


def test_the_table_has_at_most_so_many_bytes_and_the_own_record_is_free() -> None:
    """[P105]."""
    mesh = Mesh("a", max_table=18_000)
    x, y = mesh.puppets("x", "y")
    big = [Registration("t", "h" * 90 + str(n)) for n in range(8)]
    x.say("a", pages=[x.page(1, *big)])
    y.say("a", pages=[y.page(1, *big)])
    assert dropped(mesh["a"], Drop.MAX_TABLE) == 1
    for number in range(40):
        mesh["a"].register("mine", f"{'m' * 80}{number}", now=mesh.now)
    assert mesh["a"].table.topics["mine"].picks


def test_counters_do_not_jump() -> None:
    """Whoever forges a counter cannot exhaust it at a stroke [P20]."""
    mesh = Mesh("a", max_jump=1, reap_after=10, gossip_interval=1.0)
    x, y = mesh.puppets("x", "y")
    x.say("a", rows=wire.row(y.key, 50, wire.ALIVE))
    assert held(mesh["a"], "y").k == 50
    for claim in (wire.ALIVE, wire.SUSPECT):
        x.say("a", rows=wire.row(y.key, 131, claim))
    x.say("a", rows=wire.row(y.key, 131, wire.DEAD, wire.age_up(9.0)))
    y.heartbeat = 131
    y.say("a")
    x.say("a", pages=[y.page_zero(version=90)])
    assert dropped(mesh["a"], Drop.COUNTER_JUMP) == 5
    assert held(mesh["a"], "y").k == 50
    assert held(mesh["a"], "y").status is Status.ALIVE
    x.say("a", rows=wire.row(y.key, 130, wire.ALIVE))
    assert held(mesh["a"], "y").k == 130


def test_the_first_heartbeat_heard_may_be_any() -> None:
    """[P20]."""
    mesh = Mesh("a", max_jump=1, reap_after=10, gossip_interval=10.0)
    x = mesh.puppet("x")
    x.heartbeat = 3_000_000
    x.introduce("a")
    assert held(mesh["a"], "x").k == 3_000_000


def test_honest_counters_are_below_the_jump_whatever_is_configured() -> None:
    """[P20]."""
    assert Config(max_jump=1, reap_after=604_800, gossip_interval=0.1).jump == 48_384_000
    assert Config(max_jump=1).jump == int(8 * 86_400 / 1.25)


def test_one_accuser_holds_only_so_many_suspect() -> None:
    """[P31]."""
    mesh = Mesh("a", max_accusations=3, without=("accusers_credit",))
    puppets = mesh.puppets(*(f"x{n}" for n in range(12)))
    accuser, second, *others = puppets
    rows = b"".join(wire.row(one.key, 99, wire.SUSPECT) for one in others)
    accuser.say("a", rows=rows)
    assert dropped(mesh["a"], Drop.MAX_ACCUSATIONS) == 7
    suspects = [one for one in others if held(mesh["a"], one.name).status is Status.SUSPECT]
    assert len(suspects) == 3
    second.say("a", rows=rows)
    suspects = [one for one in others if held(mesh["a"], one.name).status is Status.SUSPECT]
    assert len(suspects) <= 6
    # As they are refuted, there is room for others.
    for one in others:
        one.heartbeat = 150
        one.say("a")
    assert all(held(mesh["a"], one.name).status is Status.ALIVE for one in others)
    accuser.say("a", rows=b"".join(wire.row(o.key, 150, wire.SUSPECT) for o in others[:3]))
    assert dropped(mesh["a"], Drop.MAX_ACCUSATIONS) >= 7
    assert sum(held(mesh["a"], o.name).status is Status.SUSPECT for o in others) == 3


def test_an_accuser_named_twice_is_one() -> None:
    """[P30]."""
    mesh = Mesh("a")
    x, y = mesh.puppets("x", "y")
    named = wire.row(x.key, 0, wire.ACCUSER) * 3
    x.say("a", rows=wire.row(y.key, 99, wire.SUSPECT) + named)
    assert held(mesh["a"], "y").accusers == [x.key]


def test_own_observations_are_never_too_many() -> None:
    """[P31]."""
    mesh = Mesh("a", max_accusations=1)
    puppets = mesh.puppets(*(f"x{n}" for n in range(5)))
    for puppet in puppets:
        puppet.answers = False
    mesh.run(15)
    assert all(held(mesh["a"], p.name).status is Status.DEAD for p in puppets)


@pytest.mark.parametrize("field", ["max_record", "max_table", "source_rate", "peer_rate"])
def test_limits_that_leave_nothing_are_refused(field: str) -> None:
    with pytest.raises(ConfigError, match=field):
        Config(**{field: 0})
