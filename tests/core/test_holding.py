"""This node's own health [P85, P86]: what it does not blame on others, and how long."""

from __future__ import annotations

from typing import Any

import pytest

from gossipmm.core.values.events import Isolated, MemberDied, MemberSuspected, SelfSlow
from gossipmm.core.values.types import Status
from gossipmm.core.wire import frame as wire
from gossipmm.mechanisms import Mechanism
from tests.helpers import Mesh, held


def statuses(mesh: Mesh, name: str) -> set[Status]:
    return {member.status for member in mesh[name].table.by_name.values() if member.name != name}


def test_a_node_that_stood_still_accuses_nobody() -> None:
    """SIGSTOP, a suspended machine, a stuck host program: all timers fire late at once [P85]."""
    mesh = Mesh("a", "b", "c", "d")
    mesh.settle()
    mesh.run(2)
    for pause in (2.5, 4.0, 30.0):
        mesh.freeze("a")
        mesh.run(pause)
        mesh.thaw("a")
        mesh.run(3)
        assert mesh.told("a", SelfSlow)[-1].late >= pause - 1.2 * mesh.config.gossip_interval
    assert mesh.told("a", MemberSuspected) + mesh.told("a", MemberDied) == []


def test_a_node_that_stood_still_is_believed_again_at_once() -> None:
    """It answers what was said of it meanwhile; the others had found it dead."""
    mesh = Mesh("a", "b", "c", "d")
    mesh.settle()
    mesh.run(2)
    mesh.freeze("a")
    mesh.until(lambda: all(held(mesh[n], "a").status is Status.DEAD for n in "bcd"), within=12)
    mesh.thaw("a")
    took = mesh.until(lambda: all(held(mesh[n], "a").status is Status.ALIVE for n in "bcd"))
    assert took < 1.5


def test_a_slow_node_says_that_it_is_slow() -> None:
    """[P85]."""
    mesh = Mesh("a")
    (x,) = mesh.puppets("x")
    mesh.run(2)
    mesh.freeze("a")
    mesh.run(3)
    mesh.thaw("a")
    x.heard.clear()
    mesh.run(0.5)
    assert x.heard
    assert all(frame.options.get(wire.OPT_SLOW) for frame in x.heard)
    mesh.run(3)
    x.heard.clear()
    mesh.run(2)
    assert not any(wire.OPT_SLOW in frame.options for frame in x.heard)


def test_who_hears_it_counts_it_among_its_slow_peers() -> None:
    """Story: the mark was sent, read and kept, and nothing asked for it [P85]."""
    mesh = Mesh("a", "b")
    mesh.settle()
    mesh.run(2)
    mesh.freeze("a")
    mesh.run(1.5)
    mesh.thaw("a")
    mesh.run(0.5)
    assert mesh["b"].health(mesh.now).slow_peers == 1
    mesh.run(4)
    assert mesh["b"].health(mesh.now).slow_peers == 0


def test_what_a_slow_node_pushes_has_its_pages() -> None:
    """Story: the mark "slow" replaced the pages of a push, which then waited for a digest."""
    mesh = Mesh("a", "b")
    mesh.settle()
    mesh.run(1)
    mesh.freeze("a")
    mesh.run(3)
    mesh.thaw("a")
    mesh.run(0.05)
    mesh["a"].register("t", "h", now=mesh.now)
    mesh.run(0.01)
    assert mesh["b"].table.topic("t") is not None


def test_a_suspicion_that_ran_while_the_node_stood_still_does_not_end_at_once() -> None:
    """The accused had no chance to answer to a node that did not read [P85]."""
    mesh = Mesh("a")
    x, y = mesh.puppets("x", "y")
    mesh.run(1)
    x.answers = False
    y.say("a", rows=wire.row(x.key, held(mesh["a"], "x").k, wire.SUSPECT))
    mesh.run(0.2)
    mesh.freeze("a")
    mesh.run(20)
    mesh.thaw("a")
    mesh.run(0.05)
    assert held(mesh["a"], "x").status is Status.SUSPECT
    x.answers = True
    mesh.run(1)
    assert held(mesh["a"], "x").status is Status.ALIVE


def test_what_waited_for_a_node_that_stood_still_is_told_as_old_as_it_may_be() -> None:
    """Story (swarm, seed 363): a host crashed while another one stood still.

    Awake again, that one read the dead one's last heartbeat, which had waited in its socket, and
    told the others of it as if just heard: younger evidence than their burials, so they took it
    back into their lookups for three seconds [P89].
    """
    mesh = Mesh("a")
    x, y, z = mesh.puppets("x", "y", "z")
    mesh.run(2)
    mesh.freeze("a")
    mesh.run(4)
    mesh.thaw("a")
    x.heartbeat += 3
    x.say("a")
    z.heartbeat += 3
    y.say("a", rows=wire.row(z.key, z.heartbeat, wire.ALIVE))
    for of in (x, z):
        member = held(mesh["a"], of.name)
        assert member.k == of.heartbeat
        assert mesh.now - member.heard > 3
    mesh.until(lambda: mesh.now - held(mesh["a"], "x").heard < 2, within=30)


def test_after_a_silence_what_comes_first_may_be_as_old_as_the_silence() -> None:
    """Story (swarm, seed 1767): a host whose sends and receives were stuck, but not its timers.

    (Lifeguard's anomaly.) It was not late, so nothing told it that what it read first had waited.
    [P89]
    """
    mesh = Mesh("a")
    x, y = mesh.puppets("x", "y")
    mesh.run(2)
    x.answers = y.answers = False
    mesh.run(3)
    x.say("a", heartbeat=x.heartbeat + 1)
    assert 2.5 < mesh.now - held(mesh["a"], "x").heard < 3.0 + mesh.config.quiet_max
    x.answers = y.answers = True
    mesh.run(6)
    assert mesh.now - held(mesh["a"], "x").heard < 4


def test_the_old_death_of_one_that_is_alive_here_is_a_suspicion() -> None:
    """Story (Rapid's deaf hosts among 1,000): 4,719 healthy hosts were declared dead.

    A host that hears again told of those whom it had buried for want of answers. In a large cluster
    a heartbeat held is often older than that, and a death older than any suspicion lasts was taken
    as one: everybody believed it, and passed it on [P35].
    """
    mesh = Mesh("a")
    x, y = mesh.puppets("x", "y")
    mesh.run(2)
    beat = held(mesh["a"], "x").k

    y.say("a", rows=wire.row(x.key, beat, wire.DEAD, wire.age_down(4 * mesh.config.suspicion_max)))
    assert held(mesh["a"], "x").status is Status.SUSPECT
    mesh.run(2)
    assert held(mesh["a"], "x").status is Status.ALIVE
    assert mesh.told("a", MemberDied) == []


def test_a_deaf_node_holds_its_accusations_and_then_believes_what_it_sees() -> None:
    """At most twice the maximum suspicion: the others may really be gone [P86, P87]."""
    mesh = Mesh("a", "b", "c", "d")
    mesh.settle()
    mesh.run(2)
    config = mesh.config
    mesh.crash("b", "c", "d")
    began = mesh.now
    mesh.run(config.suspicion_max)
    assert statuses(mesh, "a") == {Status.ALIVE}
    assert mesh["a"].stats.probes_held > 0
    mesh.until(lambda: statuses(mesh, "a") == {Status.DEAD}, within=60)
    # Held, then suspected, each at most so long; and the time until the last is asked.
    longest = 2 * config.suspicion_max + config.suspicion_max + 8 * config.gossip_interval
    assert 2 * config.suspicion_max <= mesh.now - began <= longest


def test_a_node_that_heard_nobody_while_it_tried_asks_again_instead_of_accusing() -> None:
    """It heard others again after the last try, and before the probe ended: not deaf, it accused.

    All its tries had gone into the time when it was cut off, so the accused was well, and the
    whole cluster heard of it [P86].
    """
    others = [f"n{number}" for number in range(12)]
    mesh = Mesh("a", *others)
    mesh.settle()
    mesh.run(2)
    for _ in range(20):  # at another moment of a probe each time
        mesh.cut(["a"], others)
        mesh.run(1.2)
        mesh.heal()
        mesh.run(2.03)
    assert mesh["a"].stats.probes_held > 0
    suspected = {e.name for name in mesh.names() for e in mesh.told(name, MemberSuspected)}
    assert suspected <= {"a"}


def test_a_node_that_hears_again_before_that_has_buried_nobody() -> None:
    mesh = Mesh("a", "b", "c", "d")
    mesh.settle()
    mesh.run(2)
    mesh.cut("a", "bcd")
    mesh.run(mesh.config.suspicion_max)
    mesh.heal()
    mesh.run(5)
    assert mesh.told("a", MemberDied) == []
    assert statuses(mesh, "a") == {Status.ALIVE}
    mesh.settle()


def test_with_a_single_other_member_silence_is_that_members() -> None:
    """Promise 12, one of two: nobody else could be heard, so deafness proves nothing [P86]."""
    mesh = Mesh("a", "b")
    mesh.settle()
    mesh.run(2)
    mesh.crash("b")
    took = mesh.until(lambda: held(mesh["a"], "b").status is Status.DEAD, within=10)
    assert took <= 3 * mesh.config.suspicion_min
    assert mesh["a"].stats.probes_held == 0


@pytest.mark.parametrize(("without", "accuses"), [({Mechanism.DEAF_HOLD}, True), (set(), False)])
def test_each_hold_is_a_switch(without: set[Mechanism], accuses: bool) -> None:
    mesh = Mesh("a", "b", "c", "d", without=frozenset(without))
    mesh.settle()
    mesh.run(2)
    mesh.cut("a", "bcd")
    mesh.run(mesh.config.suspicion_max)
    assert bool(mesh.told("a", MemberSuspected)) == accuses


def test_own_loss_lengthens_suspicions() -> None:
    """A node that needs second tries often is slower to bury, for it may be the one to blame.

    [P88]
    """

    def burial(loss: float) -> float:
        mesh = Mesh("a", gossip_interval=30.0)
        x, y = mesh.puppets("x", "y")
        mesh["a"].stats.loss = loss
        mesh.rules["mute"] = lambda p: p.target == x.addresses[0]
        y.say("a", rows=wire.row(x.key, x.heartbeat, wire.SUSPECT))
        return mesh.until(lambda: held(mesh["a"], "x").status is Status.DEAD, within=20)

    assert burial(0.5) > burial(0.25) > burial(0.0)


def test_two_nodes_on_a_bad_network_do_not_bury_each_other() -> None:
    """Promise 2 in the small; the simulator does it at scale."""
    died: list[Any] = []
    for seed in range(4):
        mesh = Mesh("a", "b", "c", "d", "e", seed=seed)
        mesh.settle()
        mesh.lose(0.25)
        mesh.run(60)
        died += [event for name in mesh.names() for event in mesh.told(name, MemberDied)]
    assert died == []


@pytest.mark.parametrize("others", [2, 9, 99])
def test_a_sole_survivor_says_so_soon_and_gives_the_dead_up_together(others: int) -> None:
    """One probe an interval, whatever happened: of 100 the last left lookups after 77 s.

    And ``Isolated`` was said only once half of them were declared dead, after 76 s [P60, P92].
    """
    mesh = Mesh("a")
    names = [f"x{n}" for n in range(others)]
    for puppet in mesh.puppets(*names):
        puppet.say("a")
    mesh.run(20)
    mesh.crash(*names)
    began = mesh.now
    mesh.until(lambda: bool(mesh.told("a", Isolated)), within=6, step=0.1)
    assert mesh.told("a", Isolated)[0].vanished == others
    mesh.until(lambda: not mesh["a"].table.peers, within=12 - (mesh.now - began), step=0.1)
    assert len(mesh.told("a", Isolated)) == 1


def test_an_isolation_in_which_nobody_died_is_taken_back() -> None:
    """Cut off for five seconds: it is said, and taken back, and nobody is accused [P92]."""
    mesh = Mesh("a")
    names = [f"x{n}" for n in range(20)]
    puppets = mesh.puppets(*names)
    for puppet in puppets:
        puppet.say("a")
    mesh.run(20)
    mesh.cut(["a"], names)
    mesh.run(5.2)
    assert [event.active for event in mesh.told("a", Isolated)] == [True]
    mesh.heal()
    for puppet in puppets:  # as members do that learn of their suspicion
        puppet.heartbeat += 1
        puppet.say("a")
    mesh.run(3)
    assert [event.active for event in mesh.told("a", Isolated)] == [True, False]
    assert mesh.told("a", MemberDied) == []
