"""A rotation of keys over nodes that crash, restart, are away, cannot write, and lose datagrams."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cbor2
import pytest

from gossipmm.core.node import Node
from gossipmm.core.sealing.keyring import Key, Keyring
from gossipmm.core.values.events import ForeignTraffic, KeyRotation, KeyWanted, MemberDied
from gossipmm.core.values.rotation_state import MAX_TOLD, Phase, RotationState, Told, told_of
from gossipmm.core.values.stats import Drop
from gossipmm.errors import KeyringError, LimitError
from tests.core.sealed_mesh import NEW, OLD, OTHER, RING, SealedMesh
from tests.helpers import NodePair, dropped

FIVE = ("a", "b", "c", "d", "e")


@pytest.fixture
def five() -> SealedMesh:
    mesh = SealedMesh(*FIVE)
    mesh.settle()
    return mesh


def hears(mesh: SealedMesh, kid: str) -> bool:
    return all(kid in mesh.kids(name) for name in mesh.names())


def at_phase(mesh: SealedMesh, phase: Phase) -> Callable[[], bool]:
    return lambda: all(mesh.phase(name) is phase for name in mesh.names())


# -- by gossip ---------------------------------------------------------------------------------


def test_one_call_changes_the_key_of_all_and_nobody_is_lost(five: SealedMesh) -> None:
    five["c"].register("topic", "host", now=five.now)
    five["a"].keys.start(NEW, five.now)
    assert five.until(five.done) < 3
    five.run(5)
    for name in FIVE:
        assert five.kids(name) == ["02"]
        assert five.files[name].retired == (OLD,)
        assert [e.phase for e in five.told(name, KeyRotation)] == ["add", "use", "done"]
        assert not five.told(name, MemberDied)
        assert not dropped(five[name], Drop.RETIRED_KEY)
        assert not dropped(five[name], Drop.UNKNOWN_KEY)
        assert five[name].table.topics["topic"].picks == ("host",)
    assert five.agreed()


def test_the_key_is_in_no_datagram_event_page_or_trail_in_the_clear(five: SealedMesh) -> None:
    """[P118]."""
    five["a"].keys.start(NEW, five.now)
    five.until(five.done)
    assert not any(NEW.secret[:8] in packet.data for packet in five.sent)
    for name in FIVE:
        node = five[name]
        said = repr([*five.events[name], node.members(), node.keys.progress(five.now)])
        said += repr([node.why(other) for other in FIVE])
        assert repr(NEW.secret)[2:20] not in said
        assert NEW.secret.hex()[:16] not in said
        pages = [page for m in node.table.by_name.values() for page in m.pages.values()]
        assert not any(NEW.secret[:8] in page.raw for page in pages)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_loss_only_delays_it(seed: int) -> None:
    mesh = SealedMesh(*FIVE, seed=seed)
    mesh.settle()
    mesh.lose(0.4)
    mesh["b"].keys.start(NEW, mesh.now)
    mesh.until(mesh.done, within=60)
    mesh.heal()
    mesh.run(5)
    assert {tuple(mesh.kids(name)) for name in FIVE} == {("02",)}
    mesh.settle(within=30)


def test_who_is_down_gets_the_key_when_it_comes_back_in_time(five: SealedMesh) -> None:
    """[P118]."""
    five.crash("e")
    five.until(lambda: all(five.told(n, MemberDied) for n in five.names()))
    five["a"].keys.start(NEW, five.now)
    five.until(at_phase(five, Phase.USE))
    five.run(60)
    progress = five["b"].keys.progress(five.now)
    assert progress is not None
    assert [(m.name, m.live) for m in progress.waits_for] == [("e", False)]
    assert at_phase(five, Phase.USE)(), "the old key is kept for it"
    five.add("e")
    five.until(five.done, within=20)
    assert {tuple(five.kids(name)) for name in FIVE} == {("02",)}
    assert five.settle(within=20) < 20


def test_who_comes_back_too_late_is_reported_with_its_address(five: SealedMesh) -> None:
    five.crash("e")
    five.until(lambda: all(five.told(n, MemberDied) for n in five.names()))
    five["a"].keys.start(NEW, five.now, keep=30)
    five.until(five.done, within=60)
    told = [event for name in five.names() for event in five.told(name, KeyRotation)]
    assert {event.missing for event in told if event.phase == "done"} <= {(), ("e",)}
    assert ("e",) in {event.missing for event in told if event.phase == "done"}
    five.add("e")
    five.run(5)
    told_of = [e for name in "abcd" for e in five.told(name, ForeignTraffic)]
    assert told_of
    assert {(e.source, e.reason, e.kid) for e in told_of} == {
        (five.where["e"], "retired_key", "01")
    }
    assert five["e"].table.live_count() == 1
    # An intruder is another matter.
    five.files["x"] = Keyring((OTHER,))
    five.add("x")
    five.run(5)
    (stranger,) = {
        (e.source, e.reason, e.kid)
        for name in "abcd"
        for e in five.told(name, ForeignTraffic)
        if e.reason != "retired_key"
    }
    assert stranger == (five.where["x"], "unknown_key", "03")
    # Its operator copies the file of another node there.
    five.crash("x")
    five.reread("e", five.files["a"])
    five.settle(within=60)


def test_a_straggler_that_is_named_is_not_waited_for(five: SealedMesh) -> None:
    """[P117]."""
    five.crash("e")
    five.until(lambda: all(five.told(n, MemberDied) for n in five.names()))
    five["a"].keys.start(NEW, five.now)
    five.until(at_phase(five, Phase.USE))
    five["c"].keys.leave_behind(["e"], five.now)
    assert five.until(five.done) < 3


def test_a_live_member_that_cannot_write_its_file_holds_it_up_until_it_is_named(
    five: SealedMesh,
) -> None:
    five.full.add("d")
    five["a"].keys.start(NEW, five.now, keep=5)
    five.run(30)
    assert at_phase(five, Phase.ADD)()
    progress = five["a"].keys.progress(five.now)
    assert progress is not None
    assert [member.name for member in progress.waits_for] == ["d"]
    five.full.clear()  # room on its disk
    five.flush("d")
    assert five.until(five.done) < 3


def test_a_restart_at_any_moment_of_it_costs_nothing(five: SealedMesh) -> None:
    """[P116]."""
    for moment in (0.0, 0.01, 0.3, 0.52, 0.6, 1.0):
        mesh = SealedMesh(*FIVE)
        mesh.settle()
        mesh["a"].keys.start(NEW, mesh.now)
        mesh.flush("a")
        mesh.run(moment)
        mesh.crash("a", "c")
        mesh.run(0.05)
        mesh.add("a")
        mesh.run(2)
        mesh.add("c")
        mesh.until(mesh.done, within=30)
        mesh.settle(within=30)
        assert {tuple(mesh.kids(name)) for name in FIVE} == {("02",)}, moment
        assert not any(dropped(mesh[name], Drop.RETIRED_KEY) for name in FIVE), moment


def test_what_was_not_written_is_not_relied_on(five: SealedMesh) -> None:
    """The starter dies before its file was written: the rotation never was [P116]."""
    five.full.add("a")
    five["a"].keys.start(NEW, five.now)
    five.run(1)
    five.crash("a")
    five.full.clear()
    five.run(10)
    assert all(five.kids(name) == ["01"] for name in five.names())
    five.add("a")
    five.settle(within=30)
    assert five.kids("a") == ["01"]


def test_the_whole_cluster_may_restart_half_way(five: SealedMesh) -> None:
    five["a"].keys.start(NEW, five.now)
    five.until(at_phase(five, Phase.USE))
    five.crash(*FIVE)
    for name in FIVE:
        five.add(name, seeds=[five.where[other] for other in FIVE])
    five.until(five.done, within=30)
    five.settle(within=30)


@pytest.mark.parametrize("seed", range(1, 9))
@pytest.mark.parametrize("with_seeds", [True, False])
def test_who_restarts_half_way_waits_for_who_is_down(seed: int, with_seeds: bool) -> None:
    """A node that restarted took the rotation's last step although a member was down.

    Fingerprints leave the dead out: it had agreed with the others, and counted as joined, before
    it had heard of the dead member, so everybody that it knew was done. The old key was gone an
    hour too early, and the dead member locked out when it came back.
    """
    mesh = SealedMesh(*FIVE, seed=seed)
    mesh.settle()
    mesh.crash("e")
    mesh.until(lambda: all(mesh.told(n, MemberDied) for n in mesh.names()))
    mesh["a"].keys.start(NEW, mesh.now)
    mesh.until(at_phase(mesh, Phase.USE))
    mesh.crash("b")
    mesh.run(1)
    mesh.add("b", **({} if with_seeds else {"seeds": []}))
    mesh.run(20)
    assert at_phase(mesh, Phase.USE)(), "the old key is kept for e"
    assert "e" in {member.name for member in mesh["b"].members()}
    mesh.add("e")
    mesh.until(mesh.done, within=30)
    assert {tuple(mesh.kids(name)) for name in FIVE} == {("02",)}


def test_who_restarts_by_another_that_restarts_waits_for_who_is_down(five: SealedMesh) -> None:
    """Both had forgotten the dead member, and neither could tell the other of it."""
    five.crash("e")
    five.until(lambda: all(five.told(n, MemberDied) for n in five.names()))
    five["a"].keys.start(NEW, five.now)
    five.until(at_phase(five, Phase.USE))
    five.crash("a", "b", "c", "d")
    five.add("a", seeds=[])
    five.add("b", seeds=[five.where["a"]])
    five.add("c", seeds=[five.where["b"]])
    five.add("d", seeds=[five.where["c"]])
    five.run(20)
    assert at_phase(five, Phase.USE)()
    five.add("e")
    five.until(five.done, within=30)


def test_who_was_not_told_of_the_dead_yet_does_not_end_it(five: SealedMesh) -> None:
    """A newcomer makes up the number: counting alone would not show that somebody is missing.

    [P59]
    """
    five.crash("e")
    five.until(lambda: all(five.told(n, MemberDied) for n in five.names()))
    five["a"].keys.start(NEW, five.now)
    five.until(at_phase(five, Phase.USE))
    five.add("f")
    five.until(lambda: five.kids("f")[0] == "02")
    five.run(6)  # the death of e rides on exchanges no longer
    five.crash("b")
    five.run(1)
    b = five.add("b", seeds=[])
    b._parts.transfer.pull = lambda *_, **__: None  # its questions are lost, all of them
    b._parts.anti_entropy.send_digest = lambda _: None
    five.settle()
    five.run(5)
    assert b.member("e") is None
    assert at_phase(five, Phase.USE)()


def test_who_left_before_it_began_makes_up_for_nobody(five: SealedMesh) -> None:
    five.add("f")
    five.settle()
    five["f"].leave(five.now)
    five.run(1)
    five.crash("e", "f")
    five.until(lambda: all(five.told(n, MemberDied, "e") for n in five.names()))
    five["a"].keys.start(NEW, five.now)
    five.until(at_phase(five, Phase.USE))
    five["a"].forget("e", now=five.now)
    five.run(5)
    progress = five["a"].keys.progress(five.now)
    assert progress is not None
    assert (progress.missing, progress.waits_for) == (1, ())
    assert at_phase(five, Phase.USE)()


def test_a_newcomer_with_the_old_key_is_brought_along(five: SealedMesh) -> None:
    """[P119]."""
    five.crash("e")
    five.until(lambda: all(five.told(n, MemberDied) for n in five.names()))
    five["a"].keys.start(NEW, five.now)
    five.until(at_phase(five, Phase.USE))
    five.add("f")
    five.until(lambda: five.kids("f")[0] == "02")
    five.settle()


def test_a_node_alone_goes_through_it_but_half_of_a_split_does_not() -> None:
    mesh = SealedMesh("a")
    mesh["a"].keys.start(NEW, mesh.now)
    assert mesh.until(mesh.done) < 3
    pair = SealedMesh("a", "b")
    pair.settle()
    pair.cut("a", "b")
    pair["a"].keys.start(NEW, pair.now, keep=1)
    pair.run(60)
    assert pair.phase("a") is Phase.ADD
    progress = pair["a"].keys.progress(pair.now)
    assert progress is not None
    assert not progress.majority
    pair.heal()
    pair.until(pair.done, within=60)


def test_a_split_goes_on_in_its_larger_part_and_heals(five: SealedMesh) -> None:
    """[P117]."""
    five.cut("ab", "cde")
    five["a"].keys.start(NEW, five.now)
    five["c"].keys.start(OTHER, five.now)
    five.run(30)
    assert [five.phase(name) for name in FIVE] == [Phase.ADD] * 2 + [Phase.USE] * 3
    five.heal()
    five.until(five.done, within=90)
    assert {tuple(five.kids(name)) for name in FIVE} == {("03",)}
    five.settle(within=60)


def test_two_that_begin_at_once_end_as_one(five: SealedMesh) -> None:
    """[P114]."""
    five["a"].keys.start(NEW, five.now)
    five["e"].keys.start(OTHER, five.now)
    five.flush("a")
    five.flush("e")
    five.until(five.done, within=30)
    assert {tuple(five.kids(name)) for name in FIVE} == {("03",)}
    five["b"].keys.start(Key(b"\x04", bytes(range(4, 36))), five.now)
    five.run(0.1)
    five.until(five.done, within=30)
    assert {tuple(five.kids(name)) for name in FIVE} == {("04",)}


@pytest.mark.parametrize("phase", [Phase.ADD, Phase.USE])
def test_it_can_be_cancelled_until_the_old_key_is_gone(five: SealedMesh, phase: Phase) -> None:
    if phase is Phase.ADD:
        five.full.add("d")
    else:
        five.crash("e")
        five.until(lambda: all(five.told(n, MemberDied) for n in five.names()))
    five["a"].keys.start(NEW, five.now)
    five.run(5)
    assert five.phase("b") is phase
    five.full.clear()
    five["b"].keys.cancel(five.now)
    if phase is Phase.USE:
        five.add("e")
    five.run(1)
    five.until(five.done, within=30)
    assert {tuple(five.kids(name)) for name in five.names()} == {("01",)}
    five.settle(within=30)
    with pytest.raises(KeyringError, match="no rotation is under way"):
        five["b"].keys.cancel(five.now)


# -- out of band -------------------------------------------------------------------------------


def test_out_of_band_the_key_comes_from_each_file_and_never_by_gossip(five: SealedMesh) -> None:
    """[P118]."""
    for name in FIVE[:4]:
        five.reread(name, RING.add(NEW))
    five["a"].keys.start(NEW.kid, five.now, out_of_band=True)
    five.run(20)
    assert all(five.phase(name) is Phase.ADD for name in FIVE[:4])
    assert [event.kid for event in five.told("e", KeyWanted)] == ["02"]
    assert five["e"].keys.wanted == NEW.kid
    assert five.kids("e") == ["01"]
    five["e"].keys.add(NEW, five.now)
    assert five["e"].keys.wanted == b""
    assert five.until(five.done) < 3
    assert {tuple(five.kids(name)) for name in FIVE} == {("02",)}


def test_who_has_the_leaked_key_can_not_slip_in_another_one(five: SealedMesh) -> None:
    """An insider with the old key begins a rotation of its own, by gossip, with a higher epoch."""
    for name in FIVE:
        five.reread(name, RING.add(NEW))
    five.full.add("e")
    five["a"].keys.start(NEW.kid, five.now, out_of_band=True)
    five.run(2)
    forged = RotationState(99, 99, Phase.ADD, OTHER.kid, OLD.kid, False, 5, 1)
    for name in FIVE:
        five[name].keys.hear_key([forged.row(), OTHER.secret])
        five.flush(name)
    five.full.clear()
    five.flush("e")
    five.until(five.done, within=30)
    assert {tuple(five.kids(name)) for name in FIVE} == {("02",)}


def test_out_of_band_counts_more_than_a_rotation_by_gossip_that_is_under_way(
    five: SealedMesh,
) -> None:
    five.full.add("d")
    five["b"].keys.start(OTHER, five.now)
    five.run(3)
    for name in FIVE:
        ring = five[name].keys.ring
        assert ring is not None
        five.reread(name, ring.add(NEW))
    five["a"].keys.start(NEW.kid, five.now, out_of_band=True)
    five.full.clear()
    five.run(1)
    five.until(five.done, within=30)
    assert {tuple(five.kids(name)) for name in FIVE} == {("02",)}


# -- by hand -----------------------------------------------------------------------------------


def test_by_hand_nothing_is_done_that_would_cut_somebody_off(five: SealedMesh) -> None:
    keys = five["a"].keys
    keys.add(NEW, five.now)
    with pytest.raises(KeyringError, match="b, c, d, e would not understand this node"):
        keys.use(NEW.kid, five.now)
    for name in "bcde":
        five[name].keys.add(NEW, five.now)
    five.run(0.5)
    keys.use(NEW.kid, five.now)
    with pytest.raises(KeyringError, match="would no longer hear .*b, c, d, e"):
        keys.remove(OLD.kid, five.now)
    for name in "bcde":
        five[name].keys.use(NEW.kid, five.now)
    five.run(0.5)
    for name in FIVE:
        five[name].keys.remove(OLD.kid, five.now)
        five.run(0.5)
    assert {tuple(five.kids(name)) for name in FIVE} == {("02",)}
    assert not any(five.told(name, MemberDied) for name in FIVE)


def test_refusals_say_what_to_do(five: SealedMesh) -> None:
    keys = five["a"].keys
    with pytest.raises(KeyringError, match="key 01 is already the one that sends"):
        keys.start(OLD.kid, five.now)
    with pytest.raises(KeyringError, match="there is no key 09: there is 01"):
        keys.start(b"\x09", five.now, out_of_band=True)
    with pytest.raises(KeyringError, match="no rotation is under way"):
        keys.leave_behind(["b"], five.now)
    five.full.add("d")
    keys.start(NEW, five.now)
    five.run(1)
    with pytest.raises(KeyringError, match="from 01 to 02 is under way: let it end, or cancel it"):
        five["b"].keys.start(OTHER, five.now)
    with pytest.raises(KeyringError, match="a rotation is under way"):
        keys.use(NEW.kid, five.now)
    with pytest.raises(KeyringError, match="no member is called nobody"):
        keys.leave_behind(["nobody"], five.now)
    with pytest.raises(KeyringError, match="a is this node"):
        keys.leave_behind(["a"], five.now)


def test_a_node_without_keys_has_none() -> None:
    pair = NodePair()
    assert pair.a.keys.ring is None
    assert pair.a.keys.progress(pair.now) is None
    assert not pair.a.keys.unsaved
    with pytest.raises(KeyringError, match="started without a keyring"):
        pair.a.keys.start(NEW, pair.now)


def test_room_in_page_zero_is_kept_for_the_most_that_can_be_told() -> None:
    kids = tuple(bytes((n, 0, 0, 0)) for n in range(8))
    most = (1 << 31) - 1
    register = RotationState(most, most, Phase.DONE, kids[0], kids[1], False, most, most)
    row = Told(kids, register).row()
    assert told_of(row) == Told(kids, register)
    assert len(cbor2.dumps(row)) == MAX_TOLD


def test_a_page_that_could_not_hold_the_ids_is_refused_at_the_start() -> None:
    metadata = {"m": "x" * 300}
    with pytest.raises(LimitError, match="more than the 400 allowed"):
        SealedMesh("a", metadata=metadata)


# -- what others may say -----------------------------------------------------------------------

ROW = RotationState(0, 1, Phase.ADD, b"\x02", b"\x01", False, 5, 60).row()


@pytest.mark.parametrize(
    ("index", "value"),
    [
        (0, -1),
        (1, 0),
        (1, 1 << 31),
        (1, True),
        (2, 0),
        (2, 4),
        (3, b""),
        (3, b"12345"),
        (4, "01"),
        (5, 1),
        (6, None),
        (7, 1.5),
    ],
)
def test_a_register_out_of_range_is_nothing(five: SealedMesh, index: int, value: Any) -> None:
    five["a"].keys.hear_key([[*ROW[:index], value, *ROW[index + 1 :]], NEW.secret])
    assert five.phase("a") is Phase.DONE
    assert five.kids("a") == ["01"]


def test_a_key_that_is_none_is_not_taken(five: SealedMesh) -> None:
    for secret in (b"", b"short", bytes(32), bytes(33)):
        five["a"].keys.hear_key([ROW, secret])
        assert five.kids("a") == ["01"]
    five["a"].keys.hear_key([[*ROW, "of a later version"], NEW.secret])
    assert five.kids("a") == ["01", "02"]


def test_a_keyring_from_a_file_keeps_the_higher_register(five: SealedMesh) -> None:
    five["a"].keys.start(NEW, five.now)
    five.until(five.done)
    node: Node = five["a"]
    held = node.keys.ring
    assert held is not None
    old_file = Keyring((NEW, OTHER))
    five.reread("a", old_file)
    assert node.keys.ring == replace(old_file, rotation=held.rotation)
