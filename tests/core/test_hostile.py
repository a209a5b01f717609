"""Bad datagrams (issue 2, "Bad input"): counted by reason, no reply, no change, no exception."""

from __future__ import annotations

import random

import cbor2
import pytest

from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import Address, Registration
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import MAX_PAGE
from tests.helpers import Mesh, dropped, key_of
from tests.invariants import check_node
from tests.puppets import datagram

ATTACKER: Address = ("192.0.2.66", 666)


def scene() -> Mesh:
    mesh = Mesh("a", "b")
    mesh["a"].register("t", "h", {"m": 1}, now=mesh.now)
    mesh["b"].register("t", "i", now=mesh.now)
    mesh.settle()
    mesh.run(2)
    return mesh


def picture(mesh: Mesh) -> tuple[object, ...]:
    """All that a reader, a program or another node can see of node ``a``."""
    node = mesh["a"]
    members = tuple(member._replace(heard=0.0) for member in node.members())
    views = {topic: id(view) for topic, view in node.table.topics.items()}
    return members, views, node.table.fingerprint, node.generation, node.registrations(0.0)


def refuse(mesh: Mesh, data: bytes) -> dict[str, int]:
    """Deliver what must change nothing; return by what it was counted."""
    node = mesh["a"]
    before, counted = picture(mesh), dict(node.stats.dropped)
    when = node.next_timer()
    replies = mesh.deliver(data, ATTACKER, "a")
    assert replies == []
    assert picture(mesh) == before
    assert node.next_timer() == when
    new = {r.value: n - counted.get(r, 0) for r, n in node.stats.dropped.items()}
    return {reason: count for reason, count in new.items() if count}


def test_junk_of_every_length_is_counted_and_nothing_else() -> None:
    mesh = scene()
    rng = random.Random(1)
    for size in range(400):
        counted = refuse(mesh, rng.randbytes(size))
        assert sum(counted.values()) == 1
        assert set(counted) <= {"malformed", "version", "cluster", "encrypted"}
    assert mesh["a"].stats.received_datagrams >= 400


def test_a_real_datagram_cut_off_anywhere_is_refused() -> None:
    mesh = scene()
    mesh["b"].drain(now=mesh.now)
    mesh.crash("b")
    mesh.run(0.0)
    kinds = {p.frame.kind: p.data for p in mesh.sent} | {
        9: max((p.data for p in mesh.sent), key=len)
    }
    assert {wire.SYN, wire.ACK, wire.NEWS} <= kinds.keys()
    for data in kinds.values():
        for size in range(len(data)):
            counted = refuse(mesh, data[:size])
            assert sum(counted.values()) == 1, size


@pytest.mark.parametrize("extra", [b"\0", b"\xf6", b"\xff" * 40, bytes(1000)])
def test_a_real_datagram_with_more_behind_it_is_refused(extra: bytes) -> None:
    mesh = scene()
    for data in {p.frame.kind: p.data for p in mesh.sent}.values():
        counted = refuse(mesh, data + extra)
        assert sum(counted.values()) == 1


BIG = {99: [b"x" * 800, b"x" * 700]}
REFUSED: dict[str, tuple[bytes, Drop]] = {
    "empty": (b"", Drop.MALFORMED),
    "oversized": (bytes(65507), Drop.TOO_LARGE),
    "oversized but well formed": (datagram(options=BIG), Drop.TOO_LARGE),
    "of another cluster": (datagram(cluster="other"), Drop.CLUSTER),
    "of a later version": (b"\x86\x02" + datagram()[2:], Drop.VERSION),
    "of a version of another shape": (b"\x87\x02" + datagram()[2:] + b"\0\0", Drop.VERSION),
    "of an unknown kind": (datagram(kind=6), Drop.UNKNOWN_KIND),
    "of the last kind": (datagram(kind=23), Drop.UNKNOWN_KIND),
    "with a heartbeat at its maximum": (datagram(heartbeat=2**32 - 1), Drop.OUT_OF_RANGE),
    "with a known heartbeat at its maximum": (datagram(known=2**32 - 1), Drop.OUT_OF_RANGE),
    "of nobody": (datagram(sender=0), Drop.OUT_OF_RANGE),
    "with half a row": (datagram()[:50] + b"\x47" + bytes(7), Drop.MALFORMED),
    "deeply nested": (b"\x86" + datagram()[1:] + b"\x81" * 900 + b"\0", Drop.MALFORMED),
    "with a tag": (b"\x86" + datagram()[1:] + b"\xc1\xa1\x09\xf5", Drop.MALFORMED),
    "with options as a list": (b"\x86" + datagram()[1:] + b"\x80", Drop.MALFORMED),
    "with a bad option": (datagram(options={wire.OPT_SLOW: 1}), Drop.BAD_OPTION),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_refused_datagram_changes_nothing(what: str) -> None:
    """[P101]."""
    data, reason = REFUSED[what]
    mesh = scene()
    assert refuse(mesh, data) == {reason.value: 1}
    for _ in range(50):
        refuse(mesh, data)
    assert dropped(mesh["a"], reason) == 51


def test_an_own_datagram_that_comes_back_is_dropped() -> None:
    """A reflected datagram, or a network that loops [P99]."""
    mesh = scene()
    own = [p.data for p in mesh.sent if p.source == mesh["a"].addresses[0]]
    for data in own[-10:]:
        assert refuse(mesh, data) == {Drop.FROM_MYSELF.value: 1}


# -- by a member: well formed, and wrong ---------------------------------------------------------


def test_counters_at_their_maximum_in_rows_are_counted_row_by_row() -> None:
    mesh = Mesh("a")
    x, y = mesh.puppets("x", "y")
    before = mesh["a"].table.fingerprint
    rows = b"".join(
        wire.row(key, wire.MAX_COUNTER, claim)
        for key in (y.key, key_of(mesh["a"]))
        for claim in (wire.ALIVE, wire.SUSPECT, wire.DEAD)
    )
    assert x.say("a", rows=rows) == []
    assert dropped(mesh["a"], Drop.OUT_OF_RANGE) == 6
    assert mesh["a"].table.fingerprint == before
    assert mesh["a"].stats.renewals == 0


def test_a_life_whose_counter_is_at_its_end_is_followed_by_another() -> None:
    """Story: an accusation at the last heartbeat was refuted with one that everybody refuses.

    [P19]
    """
    mesh = Mesh("a", "b")
    mesh.settle()
    node = mesh["a"]
    generation = node.generation
    node._local.own.heartbeat = wire.MAX_COUNTER - 1
    x = mesh.puppet("x").introduce()
    x.say("a", wire.SYN, known=wire.MAX_COUNTER - 1)
    mesh.run(2)
    assert node.generation > generation
    assert node.heartbeat < 1000
    assert dropped(mesh["b"], Drop.OUT_OF_RANGE) == 0
    mesh.settle()


def test_bad_pages_are_counted_one_by_one_and_the_good_ones_kept() -> None:
    """[P101]."""
    mesh = Mesh("a")
    (x,) = mesh.puppets("x")
    good = x.page(1, Registration("t", "h"))
    bad = [b"", b"\xff", bytes(MAX_PAGE + 1), cbor2.dumps(["x"]), good.raw[:-1], good.raw + b"\0"]
    for raw in bad:
        x.say("a", options={wire.OPT_PAGES: [raw]})
    assert dropped(mesh["a"], Drop.BAD_PAGE) == len(bad)
    x.say("a", options={wire.OPT_PAGES: [bad[1], good.raw]})
    assert mesh["a"].table.topics["t"].picks == ("h",)
    check_node(mesh["a"])


@pytest.mark.parametrize(
    "options",
    [
        {wire.OPT_WANT: [[5, b""]]},
        {wire.OPT_DIGEST: [0, b"\0", b""]},
        {wire.OPT_BUCKETS: [0, 0, b"abcd"]},
        {wire.OPT_PULL: [0, 0]},
        {wire.OPT_MINIMUMS: [["b", 5]]},
        {wire.OPT_EXPIRE: ["t", "h"]},
        {wire.OPT_TARGET: 5},
    ],
    ids=str,
)
def test_who_has_shown_no_page_zero_is_asked_for_it_before_anything_else(
    options: dict[int, object],
) -> None:
    """Answers go to the addresses of a record, and this one has none yet.

    Story: a question of a sender of whom only a later page was held raised IndexError [P82].
    """
    mesh = Mesh("a")
    x = mesh.puppet("x")
    x.page_zero()
    x.say("a", pages=[x.page(1, Registration("t", "h"))])
    mesh.run(1)
    for kind in wire.KIND_NAMES:
        for packet in x.say("a", kind, probe=1, options=options):
            assert packet.target == x.addresses[0]
            assert set(packet.frame.options) <= {wire.OPT_WANT}
    check_node(mesh["a"])


def test_a_flood_of_one_question_is_answered_with_bounded_bytes() -> None:
    """A member may ask for much; what goes out for one datagram in is bounded."""
    mesh = Mesh("a")
    (x,) = mesh.puppets("x")
    for index in range(500):
        mesh["a"].register(f"t{index}", "h", {"m": "x" * 600}, now=mesh.now)
    mesh.run(1)
    own = key_of(mesh["a"])
    for options in (
        {wire.OPT_PULL: [0, 0]},
        {wire.OPT_WANT: [[own, b""]] * 60},
        {wire.OPT_DIGEST: [0, b"\0", b""]},
    ):
        replies = x.say("a", options=options)
        assert sum(len(p.data) for p in replies) <= 20 * mesh.config.max_datagram


@pytest.mark.parametrize("strangers", [1, 200])
def test_strangers_get_at_most_one_small_answer_a_datagram(strangers: int) -> None:
    mesh = scene()
    for sender in range(1000, 1000 + strangers):
        for kind in wire.KIND_NAMES:
            data = datagram(kind, sender=sender, probe=1, rows=wire.row(5, 5, wire.ALIVE))
            replies = mesh.deliver(data, ATTACKER, "a")
            assert len(replies) <= 1
            assert sum(len(p.data) for p in replies) <= 2 * len(data)
    assert len(mesh["a"].members()) == 2
    check_node(mesh["a"])


def test_names_of_others_with_the_highest_generation_do_not_lock_their_owners_out_of_the_core() -> (
    None
):
    """Whoever may send may lie about others; the node itself must come through unharmed."""
    mesh = scene()
    b = mesh["b"]
    x = mesh.puppet("b", generation=(1 << 59) - 1)
    mesh._members["b"] = b
    page = x.page_zero()
    mesh.deliver(datagram(options={wire.OPT_PAGES: [page.raw]}), ATTACKER, "a")
    mesh.run(20)
    check_node(mesh["a"])
    check_node(b)
