"""Anti-entropy: what gets lost is found and repaired; what agrees costs nothing (section 5)."""

from __future__ import annotations

import pytest

from gossipmm.core.values.events import Joined
from gossipmm.core.values.types import NodeState, Registration, Status
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import page_untrusted
from tests.helpers import Mesh, Packet, held, key_of, picks
from tests.puppets import Puppet


def with_option(mesh: Mesh, option: int) -> list[Packet]:
    return [p for p in mesh.sent if option in p.frame.options]


def lose_news(mesh: Mesh) -> None:
    """Only exchanges get through."""
    mesh.rules["no news"] = lambda p: p.frame.kind == wire.NEWS


def test_tables_that_agree_send_no_digest() -> None:
    """[P53]."""
    mesh = Mesh("a", "b", "c")
    mesh.settle()
    mesh.run(5)
    mesh.sent.clear()
    mesh.run(20)
    assert {p.frame.kind for p in mesh.sent} == {wire.SYN, wire.ACK}
    assert not with_option(mesh, wire.OPT_DIGEST)


def test_a_change_that_was_lost_is_found_by_the_fingerprint_and_brought() -> None:
    """[P53]."""
    mesh = Mesh("a", "b", "c")
    mesh.settle()
    mesh.run(3)
    lose_news(mesh)
    mesh["a"].register("t", "h", now=mesh.now)
    mesh.run(0.1)
    mesh.heal()
    assert picks(mesh["b"], "t") == ()
    mesh.until(lambda: picks(mesh["b"], "t") == picks(mesh["c"], "t") == ("h",), within=5)
    mesh.settle()
    assert with_option(mesh, wire.OPT_DIGEST)


def test_a_removal_that_was_lost_is_brought_in_the_same_way() -> None:
    mesh = Mesh("a", "b")
    mesh["a"].register("t", "h", now=mesh.now)
    mesh.settle()
    mesh.run(2)
    lose_news(mesh)
    mesh["a"].unregister("t", "h", now=mesh.now)
    mesh.run(0.1)
    mesh.heal()
    mesh.until(lambda: mesh["b"].table.topic("t") is None, within=5)


def test_pages_go_both_ways() -> None:
    """Each offers what the other lacks, and asks for what it lacks itself [P55]."""
    mesh = Mesh("a", "b")
    mesh.settle()
    mesh.run(2)
    x = mesh.puppet("x").introduce("a", entries=[Registration("t", "hx")])
    y = mesh.puppet("y").introduce("b", entries=[Registration("t", "hy")])
    for puppet, to in ((x, "b"), (y, "a")):
        mesh.cut([to], [puppet.name])
    mesh.until(lambda: picks(mesh["a"], "t") == picks(mesh["b"], "t") == ("hx", "hy"), within=6)


def test_a_third_holder_brings_the_record_of_one_that_it_cannot_be_had_from() -> None:
    """From any holder: the owner is not needed [P6]."""
    mesh = Mesh("a", "b", "c")
    mesh["a"].register("t", "h", {"v": 1}, now=mesh.now)
    mesh.settle()
    mesh.cut("a", "c")
    mesh["a"].register("t", "h", {"v": 2}, now=mesh.now)
    mesh.until(
        lambda: mesh["c"].table.topics["t"].entries["h"].metadata == {"v": 2}, within=5, step=0.05
    )


def test_a_difference_of_verdict_is_told_too() -> None:
    """Else two tables could differ for ever, with equal pages [P55]."""
    mesh = Mesh("a", "b")
    mesh.settle()
    x = mesh.puppet("x").introduce("a", "b")
    mesh.run(2)
    mesh.cut("b", "x")
    mesh.rules["quiet"] = lambda p: p.frame.kind in (wire.HELP, wire.NEWS)
    mesh.deliver(x.frame(wire.NEWS, key_of(mesh["b"])), x.addresses[0], "b")  # as heard by b last
    beat = held(mesh["b"], "x").k
    mesh["b"].table.by_key[x.key].hear_suspect(beat)
    mesh["b"].table.refresh(held(mesh["b"], "x"), mesh.now)
    assert held(mesh["b"], "x").status is Status.SUSPECT
    del mesh.rules["quiet"]
    mesh.settle(within=8)


# -- digests -----------------------------------------------------------------------------------


def scene(count: int) -> tuple[Mesh, list[Puppet]]:
    mesh = Mesh("a")
    puppets = mesh.puppets(*(f"x{n}" for n in range(count)))
    mesh.run(0.6)
    mesh.sent.clear()
    return mesh, puppets


def test_a_digest_names_every_record_once_in_20_bytes() -> None:
    """[P54]."""
    mesh, puppets = scene(50)
    mesh.run(1)
    puppets[0].say("a", wire.SYN, probe=1, fingerprint=12345)
    (packet,) = with_option(mesh, wire.OPT_DIGEST)
    bits, covered, rows = packet.frame.options[wire.OPT_DIGEST]
    assert (bits, covered) == (0, b"\0")
    keys = [key for key, *_ in wire.digest_rows_in(rows)]
    assert sorted(keys) == sorted([key_of(mesh["a"]), *(puppet.key for puppet in puppets)])
    assert len(packet.data) <= 51 + 17 + 20 * 51


def test_an_old_digest_is_no_evidence_of_life() -> None:
    """Story (swarm, seed 6016): a copy of a digest arrived eleven seconds late.

    Rows beside it were known to be of unknown age, because the sender's heartbeat was a past one.
    Those in the digest were not, and took a dead host back into lookups [P25].
    """
    mesh = Mesh("a")
    x, y = mesh.puppets("x", "y")
    old = y.heartbeat
    y.heartbeat += 5
    y.say("a")
    x.answers = False
    mesh.until(lambda: held(mesh["a"], "x").status is Status.DEAD, within=12)
    mesh.run(0.1)
    row = wire.digest_row(x.key, x.heartbeat + 1, wire.ALIVE, 0, b"\0" * 6)
    y.say("a", heartbeat=old, options={wire.OPT_DIGEST: [0, b"\0", row]})
    assert held(mesh["a"], "x").status is Status.RETURNING  # as one that is worth a probe
    x.answers = True
    y.say("a", options={wire.OPT_DIGEST: [0, b"\0", row]})
    mesh.until(lambda: held(mesh["a"], "x").status is Status.ALIVE, within=1)  # it answered [P138]


def test_a_table_too_large_for_one_digest_sends_hashes_of_buckets_first() -> None:
    """A power of two of buckets >= N/16, at most 128, in one datagram whatever the size [P54]."""
    mesh, puppets = scene(200)
    mesh.run(1)
    puppets[0].say("a", wire.SYN, probe=1, fingerprint=12345)
    (packet,) = with_option(mesh, wire.OPT_BUCKETS)
    bits, first, hashes = packet.frame.options[wire.OPT_BUCKETS]
    assert (bits, first, len(hashes)) == (4, 0, 4 * 16)
    assert len(packet.data) <= mesh.config.max_datagram


def test_buckets_that_differ_are_answered_with_their_rows_and_only_they() -> None:
    """[P54]."""
    mesh, puppets = scene(200)
    mesh.run(1)
    puppets[0].say("a", wire.SYN, probe=1, fingerprint=12345)
    bits, _, hashes = with_option(mesh, wire.OPT_BUCKETS)[0].frame.options[wire.OPT_BUCKETS]
    wrong = bytearray(hashes)
    wrong[4 * 5] ^= 1
    replies = puppets[0].say("a", options={wire.OPT_BUCKETS: [bits, 0, bytes(wrong)]})
    (answer,) = (p.frame.options[wire.OPT_DIGEST] for p in replies)
    assert (answer[0], answer[1]) == (bits, b"\5")
    listed = {key for key, *_ in wire.digest_rows_in(answer[2])}
    assert listed == {key for key in mesh["a"].table.by_key if key >> (64 - bits) == 5}
    assert puppets[0].say("a", options={wire.OPT_BUCKETS: [bits, 0, hashes]}) == []


def test_what_does_not_fit_goes_with_the_next_ones_from_a_random_bucket_on() -> None:
    """[P54]."""
    mesh, puppets = scene(560)
    all_differ = {wire.OPT_BUCKETS: [4, 0, bytes(64)]}
    seen: set[int] = set()
    for _ in range(60):
        replies = puppets[0].say("a", options=all_differ)
        assert all(len(p.data) <= mesh.config.max_datagram for p in replies)
        for p in replies:
            seen.update(p.frame.options[wire.OPT_DIGEST][1])
    assert seen == set(range(16))
    assert mesh["a"].stats.digests_truncated > 0


@pytest.mark.parametrize("count", [53, 54, 55, 56, 57])
def test_there_is_no_cliff_where_one_digest_is_no_longer_enough(count: int) -> None:
    """Scenario digest_at_capacity +-1."""
    names = [f"n{index}" for index in range(count)]
    mesh = Mesh(*names, seed=count)
    mesh.settle()
    mesh.run(3)
    lose_news(mesh)
    mesh["n7"].register("t", "h", now=mesh.now)
    mesh.run(0.1)
    mesh.heal()
    mesh.until(lambda: all(picks(mesh[name], "t") == ("h",) for name in names), within=20, step=0.1)


# -- wants -------------------------------------------------------------------------------------


def test_a_want_is_answered_with_what_is_above_the_versions_held() -> None:
    """[P56]."""
    mesh = Mesh("a")
    (x,) = mesh.puppets("x")
    for topic in "tuv":
        mesh["a"].register(topic, "h" * 700, now=mesh.now)
    versions = held(mesh["a"], "a").versions
    assert len(versions) == 4
    own = key_of(mesh["a"])

    def answered(vector: dict[int, int], *part: int) -> set[int]:
        want = [own, wire.vector(vector), *part]
        replies = x.say("a", options={wire.OPT_WANT: [want]})
        return {int(page[0]) for p in replies for page in map(decoded, p.pages)}

    assert answered({}) == {0, 1, 2, 3}
    assert answered(versions) == set()
    assert answered({**versions, 2: versions[2] - 1}) == {2}
    assert answered({number: versions[number] for number in (0, 1)}) == {2, 3}
    assert answered({}, 1, 3) == {1, 2}


def decoded(raw: bytes) -> tuple[int, int]:
    page = page_untrusted(raw)
    return page.number, page.version


def test_who_asks_and_holds_more_is_asked_back() -> None:
    """[P56]."""
    mesh = Mesh("a")
    (x,) = mesh.puppets("x")
    (y,) = mesh.puppets("y")
    replies = x.say("a", options={wire.OPT_WANT: [[y.key, wire.vector({0: 1, 1: 9})]]})
    wants = [want for p in replies for want in p.frame.options.get(wire.OPT_WANT, ())]
    digests = wire.packed_digests([held(mesh["a"], "y").pages[0].digest])
    assert wants == [[y.key, wire.vector({0: 1}), 0, 1 << 16, digests]]


def test_records_of_very_many_pages_are_repaired_too() -> None:
    """Story: a vector of more than about 180 pages fits no datagram, and was never asked for.

    [P56]
    """
    mesh = Mesh("a", "b")
    for index in range(400):
        mesh["a"].register(f"t{index}", "h", {"m": "x" * 700}, now=mesh.now)
    mesh.settle()
    mesh.until(lambda: len(held(mesh["b"], "a").pages) == 401, within=20, step=0.5)
    lose_news(mesh)
    for index in (3, 177, 399):
        mesh["a"].drain(f"t{index}", now=mesh.now)
    mesh.run(0.2)
    mesh.heal()
    mesh.settle(within=40)


# -- bulk transfer -----------------------------------------------------------------------------


@pytest.mark.parametrize("loss", [0.0, 0.3])
def test_a_joiner_has_the_whole_table_at_once_and_with_loss_soon(loss: float) -> None:
    names = [f"n{index}" for index in range(40)]
    mesh = Mesh(*names)
    for name in names:
        for topic in range(8):
            mesh[name].register(f"{name}-{topic}", "h", {"m": "x" * 100}, now=mesh.now)
    mesh.settle()
    mesh.run(1)
    mesh.lose(loss)
    node = mesh.add("late")
    took = mesh.until(lambda: len(node.table.topics) == 320, within=20)
    assert took <= (8.0 if loss else 0.5)
    mesh.until(lambda: node.table.joined, within=3)
    assert len(mesh.told("late", Joined)) == 1


def test_a_transfer_is_paced_by_the_joiner_in_bursts() -> None:
    """[P58]."""
    mesh = Mesh("a")
    mesh.puppets(*(f"x{n}" for n in range(600)))
    mesh.sent.clear()
    x = mesh.puppet("new").introduce("a")
    replies = x.say("a", options={wire.OPT_PULL: [0, 0]})
    assert 2 <= len(replies) <= 20
    assert all(wire.OPT_MORE in p.frame.options for p in replies)
    assert all(p.frame.options[wire.OPT_MORE] == [] for p in replies[:-1])
    cursor, seen = [0, 0], set[bytes]()
    for _ in range(60):
        replies = x.say("a", options={wire.OPT_PULL: cursor})
        seen.update(raw for p in replies for raw in p.pages)
        cursor = replies[-1].frame.options[wire.OPT_MORE]
        if cursor == [0, 0]:
            break
    assert cursor == [0, 0]
    assert len(seen) == 601  # all but the asker's own: "a" and 600 puppets


def test_who_asks_for_the_gone_gets_only_those() -> None:
    """[P59]."""
    mesh = Mesh("a")
    x, y, z = mesh.puppets("x", "y", "z")
    z.say("a", pages=[z.page_zero(NodeState.LEFT)])
    mesh.run(1)
    y.answers = False
    beat = held(mesh["a"], "y").k
    x.say("a", rows=wire.row(y.key, beat, wire.SUSPECT))
    mesh.until(lambda: held(mesh["a"], "y").status is Status.DEAD, within=20)
    replies = x.say("a", options={wire.OPT_PULL: [0, 0, True]})
    names = {page_untrusted(raw).name for p in replies for raw in p.pages}
    assert names == {"y", "z"}
    assert replies[-1].frame.options[wire.OPT_MORE] == [0, 0]


def test_a_joiner_is_served_what_came_since_another_one_was() -> None:
    """The order of pages was kept for a tenth of a second, for the sake of many joiners.

    Who joined within it after another one got that one's page 0 (its news came later), but not
    its registrations: every second host of a cluster that booted slowly lacked some for a while.
    """
    mesh = Mesh("a")
    x, y = (mesh.puppet(name).introduce("a") for name in "xy")
    x.say("a", options={wire.OPT_PULL: [0, 0]})
    mesh["a"].register("late", "h", now=mesh.now)
    mesh.flush("a")
    replies = y.say("a", options={wire.OPT_PULL: [0, 0]})
    pages = [page_untrusted(raw) for p in replies for raw in p.pages]
    assert [entry.topic for page in pages for entry in page.entries] == ["late"]


def test_small_pages_of_all_come_before_the_large_rest_of_some() -> None:
    """Scenario late_joiner_learns_small_records_first [P58]."""
    mesh = Mesh("a")
    for index in range(300):
        mesh["a"].register(f"t{index}", "h", {"m": "x" * 700}, now=mesh.now)
    mesh.puppets(*(f"x{n}" for n in range(60)))
    x = mesh.puppet("new").introduce("a")
    replies = x.say("a", options={wire.OPT_PULL: [0, 0]})
    numbers = [decoded(raw)[0] for p in replies for raw in p.pages]
    assert numbers == sorted(numbers)
    assert numbers.count(0) == 61


def test_what_is_known_of_the_dead_comes_with_their_records() -> None:
    """A joiner neither calls them nor counts them, and forgets them when all do [P58]."""
    mesh = Mesh("a", "b", "c")
    mesh.settle()
    mesh.crash("c")
    mesh.run(60)
    mesh.add("d")
    mesh.settle()
    mesh.until(lambda: mesh["d"].member("c") is not None, within=5)
    member = held(mesh["d"], "c")
    assert member.status is Status.DEAD
    assert mesh.now - member.gone_at == pytest.approx(
        mesh.now - held(mesh["a"], "c").gone_at, rel=0.1
    )
