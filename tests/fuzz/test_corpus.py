"""The kept corpus, replayed without the fuzzer; and each datagram damaged at every byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from gossipmm.core.node import Node
from gossipmm.core.values.stats import Drop
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.slim import is_slim
from tests.fuzz.collect import said
from tests.fuzz.script import play, scene
from tests.fuzz.seeds import SEEDS
from tests.fuzz.targets import TARGETS
from tests.puppets import frame_of

CORPUS = Path(__file__).parent / "corpus"
GOSSIP = ("decoder", "node", "sealed")
FILES = sorted(path for name in GOSSIP for path in CORPUS.glob(f"{name}/*"))
FRAMES = sorted(CORPUS.glob("decoder/*"))


def test_the_corpus_has_every_kind_and_nearly_every_option() -> None:
    tag = wire.cluster_tag("gossipmm")
    collected = [
        path for path in FRAMES if not path.name.startswith("found-")
    ]  # the rest: fuzzers'
    read = [path.read_bytes() for path in collected]
    frames = [wire.decode_untrusted(data, tag) for data in read if not is_slim(data)]
    assert {frame.kind for frame in frames} == set(wire.KIND_NAMES)
    slim = {(frame_of(data).kind, bool(frame_of(data).rows)) for data in read if is_slim(data)}
    assert slim == {(kind, rows) for kind in (wire.SYN, wire.ACK) for rows in (False, True)}
    where = {
        frame_of(data).kind
        for data in read
        if is_slim(data) and frame_of(data).coordinate is not None
    }
    assert where == {wire.SYN, wire.ACK}
    options = {key for frame in frames for key in frame.options}
    assert {wire.OPT_PAGES, wire.OPT_DIGEST, wire.OPT_WANT, wire.OPT_PULL, wire.OPT_MORE} <= options
    # User events, queries and distances: none of them was among it when they came.
    assert {wire.OPT_ASK, wire.OPT_TOLD, *range(wire.OPT_EVENTS, wire.OPT_WHERE + 1)} <= options


def test_the_scripts_make_a_node_take_events_and_coordinates_and_pass_queries_on() -> None:
    """A script whose frames the decoder refuses would test the decoder alone."""

    def played(name: str) -> Node:
        return play((CORPUS / "node" / name).read_bytes())

    assert played("events").event_stats.delivered + played("events").event_stats.repeated >= 3
    assert played("events-far").stats.dropped[Drop.EVENT_JUMP] >= 1
    assert played("events-own").stats.dropped[Drop.OWN_EVENT] >= 1
    for name in said():
        dropped = played(name).stats.dropped
        assert not dropped.get(Drop.MALFORMED), name
        # What is to be passed on is refused of whoever does not ask it itself.
        assert dropped.get(Drop.BAD_OPTION, 0) <= (2 if name == "relay" else 0), name


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_targets_hold_for_the_corpus(path: Path) -> None:
    TARGETS[path.parent.name](path.read_bytes())


@pytest.mark.parametrize("name", sorted(set(TARGETS) - set(GOSSIP)))
def test_the_other_targets_hold_for_theirs(name: str) -> None:
    """What fuzzers found is among it: each file once made something raise, or reaches a branch."""
    paths = sorted(CORPUS.glob(f"{name}/*"))
    assert {path.name for path in paths} >= set(SEEDS[name]())
    for path in paths:
        try:
            TARGETS[name](path.read_bytes())
        except BaseException as exc:
            exc.add_note(f"for {path}")
            raise


@pytest.mark.parametrize("path", FRAMES, ids=lambda path: path.name)
def test_a_real_datagram_damaged_at_any_byte_raises_nothing(path: Path) -> None:
    """Each byte with one bit flipped, zeroed, at its highest, and left out."""
    data = path.read_bytes()
    node, peers = scene()
    for at in range(len(data)):
        for damaged in (
            data[:at] + bytes((data[at] ^ (1 << at % 8),)) + data[at + 1 :],
            data[:at] + b"\0" + data[at + 1 :],
            data[:at] + b"\xff" + data[at + 1 :],
            data[:at] + data[at + 1 :],
        ):
            node.receive_datagram(damaged, peers[0].address, 0.1)
        node.datagrams_to_send()
    assert node.stats.received_datagrams >= 4 * len(data)
    assert node.stats.dropped[Drop.MALFORMED] > 0
