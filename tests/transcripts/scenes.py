"""The exchanges on record. Each scene's docstring heads its transcript; README.md walks through.

A scene is as small as the exchange that it shows, and fixed in everything: seed, latency, times.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gossipmm.core.values import events
from gossipmm.core.values.types import Status
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.frame import TRY
from gossipmm.core.wire.pages import page_untrusted
from tests.core.sealed_mesh import NEW, OLD, SealedMesh
from tests.helpers import Mesh, held, picks
from tests.transcripts.tape import Tape

__all__ = ("SCENES",)

#: Name of the file -> the scene.
SCENES: dict[str, Callable[[], Tape]] = {}


def scene(function: Callable[[], Tape]) -> Callable[[], Tape]:
    """Put a scene on the list, in order."""
    name = f"{len(SCENES) + 1:02}-{function.__name__.replace('_', '-')}"
    SCENES[name] = function
    return function


def settled(*names: str, **fields: Any) -> Mesh:
    """Nodes that know each other and have nothing left to tell."""
    mesh = Mesh(*names, **fields)
    mesh.settle()
    mesh.run(8)
    return mesh


def only_news(_: str, __: str, frame: wire.Frame) -> bool:
    """Show what wants no answer."""
    return frame.kind == wire.NEWS


@scene
def join_by_a_seed() -> Tape:
    """Node c knows the address of a and nothing else.

    Its join probe shows its page 0 [P79]. a asks nothing back: it pushes the newcomer on
    [P72], and proves c's address before it serves the bulk transfer that c asks for [P96,
    P58]. c has joined when that is complete [P80].
    """
    mesh = Mesh("a", "b")
    mesh["a"].register("compute", "gpu-1", now=mesh.now)
    mesh.settle()
    mesh.run(8)
    tape = Tape(mesh)
    tape.begin("c starts; its only seed is the address of a")
    mesh.add("c")
    mesh.run(0.005)
    assert mesh["c"].table.joined
    assert picks(mesh["c"], "compute") == ("gpu-1",)
    return tape


@scene
def a_registration_spreads() -> Tape:
    """One page goes to `fanout` (here 2) peers at once, and to two others 15 ms later.

    Whoever finds it new does the same [P72]; whoever has it says nothing. The row beside the
    page is the owner's heartbeat [P23].
    """
    mesh = settled("a", "b", "c", "d", "e", "f", fanout=2)
    tape = Tape(mesh)
    tape.show, tape.once = only_news, True
    tape.begin("a program registers compute=gpu-1 at a")
    mesh["a"].register("compute", "gpu-1", now=mesh.now)
    mesh.run(0.1)
    assert all(picks(mesh[name], "compute") == ("gpu-1",) for name in "abcdef")
    return tape


@scene
def a_crash_is_found_out() -> Tape:
    """Node d dies without a word: tries of one probe, helpers, suspicion, death.

    The probe is sent again after 25, 75, 175, 200 and 350 ms, with helpers at 200 [P65, P67].
    When it ends the member is suspected [P27]: the claim is pushed with its accusers [P30],
    others ask for themselves [P39], and with all the accusers that can be expected each
    declares it dead after `suspicion_min` [P32], by its own timer [P34].
    """
    mesh = settled("a", "b", "c", "d")
    dead = mesh["d"].addresses[0]
    key = held(mesh["a"], "d").key
    tape = Tape(mesh)

    def about_it(sender: str, to: str, frame: wire.Frame) -> bool:
        if frame.kind == wire.SYN:
            return to == "d" and (sender == first or not frame.probe & TRY)
        rows = list(wire.rows_in(frame.rows))
        about = any(row[0] == key for row in rows) and (to != "d" or len(rows) == 1)
        return frame.options.get(wire.OPT_TARGET) == key or (about and frame.kind == wire.NEWS)

    tape.show, tape.once, tape.terse = about_it, True, True
    mesh.crash("d")
    mesh.until(lambda: mesh.sent[-1].target == dead, step=0.0001)
    tape.begin("d has been gone for a moment")
    first = tape.label(mesh.sent[-1].source)
    tape.catch_up(mesh.sent[-1])
    mesh.until(lambda: all(held(mesh[n], "d").status is Status.DEAD for n in "abc"), step=0.01)
    return tape


@scene
def accusations_are_refuted() -> Tape:
    """Two accusations of x: a stale one, and one at its present heartbeat.

    The first dies at the node that knows better: it answers with the fresher row and tells
    nobody [P28]. The second counts; the accused hears of it with the next datagram [P37],
    raises its heartbeat and says so, and whoever finds that new tells it on [P38, P33].
    """
    mesh = settled("a", "b", "x")
    (y,) = mesh.puppets("y")
    mesh.run(0.3)
    tape = Tape(mesh)
    tape.show = only_news
    beat, key = held(mesh["a"], "x").k, held(mesh["a"], "x").key
    tape.begin(f"a holds x alive at {beat}; y accuses it at {beat - 1}")
    y.say("a", rows=wire.row(key, beat - 1, wire.SUSPECT))
    mesh.run(0.05)
    tape.note(f"y accuses it at {mesh['x'].heartbeat}, its present heartbeat")
    y.say("a", rows=wire.row(key, mesh["x"].heartbeat, wire.SUSPECT))
    mesh.run(0.03)
    assert held(mesh["a"], "x").status is Status.ALIVE
    return tape


@scene
def a_restart_supersedes() -> Tape:
    """Node c crashes and is back after 0.2 s, before anybody noticed, at its old address.

    The new life has a higher generation: as soon as its page 0 is heard of, what the old one
    had registered is gone, in one event for old and new [P15]. It joins as any newcomer does
    [P79], but its address is proved already, so that the transfer does not wait for that
    [P96].
    """
    mesh = Mesh("a", "b", "c")
    mesh["c"].register("compute", "gpu-1", now=mesh.now)
    mesh.settle()
    mesh.run(8)
    tape = Tape(mesh)
    address = mesh["c"].addresses[0]
    mesh.crash("c")
    mesh.run(0.2)
    tape.once = tape.terse = True
    tape.begin("c starts again, with nothing registered yet")
    node = mesh.add("c", address=address)
    mesh.run(0.006)
    tape.note("its program registers compute=gpu-2")
    node.register("compute", "gpu-2", now=mesh.now)
    mesh.run(0.003)
    assert picks(mesh["a"], "compute") == picks(mesh["b"], "compute") == ("gpu-2",)
    return tape


@scene
def a_graceful_leave() -> Tape:
    """Node c leaves: its page 0 says so, in a SYN to each peer, so that each can confirm it.

    One of them is lost and said again after 50 ms [P83]. That c left is nobody's word but its
    own [P84]; whoever finds the page new pushes it on [P72].
    """
    mesh = settled("a", "b", "c")
    tape = Tape(mesh)
    tape.once = tape.terse = True
    tape.show = lambda _, __, frame: frame.kind == wire.NEWS or tape.about("c", frame)
    target = mesh["b"].addresses[0]
    mesh.rules["first"] = lambda p: p.target == target and p.at < mesh.now + 0.01
    tape.begin("c leaves")
    mesh["c"].leave(mesh.now)
    mesh.run(0.001)
    mesh.heal()
    mesh.run(0.06)
    assert mesh["c"].left
    assert all(held(mesh[name], "c").status is Status.LEFT for name in "ab")
    return tape


@scene
def return_from_the_dead() -> Tape:
    """Node c was cut off for 5 s, is held dead, and speaks again.

    What it sends raises its heartbeat, but may be a recording: it makes c returning at most,
    and starts a probe at once. The answer is evidence younger than the burial [P42, P41]. The
    first datagram to c begins with what is held of it, so that it can refute [P37, P38].
    """
    mesh = Mesh("a", "b", "c")
    mesh["c"].register("compute", "gpu-1", now=mesh.now)
    mesh.settle()
    mesh.cut("ab", "c")
    mesh.run(5)
    assert all(held(mesh[name], "c").status is Status.DEAD for name in "ab")
    tape = Tape(mesh)
    tape.once = tape.terse = True
    tape.show = lambda _, to, frame: tape.about("c", frame) or to == "c"
    tape.begin("the cut heals; c holds a and b dead, as they hold c")
    mesh.heal()
    mesh.until(lambda: all(picks(mesh[n], "compute") == ("gpu-1",) for n in "ab"), step=0.001)
    return tape


@scene
def a_split_heals() -> Tape:
    """Nodes a and b, and c alone, were parted for 14 s, and each side has a change.

    Each tries the dead of the other now and then [P44]. One answer is enough: that a member
    returned is told on [P41]. The pages that changed meanwhile are found by comparing
    fingerprints [P53], and the digest names what differs [P54, P55]; WANT asks for it [P56].
    """
    mesh = settled("a", "b", "c")
    mesh.cut("ab", "c")
    mesh.run(7)
    mesh["a"].register("compute", "gpu-1", now=mesh.now)
    mesh["c"].register("compute", "gpu-3", now=mesh.now)
    mesh.run(7)
    tape = Tape(mesh)
    tape.once = tape.terse = True
    tape.show = lambda sender, to, _: "c" in (sender, to)
    tape.begin("the cut heals; not shown: what a and b say to each other")
    mesh.heal()
    both = ("gpu-1", "gpu-3")
    mesh.until(lambda: all(picks(mesh[n], "compute") == both for n in "bc"), step=0.001)
    return tape


@scene
def a_bulk_transfer() -> Tape:
    """Node b joins a, which has 350 registrations in 14 pages.

    First pages of all members come first, in bursts of at most 12 datagrams; the last one of a
    burst says where the transfer stands, and the receiver asks for more from there [P58].
    Nothing of it is pushed on: it is marked [P57].
    """
    mesh = Mesh("a", "z")
    for number in range(350):
        mesh["a"].register("compute", f"a-host-with-a-long-name-{number:04}", now=mesh.now)
    mesh.settle()
    mesh.run(8)
    tape = Tape(mesh)
    tape.show = lambda sender, to, _: {sender, to} == {"a", "b"}
    tape.tell = lambda _, event: not isinstance(event, events.HostChanged)
    tape.begin("b starts; its only seed is the address of a")
    mesh.add("b")
    mesh.until(lambda: mesh["b"].table.joined, step=0.0001)
    assert len(picks(mesh["b"], "compute")) == 350
    return tape


@scene
def one_name_twice() -> Tape:
    """Somebody starts another node called b, at another address.

    The younger life counts for all others [P15]. The older one is shown its page 0, and both
    say that there is a conflict, with both addresses [P120]. From then on the older one asks
    once an interval whether the other one lives [P121].
    """
    mesh = settled("a", "b")
    tape = Tape(mesh)
    tape.once = tape.terse = True
    tape.begin("another b starts (B, life b#2), with a as its seed")
    mesh.add("B", node_name="b")
    mesh.until(lambda: bool(mesh.told("B", events.NameConflict)), step=0.001)
    mesh.run(0.002)
    return tape


@scene
def a_stranger_is_challenged() -> Tape:
    """With keys: b does not know the boot id of c, nor whether c is at that address.

    Genuine or not, it may be a recording: b remembers nothing of it and sends a challenge,
    which names it and has a cookie. c says it again, with the cookie: both have proved
    themselves, and from then on mark what they send with the other's boot id [P111, P110].
    """
    mesh = SealedMesh("b")
    mesh.run(2)
    tape = Tape(mesh, keys=(OLD,))
    tape.begin("c starts; its only seed is the address of b")
    mesh.add("c")
    mesh.run(0.003)
    assert mesh["c"].table.joined
    return tape


@scene
def a_key_is_rotated() -> Tape:
    """The key 01 is replaced by 02 on three nodes that nobody coordinates.

    The register and the ids of the keys that each has written to its file travel in page 0
    [P114, P116]. The new key goes straight to who tells that it lacks it [P118]. Once all hold
    it one of them raises the phase to use, and once all send with it, to done [P117, P115].
    """
    mesh = SealedMesh("a", "b", "c")
    mesh.settle()
    mesh.run(8)
    tape = Tape(mesh, keys=(OLD, NEW))
    tape.once, tape.marks = True, False
    tape.tell = lambda _, event: isinstance(event, events.KeyRotation | events.KeysChanged)
    tape.show = lambda sender, _, frame: (
        wire.OPT_KEY in frame.options
        or any(page_untrusted(raw).name == sender for raw in frame.options.get(wire.OPT_PAGES, ()))
    )
    tape.begin("the operator has a rotate to a new key; not shown: what is passed on")
    mesh["a"].keys.start(NEW, mesh.now)
    mesh.flush("a")
    mesh.until(mesh.done)
    assert [mesh.kids(name) for name in "abc"] == [["02"]] * 3
    return tape


@scene
def a_closed_life_is_told() -> Tape:
    """Nodes a and b, and x and y, were parted for longer than `reap_after` (here 10 s).

    Each half has closed the lives of the other, and forgotten who that was; but a is a seed of
    x [P78]. a tells x the floor in its answer [P48]. That counts although x does not know a,
    since it answers a question of x's and is about x's own name. x takes a generation above it
    and joins with that [P49, P18]; what it registered comes along.
    """
    mesh = Mesh("a", "b", "x", "y", reap_after=10.0)
    mesh["x"].register("compute", "gpu-1", now=mesh.now)
    mesh.settle()
    tape = Tape(mesh)
    mesh.cut("ab", "xy")
    mesh.run(16)
    assert {event.name for event in mesh.told("a", events.MemberReaped)} == {"x", "y"}
    tape.once = tape.terse = True
    tape.show = lambda sender, to, _: {sender, to} == {"a", "x"}
    tape.tell = lambda label, _: label in "ax"
    tape.begin("the cut heals; shown: what a and x say to each other")
    mesh.heal()
    mesh.until(lambda: picks(mesh["a"], "compute") == ("gpu-1",), within=60, step=0.001)
    return tape
