"""Back from the dead [P41, P45]: on fresh evidence only, and not too often."""

from __future__ import annotations

from typing import Any

import pytest

from gossipmm.core.values.events import MemberReturned, ProbationEnded
from gossipmm.core.values.types import Registration, Status, StatusReason
from gossipmm.core.wire import frame as wire
from tests.helpers import LATENCY, Mesh, held, picks
from tests.puppets import Puppet


class Grave:
    """Node ``a``; x, who serves topic t and dies; y and z, who talk of it."""

    def __init__(self, **fields: Any) -> None:
        self.mesh = Mesh("a", **fields)
        self.node = self.mesh["a"]
        self.x = self.mesh.puppet("x").introduce("a", entries=[Registration("t", "h")])
        self.y, self.z = self.mesh.puppets("y", "z")
        self.mesh.run(1)

    def status(self) -> Status:
        return held(self.node, "x").status

    def die(self) -> None:
        """Keep x silent until ``a`` has buried it."""
        self.x.answers = False
        beat = held(self.node, "x").k
        self.z.say("a", rows=wire.row(self.x.key, beat, wire.SUSPECT))
        self.mesh.until(lambda: self.status() is Status.DEAD, within=15)

    def tell_alive(self, reporter: Puppet, above: int, age: float) -> None:
        """A reporter knows x at a heartbeat so far above all, on evidence of that age."""
        member = held(self.node, "x")
        beat = max(member.maxima) + above
        reporter.say("a", rows=wire.row(self.x.key, beat, wire.ALIVE, wire.age_up(age)))

    def come_back(self) -> None:
        """Let x speak and answer again."""
        self.x.answers = True
        self.x.heartbeat = max(held(self.node, "x").maxima) + 1
        self.x.say("a")
        self.mesh.run(4 * LATENCY)
        if self.status() is Status.RETURNING:
            self.mesh.run(1.0)  # the dead had just been tried once more, in vain: it is asked anew


def test_a_bystander_with_an_older_higher_heartbeat_resurrects_nobody() -> None:
    """It was cut off, knows more heartbeats than we do, and heard them before the burial here.

    [P41]
    """
    grave = Grave()
    grave.die()
    grave.mesh.run(5)
    grave.tell_alive(grave.y, 40, age=6.0)
    assert grave.status() is Status.RETURNING
    assert picks(grave.node, "t") == ()
    for _ in range(40):  # however often it is told
        grave.tell_alive(grave.y, 1, age=30.0)
        grave.mesh.run(0.25)
    assert grave.status() is Status.RETURNING
    assert grave.mesh.told("a", MemberReturned) == []


def test_told_of_evidence_younger_than_the_burial_this_node_asks_and_the_answer_counts() -> None:
    """[P41, P138]."""
    grave = Grave()
    grave.die()
    grave.mesh.run(5)
    grave.x.answers = True
    grave.tell_alive(grave.y, 1, age=1.0)
    grave.mesh.run(1.0)
    assert grave.status() is Status.ALIVE
    assert picks(grave.node, "t") == ("h",)
    assert [event.name for event in grave.mesh.told("a", MemberReturned)] == ["x"]


def test_after_a_jump_of_the_clock_a_burial_is_not_held_for_older_than_it_may_be() -> None:
    """A clock jumped by 68 s: evidence of 13 s ago looked younger than a burial of 11 s ago.

    A host that was taken from a snapshot, or suspended: only the clock says how long it was away
    (``sim run swarm --seed 20489``). The dead have to answer then [P43].
    """
    grave = Grave()
    grave.die()
    grave.mesh.run(5)
    grave.mesh.now += 68
    grave.mesh.run(3)
    grave.tell_alive(grave.y, 1, age=20.0)
    assert grave.status() is Status.RETURNING
    grave.x.answers = True
    grave.tell_alive(grave.y, 1, age=2.0)
    grave.mesh.run(5.0)  # it is asked as soon as its turn has come again [P42]
    assert grave.status() is Status.ALIVE


def test_a_burial_is_never_in_the_future() -> None:
    """A stopped node that read before it served its timers moved burials by its lateness each time.

    A member that was well answered every probe and did not return for minutes
    (``sim run swarm --seed 26663``) [P43].
    """
    grave = Grave()
    grave.die()
    grave.mesh.now += 30
    for _ in range(4):
        grave.y.say("a")
        grave.mesh.now += 0.6
    grave.come_back()
    grave.mesh.run(1)
    assert grave.status() is Status.ALIVE


def test_what_another_says_of_the_time_of_death_does_not_make_stale_evidence_young() -> None:
    """Story: "the larger age wins", for all to forget a record together, moved the burial too.

    Then evidence that was older than the burial here, but younger than another's, raised the dead.
    """
    grave = Grave()
    grave.die()
    grave.mesh.run(2)
    d = held(grave.node, "x").d
    grave.z.say("a", rows=wire.row(grave.x.key, d, wire.DEAD, wire.age_down(600.0)))
    grave.tell_alive(grave.y, 5, age=60.0)
    assert grave.status() is Status.RETURNING


def test_one_held_dead_has_to_answer_our_own_probe() -> None:
    """Its datagram may be a replay; nobody else can be asked to play the answer [P42]."""
    grave = Grave()
    grave.die()
    grave.x.heartbeat += 50
    for kind in (wire.NEWS, wire.ACK, wire.SYN):
        replies = grave.x.say("a", kind, probe=5)
        assert grave.status() is Status.RETURNING
        questions = [p for p in replies if p.frame.kind == wire.SYN]
        assert len(questions) == (kind == wire.NEWS)  # one is on its way already
    grave.x.answers = True
    grave.x.say("a", wire.ACK, probe=grave.x.heard[-1].probe + 8)  # of no question of ours
    assert grave.status() is Status.RETURNING
    grave.mesh.run(1)
    assert grave.status() is Status.ALIVE


def test_an_old_datagram_of_the_dead_does_not_bring_it_back() -> None:
    """Scenario dead_not_resurrected_by_replay, in the small.

    Story: a datagram that brought its sender's own row, as pushes of its pages do, was taken for
    evidence of just now.
    """
    mesh = Mesh("a", "b", "c")
    mesh.settle()
    mesh["c"].register("t", "h", now=mesh.now)
    mesh.run(2)
    mesh.cut("c", "ab", both=False)
    mesh.run(1)
    kept = [p for p in mesh.lost if p.target == mesh["a"].addresses[0]]
    mesh.crash("c")
    mesh.until(lambda: held(mesh["a"], "c").status is Status.DEAD, within=15)
    for _ in range(10):
        for packet in kept:
            mesh.deliver(packet.data, packet.source, "a")
            mesh.run(0.1)
    assert held(mesh["a"], "c").status in (Status.DEAD, Status.RETURNING)
    assert picks(mesh["a"], "t") == picks(mesh["b"], "t") == ()
    assert mesh.told("a", MemberReturned) == []


def test_what_the_dead_say_of_themselves_is_no_evidence_of_just_now() -> None:
    """It proves that it was sent once: it may be a replay [P25]."""
    grave = Grave()
    grave.die()
    grave.x.heartbeat = max(held(grave.node, "x").maxima) + 1
    grave.x.say("a")
    assert grave.status() is Status.RETURNING
    for _ in range(3):
        grave.x.say("a", rows=wire.row(grave.x.key, grave.x.heartbeat, wire.ALIVE, 0))
        assert grave.status() is Status.RETURNING


def test_a_datagram_that_was_overtaken_brings_no_evidence() -> None:
    """Its claims are as old as nobody knows; it may be a replay of yesterday's [P25]."""
    grave = Grave()
    grave.die()
    late = max(held(grave.node, "x").maxima) + 1
    grave.y.heartbeat += 10
    grave.y.say("a")
    rows = wire.row(grave.x.key, late, wire.ALIVE, 0)
    grave.y.say("a", heartbeat=grave.y.heartbeat - 1, rows=rows)
    assert grave.status() is Status.RETURNING


def test_a_datagram_of_an_earlier_life_brings_no_evidence() -> None:
    """Of a stranger nothing is known, not even that it has not been superseded [P25]."""
    grave = Grave()
    grave.die()
    stranger = grave.mesh.puppet("y2")
    grave.tell_alive(stranger, 1, age=0.0)
    assert grave.status() is Status.RETURNING
    grave.tell_alive(stranger, 0, age=0.0)
    assert grave.status() is Status.RETURNING


def test_one_that_may_be_returning_is_probed_by_about_six_of_all() -> None:
    """[P42]."""
    grave = Grave()
    grave.die()
    grave.x.heard.clear()
    grave.tell_alive(grave.y, 5, age=60.0)
    grave.mesh.run(2 * LATENCY)
    assert [frame.kind for frame in grave.x.heard] == [wire.SYN]  # N is below six: each one does
    grave.x.answers = True
    grave.mesh.run(2)
    assert grave.status() is Status.ALIVE


@pytest.mark.parametrize("seed", range(4))
def test_one_held_dead_that_speaks_is_asked_for_certain(seed: int) -> None:
    """However many others there are: nobody else need do so [P42]."""
    grave = Grave(seed=seed)
    grave.mesh.puppets(*(f"w{index}" for index in range(300)))
    grave.die()
    grave.x.heard.clear()
    grave.x.answers = True
    grave.x.say("a")
    grave.mesh.run(4 * LATENCY)
    assert [frame.kind for frame in grave.x.heard][:1] == [wire.SYN]
    assert grave.status() is Status.ALIVE


def test_the_dead_are_tried_again_for_ever_and_seldom() -> None:
    """So that a split heals by itself; with bounded traffic to one address [P44]."""
    mesh = Mesh("a", reap_after=7200.0)
    (x, *_) = mesh.puppets("x", "y", "z", "w")
    x.answers = False
    mesh.until(lambda: held(mesh["a"], "x").status is Status.DEAD, within=20)
    mesh.run(700)
    x.heard.clear()
    mesh.run(600)
    assert 1 <= len(x.heard) <= 60
    x.answers = True
    x.heartbeat += 1
    mesh.until(lambda: held(mesh["a"], "x").status is Status.ALIVE, within=900, step=1.0)


# -- flap damping ------------------------------------------------------------------------------


def flapping(times: int, **fields: Any) -> Grave:
    grave = Grave(**fields)
    for _ in range(times):
        grave.die()
        grave.come_back()
    return grave


def test_who_is_dead_speaks_and_does_not_answer_is_asked_less_and_less_often() -> None:
    """Ten deaf hosts of 100 had each of their seeds send 117 datagrams a second [P42]."""
    grave = Grave()
    grave.die()
    grave.mesh.sent.clear()
    for _ in range(300):
        grave.x.heartbeat += 1
        grave.x.say("a")
        grave.mesh.run(0.1)
    asked = [
        p
        for p in grave.mesh.sent
        if p.target == grave.x.addresses[0] and p.frame.kind == wire.SYN and p.frame.target
    ]
    assert 6 < len(asked) < 40  # 300 it was; the rest is the dead being tried by chance
    grave.x.answers = True
    grave.mesh.until(lambda: grave.status() is Status.ALIVE, within=5)


def test_the_first_returns_count_at_once() -> None:
    """[P45]."""
    grave = flapping(2)
    assert grave.status() is Status.ALIVE
    assert picks(grave.node, "t") == ("h",)
    returned = grave.mesh.told("a", MemberReturned)
    assert [(event.returns, event.probation) for event in returned] == [(1, 0.0), (2, 0.0)]


def test_later_ones_bring_probation_known_and_probed_and_in_no_lookup() -> None:
    """Route flap damping: a half-broken host neither takes calls nor keeps the cluster talking.

    [P26, P45]
    """
    grave = flapping(3)
    config = grave.mesh.config
    assert grave.status() is Status.PROBATION
    assert picks(grave.node, "t") == ()
    wait = grave.mesh.told("a", MemberReturned)[-1].probation
    assert wait == min(2.0**3, config.probation_max)
    view = grave.node.member("x")
    assert view is not None
    assert (view.reason, view.returns) == (StatusReason.RETURNS, 3)
    assert grave.node.stats.probations == 1
    grave.x.heard.clear()
    grave.mesh.run(wait - 1)
    assert any(frame.kind == wire.SYN for frame in grave.x.heard)
    assert grave.status() is Status.PROBATION
    grave.mesh.run(1.1)
    assert grave.status() is Status.ALIVE
    assert picks(grave.node, "t") == ("h",)
    assert [event.name for event in grave.mesh.told("a", ProbationEnded)] == ["x"]


def test_a_suspicion_that_is_refuted_starts_the_probation_anew() -> None:
    """It ends when the member was reachable without a break for that long [P45]."""
    grave = flapping(3)
    wait = grave.mesh.told("a", MemberReturned)[-1].probation
    grave.mesh.run(wait / 2)
    beat = held(grave.node, "x").k
    grave.y.say("a", rows=wire.row(grave.x.key, beat, wire.SUSPECT))
    grave.mesh.run(wait / 2 + 1)
    assert grave.status() is Status.PROBATION
    grave.mesh.run(wait / 2)
    assert grave.status() is Status.ALIVE


def test_one_on_probation_may_die_and_its_word_against_others_does_not_count() -> None:
    grave = flapping(3)
    beat = held(grave.node, "y").k
    grave.x.say("a", rows=wire.row(grave.y.key, beat, wire.SUSPECT))
    assert held(grave.node, "y").status is Status.ALIVE
    grave.die()
    assert grave.status() is Status.DEAD
    grave.come_back()
    assert grave.mesh.told("a", MemberReturned)[-1].returns == 4


def test_the_comings_and_goings_of_a_flapping_member_are_no_news() -> None:
    """They ride on exchanges as rows [P45]."""
    grave = flapping(3)
    pushed = grave.node.stats.broadcasts_pushed
    grave.die()
    before_return = grave.node.stats.broadcasts_pushed
    grave.come_back()
    assert grave.node.stats.broadcasts_pushed == before_return
    assert before_return - pushed <= 4  # the suspicion is news, twice pushed; the death is not


def test_returns_are_forgotten_after_the_window() -> None:
    grave = flapping(2, flap_window=60.0)
    grave.mesh.run(70)
    grave.die()
    grave.come_back()
    assert grave.status() is Status.ALIVE
    assert grave.mesh.told("a", MemberReturned)[-1].returns == 1


# -- a split -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_two_halves_find_each_other_again_with_no_operator(seed: int) -> None:
    """Promise 5: the dead are retried; fresh evidence brings all of them back at once [P44]."""
    mesh = Mesh(*"abcdefgh", seed=seed)
    mesh.settle()
    mesh["b"].register("t", "h", now=mesh.now)
    mesh.run(1)
    mesh.cut("abcd", "efgh")
    mesh.run(10)
    mesh["a"].register("u", "h", now=mesh.now)
    mesh["b"].unregister("t", "h", now=mesh.now)
    mesh.run(20)
    dead = [held(mesh[one], other).status for one in "abcd" for other in "efgh"]
    assert set(dead) == {Status.DEAD}
    mesh.heal()
    assert mesh.settle() < 5.0
    for name in "efgh":
        assert picks(mesh[name], "u") == ("h",)
        assert mesh[name].table.topic("t") is None


def test_a_backlog_read_after_a_pause_resurrects_nobody() -> None:
    """A process that stood still reads what came meanwhile: its "0.1 s ago" was seconds ago.

    Found by a campaign: a host that was 85 ms a datagram slow read a queue of ten seconds, and
    took a dead member back into its lookups on evidence from before the death [P89].
    """
    grave = Grave()
    grave.die()
    node, mesh = grave.node, grave.mesh
    pause = 4 * node.config.gossip_interval
    mesh.now += pause  # nobody called the node meanwhile, and its timers are overdue
    grave.tell_alive(grave.y, 1, age=0.1)
    assert grave.status() is Status.RETURNING


def test_the_death_of_somebody_never_heard_alive_here_counts_from_when_it_happened() -> None:
    """A fresh node kept nothing of "dead, half a second ago", and a late datagram revived the dead.

    It was back in everybody's lookups for 0.6 s (``gossipmm-sim run swarm --seed 900511``, five
    hosts) [P35, P41].
    """
    mesh = Mesh("a")
    x = mesh.puppet("x")
    (y,) = mesh.puppets("y")
    pages = [x.page_zero(), x.page(1, Registration("t", "h"))]
    y.say("a", rows=wire.row(x.key, 9, wire.DEAD, wire.age_up(0.5)), pages=pages)
    assert held(mesh["a"], "x").status is Status.DEAD
    x.answers = False
    x.heartbeat = 12
    x.say("a", wire.SYN, probe=8)  # sent before it died, and on its way until now
    mesh.run(2)
    assert held(mesh["a"], "x").status in (Status.DEAD, Status.RETURNING)
    assert picks(mesh["a"], "t") == ()
