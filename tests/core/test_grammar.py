"""The grammar in ``wire.cddl`` describes what real nodes send: every kind, option and page."""

from __future__ import annotations

from collections.abc import Hashable
from functools import cache
from importlib.resources import files
from typing import Any

import cbor2
import pytest

from gossipmm.core.values.queries import Query
from gossipmm.core.values.types import EntryState, NodeState, Registration
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import encode_entry
from gossipmm.core.wire.slim import is_slim
from gossipmm.mechanisms import Mechanism
from tests.core.certified_mesh import a_list, mesh_of
from tests.helpers import Mesh, key_of
from tests.identities import signed_mesh
from tests.puppets import frame_of

pycddl = pytest.importorskip("pycddl", reason="pycddl has no wheel for this Python")
Schema, ValidationError = pycddl.Schema, pycddl.ValidationError

OPTIONS = {value for name, value in vars(wire).items() if name.startswith("OPT_")}
GRAMMAR = files("gossipmm.core.wire").joinpath("wire.cddl").read_text()

#: pycddl 0.6 checks a choice between arrays only in part. Their lengths differ: choose here.
FRAMES = {5: "plain", 6: "with-options"}
ENTRIES = {2: "entry-short", 3: "entry-state", 4: "entry-full"}
WANTS = {2: "want-all", 5: "want-part"}
DIGESTS = {3: "digest-of-versions", 4: "digest-of-bytes"}
BUCKETS = {3: "buckets-of-versions", 4: "buckets-of-bytes"}
EVENTS = {3: "event-for-all", 4: "event-for-topic", 5: "event-for-some"}
ASKS = {1: "ask-health", 2: "ask-place", 4: "ask-drain", 5: "ask-query"}
TOLD = {1: "told-no", 2: "told-drain", 3: "told-place", 4: "told-query", 6: "told-health"}
LATER = {5: "page-of-entries", 6: "signed-page-of-entries"}
ZEROS = {
    7: "page-zero",
    8: "page-zero-keys",
    9: "page-zero-version",
}


@cache
def schema(rule: str) -> Schema:
    return Schema(f"root = {rule}\n{GRAMMAR}")


def check_as(rule: str, value: object) -> None:
    schema(rule).validate_cbor(cbor2.dumps(value))


def check(data: bytes, chosen: set[Hashable]) -> None:
    """Hold a datagram against the grammar. pycddl lets unknown map keys pass: see to them here.

    That the grammar's choice leads to its rule is looked at once for each shape, in ``chosen``: it
    takes as long as the rule itself.
    """
    if is_slim(data):
        check_as("slim", cbor2.loads(data))
        assert cbor2.dumps(cbor2.loads(data)) == data
        return
    fields = cbor2.loads(data)
    checked = without_signed_pages(data, fields)
    check_as(FRAMES[len(fields)], cbor2.loads(checked))
    assert len(fields[4]) % wire.ROW_SIZE == 0
    options = fields[5] if len(fields) > 5 else {}
    shape = len(fields), fields[2], *sorted(options)
    if shape not in chosen:
        schema("datagram").validate_cbor(checked)
        chosen.add(shape)
    assert set(options) <= OPTIONS
    for raw in options.get(wire.OPT_PAGES, ()):
        check_page(cbor2.loads(raw))
    for want in options.get(wire.OPT_WANT, ()):
        check_as(WANTS[len(want)], want)
    for option, rules in ((wire.OPT_DIGEST, DIGESTS), (wire.OPT_BUCKETS, BUCKETS)):
        if option in options:
            check_as(rules[len(options[option])], options[option])
    if wire.OPT_ASK in options:
        check_as(ASKS[len(options[wire.OPT_ASK])], options[wire.OPT_ASK])
    for item in options.get(wire.OPT_EVENTS, ()):
        text = cbor2.loads(item[3])
        check_as(EVENTS[len(text)], text)
    if wire.OPT_TOLD in options:
        check_as(TOLD[len(options[wire.OPT_TOLD])], options[wire.OPT_TOLD])
    if wire.OPT_RELAY in options:
        check_as("relay", options[wire.OPT_RELAY])
    if wire.OPT_RELAYED in options:
        check_as("relayed", options[wire.OPT_RELAYED])
    assert cbor2.dumps(fields) == data, "not in preferred serialization"


def without_signed_pages(data: bytes, fields: list[Any]) -> bytes:
    """Put another page in the place of signed ones, which are checked one by one.

    They are no part of the choice: pycddl refuses everything once it has so many alternatives.
    """
    raws = fields[5].get(wire.OPT_PAGES, ()) if len(fields) > 5 and type(fields[5]) is dict else ()
    if not any(raw[:1] in (b"\x86", b"\x8b") for raw in raws):
        return data
    plain = cbor2.dumps([*PAGE[:4], []])
    raws = [plain if raw[:1] in (b"\x86", b"\x8b") else raw for raw in raws]
    return cbor2.dumps([*fields[:5], {**fields[5], wire.OPT_PAGES: raws}])


def check_page(page: list[Any]) -> None:
    zero = "page-zero-version-keys" if len(page) > 8 and page[7] else ZEROS.get(len(page))
    if len(page) > 9:
        version, keys = page[8] and "-version", page[7] and "-keys"
        zero = f"signed-page-zero{version or ''}{keys or ''}"
    check_as(str(LATER[len(page)] if page[2] else zero), page)
    for entry in page[4] if page[2] else ():
        check_as(ENTRIES[len(entry)], entry)


@pytest.fixture(scope="module")
def talk() -> list[bytes]:
    """Datagrams of clusters to which everything happens, the same ones kept once."""
    said: dict[bytes, None] = {}
    for mesh in (
        *map(busy, range(3)),
        crowded(),
        large(),
        full(),
        small(),
        early(),
        telling(),
        signed(),
        certified(),
        asked(),
        bridged(),
    ):
        said.update(dict.fromkeys(packet.data for packet in mesh.sent))
    return list(said)


def busy(seed: int) -> Mesh:
    """Registrations, a crash, a leave, a pause, a restart, forget, expire, helpers.

    One of the nodes is of wire version 1; with seed 0 two are of 3.
    """
    mesh = Mesh("a", "b", "c", "d", "e", seed=seed, suspicion_min=0.5)
    mesh.add("old", suspicion_min=0.5, without=frozenset({Mechanism.WIRE_VERSION}))
    for name in ("near", "far") if seed == 0 else ():
        mesh.add(name, suspicion_min=0.5, distances=True)
    mesh.settle()
    mesh["a"].register("t", "h", {"zone": "b", "weight": 3, "gpu": True}, now=mesh.now)
    mesh["a"].register("u", "h", draining=True, now=mesh.now)
    mesh["a"].service_health.tell({("t", "h"): False, ("u", "h"): False}, mesh.now)
    mesh["b"].register("t", "h2", now=mesh.now)
    mesh.run(0.5)
    mesh["b"].unregister("t", "h2", now=mesh.now)
    mesh["b"].drain(now=mesh.now)
    mesh["c"].expire("t", "h", now=mesh.now)
    mesh.cut("a", "b")
    mesh.run(2)
    mesh.heal()
    mesh.freeze("c")
    mesh.run(3)
    mesh.thaw("c")
    mesh.run(2)
    mesh.crash("e")
    mesh["d"].leave(mesh.now)
    mesh.run(8)
    mesh["a"].questions.asking.health(mesh.names(), 1.0, lambda _: None, mesh.now)
    mesh["a"].questions.asking.place(mesh.names(), 1.0, lambda _: None, mesh.now)
    for what in ((None, None, True), ("t", None, False)):
        mesh["b"].questions.asking.drain("a", what, 1.0, lambda _: None, mesh.now)
    mesh["a"].forget("e", now=mesh.now)
    mesh.run(1)
    return mesh


def crowded() -> Mesh:
    """More members than one digest holds: buckets; and a node of wire version 1 among them."""
    mesh = Mesh("a", "b")
    mesh.add("old", without=frozenset({Mechanism.WIRE_VERSION}))
    mesh.settle()
    mesh.puppets(*(f"x{index}" for index in range(70)))
    mesh.puppet("late").introduce("a")
    mesh.until(lambda: mesh["b"].member("late") is not None, within=900, step=0.5)
    mesh.cut(["old"], ["a", "b"])
    mesh.puppet("later").introduce("a")
    mesh.run(0.3)
    mesh.heal()
    mesh.until(lambda: mesh["old"].member("later") is not None, within=900, step=0.5)
    return mesh


def large() -> Mesh:
    """A record of more pages than one vector names, changed while a holder is away."""
    mesh = Mesh("a", "b")
    for index in range(200):
        mesh["a"].register(f"t{index}", "h", {"m": "x" * 700}, now=mesh.now)
    mesh.settle()
    mesh.cut("a", "b")
    mesh["a"].drain("t7", now=mesh.now)
    mesh.run(0.4)
    mesh.heal()
    mesh.run(4)
    return mesh


def telling() -> Mesh:
    """User events of every shape, some of them lost, and one that comes after a split."""
    mesh = Mesh("a", "b", "c")
    mesh.settle()
    mesh.lose(0.3)
    for number in range(12):
        mesh["a"].send_event("e", b"x" * number, now=mesh.now)
        mesh["b"].send_event("e", topic="t", now=mesh.now)
        mesh["c"].send_event("e", metadata={"zone": "b", "n": number}, now=mesh.now)
        mesh.run(0.05)
    mesh.heal()
    mesh.cut("a", "b")
    mesh["a"].send_event("e", now=mesh.now)
    mesh.run(1)
    mesh.heal()
    mesh.run(3)
    return mesh


def early() -> Mesh:
    """A newcomer whose clock is two days ahead."""
    mesh = Mesh("a", wall=True)
    mesh.add("b", generation=mesh.new_generation(2 * 86400.0))
    mesh.run(1)
    return mesh


def full() -> Mesh:
    """A newcomer for which there is no room."""
    mesh = Mesh("a", "b", max_members=2)
    mesh.settle()
    mesh.add("c", seeds=mesh["a"].addresses)
    mesh.run(2)
    return mesh


def small() -> Mesh:
    """A path that loses what is large."""
    mesh = Mesh("a", "b")
    mesh.rules["size"] = lambda packet: len(packet.data) > 600
    for index in range(30):
        mesh["a"].register(f"topic-{index}", "host-a", {"m": "x" * 20}, now=mesh.now)
    mesh.settle()
    return mesh


def signed() -> Mesh:
    """Nodes with identities, two of which reach one another by the third alone."""
    mesh = signed_mesh("a", "b", "c")
    mesh["a"].register("t", "h", now=mesh.now)
    mesh.cut("a", "b")
    mesh.run(20)
    return mesh


def certified() -> Mesh:
    """Nodes with certificates; one of them is revoked."""
    mesh = mesh_of("a", "b", "c")
    mesh["a"].identities.set_revocations(a_list(3).raw, mesh.now)
    mesh.run(20)
    return mesh


def asked() -> Mesh:
    """Queries, two of which go around a broken way."""
    mesh = Mesh("a", "b", "c")
    mesh.settle()
    mesh.run(1)
    mesh["b"].questions.queried.handler = lambda query: query.name == "slow"
    mesh.cut("a", "b")
    for name in ("version", "slow"):
        query = Query(name, b"x", 1.0, members=("b", "c"))
        mesh["a"].questions.querying.ask(query, lambda _: None, mesh.now)
    mesh.run(1)
    return mesh


def bridged() -> Mesh:
    """Two halves that one host connects."""
    mesh = Mesh("a", "b", "c", "d", "e")
    mesh.settle()
    mesh.cut("ab", "cd")
    mesh.run(8)
    return mesh


def test_every_datagram_keeps_to_the_grammar(talk: list[bytes]) -> None:
    """[P98]."""
    chosen: set[Hashable] = set()
    for data in talk:
        check(data, chosen)
    assert len(chosen) > 30


def test_every_kind_and_option_was_seen(talk: list[bytes]) -> None:
    """Otherwise the test above proves less than it says."""
    frames = [frame_of(data) for data in talk]
    assert {frame.kind for frame in frames if frame.half} == {wire.SYN, wire.ACK}
    assert {frame.kind for frame in frames} == set(wire.KIND_NAMES)
    seen = {option for frame in frames for option in frame.options}
    assert seen == OPTIONS - {wire.OPT_KEY}  # never sent unsealed
    wants = [want for frame in frames for want in frame.options.get(wire.OPT_WANT, ())]
    assert {len(want) for want in wants} == WANTS.keys()
    assert any(want[2] or want[3] <= 0xFFFF for want in wants if len(want) > 2), "a part"
    for option, shapes in ((wire.OPT_DIGEST, DIGESTS), (wire.OPT_BUCKETS, BUCKETS)):
        lengths = {len(frame.options[option]) for frame in frames if option in frame.options}
        assert lengths == shapes.keys()
    claims = {claim for frame in frames for _, _, claim, _ in wire.rows_in(frame.rows)}
    assert claims == {wire.ALIVE, wire.SUSPECT, wire.DEAD, wire.LEFT, wire.ACCUSER}


def test_every_shape_of_page_and_entry_is_in_the_grammar() -> None:
    mesh = Mesh("a")
    x = mesh.puppet("x")
    entries = [
        Registration("t", "h"),
        Registration("t", "i", EntryState.UNHEALTHY_DRAINING),
        Registration("t", "j", EntryState.UP, {"s": "x", "i": -5, "b": False, "n": 2**62}),
    ]
    assert [len(cbor2.loads(encode_entry(entry))) for entry in entries] == [2, 3, 4]
    pages = [x.page_zero(state, metadata={"rack": 7}) for state in NodeState]
    pages += [x.page(1, *entries), x.page(65535)]
    for page in pages:
        check(x.frame(wire.NEWS, key_of(mesh["a"]), options={wire.OPT_PAGES: [page.raw]}), set())


PAGE = ["a", 1 << 50, 1, 1, [["t", "h"]]]
ZERO = ["a", 1 << 50, 0, 1, 0, [["127.0.0.1", 7946]], {}]
FRAME = [1, b"abcd", 1, bytes(40), b""]


def with_page(page: list[object], place: int, value: object) -> list[object]:
    changed = [*page[:place], value, *page[place + 1 :]]
    return [*FRAME, {1: [cbor2.dumps(changed)]}]


@pytest.mark.parametrize(
    "wrong",
    [
        [2, *FRAME[1:]],
        [1, b"abc", *FRAME[2:]],
        [1, b"abcd", 6, *FRAME[3:]],
        [1, b"abcd", 1, bytes(39), b""],
        FRAME[:4],
        [*FRAME, 1],
        [*FRAME, {1: [b"\xff"]}],
        [*FRAME, {2: [9, b"", b""]}],
        [*FRAME, {5: [["", 1]]}],
        [*FRAME, {5: [["n" * 65, 1]]}],
        [*FRAME, {8: 0}],
        [*FRAME, {9: False}],
        [*FRAME, {17: True}],
        [*FRAME, {18: [1, 0, 0, b"x"]}],
        [*FRAME, {18: [1, 9, 0, b""]}],
        with_page(PAGE, 0, ""),
        with_page(PAGE, 1, 1 << 59),
        with_page(PAGE, 2, 1 << 16),
        with_page(PAGE, 3, wire.MAX_COUNTER),
        with_page(PAGE, 4, [["t"]]),
        with_page(PAGE, 4, [["t", "h", 4]]),
        with_page(PAGE, 4, [["t", "h", 0, {"a": 0.5}]]),
        with_page(ZERO, 3, 0),
        with_page(ZERO, 4, 4),
        with_page(ZERO, 5, []),
        with_page(ZERO, 5, [["127.0.0.1", 0]]),
    ],
)
def test_the_grammar_refuses_what_is_not_of_it(wrong: list[object]) -> None:
    """A grammar that takes everything would check nothing."""
    with pytest.raises((ValidationError, KeyError)):
        check(cbor2.dumps(wrong), set())


def test_the_grammar_and_the_code_have_the_same_numbers() -> None:
    for number in OPTIONS:
        assert f"? {number}: " in GRAMMAR
    assert f"version = 1..{wire.MAX_COUNTER - 1}\n" in GRAMMAR
    for code, name in wire.KIND_NAMES.items():
        assert f"\n{name} = {code} " in GRAMMAR
