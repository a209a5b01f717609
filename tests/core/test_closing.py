"""The end of records: reaping, closed generations, forget, and the node alone for very long."""

from __future__ import annotations

from typing import Any

import pytest

from gossipmm.core.values.events import GenerationRenewed, MemberJoined, MemberReaped
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import NodeState, Registration, Status
from gossipmm.core.wire import frame as wire
from tests.helpers import Mesh, dropped, held, picks
from tests.puppets import claims

#: Short, so that virtual time is too.
REAP = 60.0


def reaped(how: str = "dead", **fields: Any) -> Mesh:
    """Node ``a``, which has just reaped x, and puppets y and z."""
    mesh = Mesh("a", **{"reap_after": REAP, **fields})
    x = mesh.puppet("x").introduce("a", entries=[Registration("t", "h")])
    mesh.puppets("y", "z")
    mesh.run(1)
    if how == "dead":
        x.answers = False
    else:
        x.say("a", pages=[x.page_zero(NodeState.LEFT)])
    mesh.until(lambda: bool(mesh.told("a", MemberReaped)), within=2 * REAP, step=0.5)
    return mesh


@pytest.mark.parametrize("how", ["dead", "left"])
def test_a_record_is_kept_for_reap_after_and_then_removed_with_an_event(how: str) -> None:
    """[P46]."""
    mesh = reaped(how)
    assert [event.name for event in mesh.told("a", MemberReaped)] == ["x"]
    assert REAP <= mesh.now - 1000 <= 1.3 * REAP + 10
    assert mesh["a"].member("x") is None
    assert mesh["a"].table.topic("t") is None
    assert mesh["a"].stats.reaped == 1


def test_reaping_closes_the_generation_and_says_so_to_whoever_mentions_it() -> None:
    """Promise 3: only a higher generation returns, whoever was cut off for however long [P48]."""
    mesh = reaped()
    x, y = mesh._members["x"], mesh._members["y"]
    floor = {wire.OPT_MINIMUMS: [["x", x.generation]]}
    for fields in (
        {"rows": wire.row(x.key, 99, wire.ALIVE)},
        {"pages": [x.page_zero()]},
        {"options": {wire.OPT_WANT: [[x.key, b""]]}},
    ):
        replies = y.say("a", **fields)
        assert [p.frame.options for p in replies] == [floor]
        assert replies[0].target == y.addresses[0]
    assert mesh["a"].member("x") is None


def test_the_owner_of_a_closed_life_takes_a_new_one_when_it_is_told() -> None:
    """[P49]."""
    mesh = Mesh("a", "b", reap_after=REAP)
    mesh.settle()
    mesh["b"].register("t", "h", now=mesh.now)
    mesh.run(1)
    first = mesh["b"].generation
    mesh.freeze("b")
    mesh.until(lambda: bool(mesh.told("a", MemberReaped)), within=2 * REAP, step=0.5)
    mesh.events["a"].clear()
    mesh.thaw("b")
    mesh.until(lambda: picks(mesh["a"], "t") == ("h",), within=30)
    assert mesh["b"].generation > first
    assert mesh.told("b", GenerationRenewed)
    assert [event.name for event in mesh.told("a", MemberJoined)] == ["b"]


def test_a_bystander_that_comes_back_after_the_reaping_resurrects_nobody() -> None:
    """Scenario bystander_returns_after_reaping: it still holds x, with a high heartbeat [P47]."""
    mesh = Mesh("a", "b", "c", "d", reap_after=REAP)
    mesh["d"].register("t", "h", now=mesh.now)
    mesh.settle()
    mesh.run(2)
    mesh.cut("c", "abd")
    mesh.run(1)
    mesh.crash("d")
    # The bystander is alone for less than half of reap_after, and holds d dead, not reaped.
    mesh.until(lambda: all(mesh[name].member("d") is None for name in "ab"), within=3 * REAP)
    mesh.heal()
    mesh.until(lambda: mesh["c"].table.live_count() == 3, within=60)
    mesh.run(30)
    for name in "abc":
        assert picks(mesh[name], "t") == ()
        member = mesh[name].member("d")
        assert member is None or member.status is not Status.ALIVE


def test_ages_of_the_dead_travel_so_that_all_forget_them_together() -> None:
    """The larger age wins; joiners do not keep a death circling [P46]."""
    mesh = Mesh("a", "b", "c", "e", reap_after=REAP)
    mesh.settle()
    mesh.run(1)
    mesh["b"].leave(mesh.now)
    mesh.run(1)
    mesh.crash("b", "c")
    mesh.run(0.6 * REAP)
    mesh.add("d")
    mesh.settle()
    mesh.run(1)
    for gone in ("b", "c"):
        known, told = held(mesh["a"], gone), held(mesh["d"], gone)
        assert told.status is known.status
        assert told.gone_at == pytest.approx(known.gone_at, abs=0.1 * REAP)
    mesh.run(0.6 * REAP)
    for name in "ade":
        assert {member.name for member in mesh[name].members()} == set("ade")


@pytest.mark.parametrize("claim", [wire.DEAD, wire.LEFT])
def test_what_is_older_than_reap_after_is_not_accepted(claim: int) -> None:
    """[P46]."""
    mesh = Mesh("a", reap_after=REAP)
    x, y = mesh.puppets("x", "y")
    w = mesh.puppet("w")
    age = wire.age_up(2 * REAP)
    rows = wire.row(x.key, x.heartbeat, claim, age) + wire.row(w.key, 1, claim, age)
    assert y.say("a", rows=rows) == []
    assert held(mesh["a"], "x").status is Status.ALIVE
    assert dropped(mesh["a"], Drop.TOO_OLD) == 2


# -- forget ------------------------------------------------------------------------------------


def test_forget_closes_a_dead_generation_everywhere() -> None:
    """[P50]."""
    mesh = Mesh("a", "b", "c", "d")
    mesh.settle()
    mesh.run(1)
    assert not mesh["a"].forget("d", now=mesh.now)  # it lives
    assert not mesh["a"].forget("nobody", now=mesh.now)
    assert not mesh["a"].forget("a", now=mesh.now)
    mesh.crash("d")
    mesh.until(lambda: all(held(mesh[name], "d").status is Status.DEAD for name in "abc"))
    assert mesh["a"].forget("d", now=mesh.now)
    mesh.run(0.1)
    for name in "abc":
        assert mesh[name].member("d") is None
        assert [event.name for event in mesh.told(name, MemberReaped)] == ["d"]
    mesh.run(10)
    mesh.add("d")
    mesh.settle(within=2)


def test_a_living_member_that_somebody_closed_is_told_and_comes_back_higher() -> None:
    """[P49]."""
    mesh = Mesh("a", "b", "c")
    mesh.settle()
    mesh.run(1)
    generation = mesh["c"].generation
    mesh.cut("a", "c")
    mesh.rules["no help"] = lambda p: p.frame.kind == wire.HELP
    mesh["a"].table.by_name["c"].hear_suspect(held(mesh["a"], "c").k)
    mesh["a"].table.by_name["c"].declare_dead(mesh.now)
    mesh["a"].table.refresh(held(mesh["a"], "c"), mesh.now)
    assert mesh["a"].forget("c", now=mesh.now)
    mesh.run(0.5)
    mesh.heal()
    mesh.settle(within=20)
    assert mesh["c"].generation > generation
    assert held(mesh["a"], "c").status is Status.ALIVE


# -- alone -------------------------------------------------------------------------------------


def test_a_node_that_reached_nobody_for_half_of_reap_after_begins_anew() -> None:
    """The others may have reaped what it holds: it forgets all but its own record [P51]."""
    mesh = Mesh("a", "b", "c", reap_after=REAP)
    mesh["a"].register("t", "h", now=mesh.now)
    mesh.settle()
    mesh.run(1)
    generation = mesh["a"].generation
    address = mesh["b"].addresses[0]
    mesh["a"].join([], mesh.now)
    mesh.cut("a", "bc")
    mesh.run(REAP / 2 - 2)
    assert mesh["a"].generation == generation
    assert len(mesh["a"].members()) == 3
    mesh.run(4)
    assert mesh["a"].generation > generation
    assert [member.name for member in mesh["a"].members()] == ["a"]
    assert picks(mesh["a"], "t") == ("h",)
    assert not mesh["a"].table.joined
    mesh.run(5)
    assert address in {p.target for p in mesh.sent[-20:]}  # the addresses are kept as seeds
    mesh.heal()
    mesh.settle(within=5)
    assert picks(mesh["b"], "t") == ("h",)


def test_a_split_longer_than_reaping_heals() -> None:
    """Scenario longer_than_reaping_heal: both sides closed the other's generations [P49]."""
    mesh = Mesh(*"abcd", reap_after=REAP)
    for name in "abcd":
        mesh[name].register("t", f"h-{name}", now=mesh.now)
    mesh.settle()
    mesh.run(1)
    for name in "abcd":
        mesh[name].join([mesh["a"].addresses[0], mesh["c"].addresses[0]], mesh.now)
    mesh.cut("ab", "cd")
    mesh.run(2 * REAP)
    assert picks(mesh["a"], "t") == ("h-a", "h-b")
    mesh.heal()
    mesh.settle(within=60)
    for name in "abcd":
        assert picks(mesh[name], "t") == ("h-a", "h-b", "h-c", "h-d")


def test_nobody_tells_a_death_of_its_own_past_for_ever() -> None:
    """The claim about itself that every dead member's datagrams begin with ends with its life.

    [P48]
    """
    mesh = reaped()
    x = mesh._members["x"]
    x.heard.clear()
    x.say("a", wire.SYN, probe=3)
    mesh.run(0.01)
    assert x.heard
    assert claims(x.heard[-1].rows, x.key) == []
    floors = [frame.options.get(wire.OPT_MINIMUMS) for frame in x.heard]
    assert [["x", x.generation]] in floors


def test_a_closed_life_that_knocks_is_told_so_once() -> None:
    """Story: its page and its SYN were each answered with the same minimum generation [P48]."""
    mesh = reaped()
    x = mesh._members["x"]
    x.answers = True
    (reply,) = x.say("a", kind=wire.SYN, pages=[x.page_zero(), x.page(1, Registration("t", "h"))])
    assert reply.frame.options[wire.OPT_MINIMUMS] == [["x", x.generation]]


def test_who_was_never_heard_alive_and_takes_its_leaving_back_is_forgotten_like_others() -> None:
    """Story: two pages 0 at one version, LEFT, then UP: nobody reaped the record, ever [P46].

    It had left the list of the gone and was not put back into that of the never heard.
    """
    mesh = Mesh("a", reap_after=REAP)
    x, y = mesh.puppet("x"), mesh.puppet("y").introduce("a")
    x.answers = False
    pages = [x.page_zero(state, version=1) for state in (NodeState.LEFT, NodeState.UP)]
    for page in sorted(pages, key=lambda page: page.digest):
        y.say("a", pages=[page], options={wire.OPT_MORE: []})
    assert held(mesh["a"], "x").status is Status.UNKNOWN
    mesh.run(2 * REAP)
    assert mesh["a"].member("x") is None
