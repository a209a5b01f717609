"""Write the corpus: one real datagram of each shape that a small cluster sends.

python -m tests.fuzz.collect
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from gossipmm.core.sealing.envelope import CoseEnvelope
from gossipmm.core.sealing.keyring import Key, Keyring
from gossipmm.core.values.queries import Query
from gossipmm.core.values.questions import Answered
from gossipmm.core.values.user_events import EventText
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.event_text import encode_event
from gossipmm.core.wire.slim import is_slim
from tests.fuzz.script import FIRST_SLIM, FIRST_WHERE, options_of, scene
from tests.helpers import Mesh, Packet
from tests.puppets import frame_of

CORPUS = Path(__file__).parent / "corpus"
#: The key id that the target has, another secret.
FORGER = Keyring((Key(b"\x01", bytes(range(1, 33))),))
#: Options of user events, queries and distances.
_MESSAGES = {
    *(wire.OPT_ASK, wire.OPT_TOLD, wire.OPT_EVENTS, wire.OPT_HELD, wire.OPT_MISSED),
    *(wire.OPT_RELAY, wire.OPT_RELAYED, wire.OPT_WHERE),
}
#: Bytes of a slim SYN before its probe: size, version and kind, both keys.
_SLIM_KEYS = 15


def datagrams() -> dict[str, bytes]:
    """Real datagrams by what is in them: kind, number of rows, options."""
    mesh = Mesh("a", "b", "c", reap_after=20)
    mesh.settle()
    mesh["a"].register("t", "h", {"m": 1, "n": "two", "o": True}, now=mesh.now)
    mesh["b"].register("t", "i", now=mesh.now)
    for number in range(40):
        mesh["b"].register(f"topic{number}", "host", now=mesh.now)
    mesh.run(2)
    mesh["a"].drain(now=mesh.now)
    mesh["c"].expire("t", "h", now=mesh.now)
    mesh.freeze("b")
    mesh.run(8)
    mesh.thaw("b")
    mesh.run(5)
    mesh.add("d")
    mesh.settle()
    mesh["c"].leave(mesh.now)
    mesh.run(3)
    mesh.crash("d")
    mesh.run(60)
    return _shapes(mesh.sent)


def messages() -> dict[str, bytes]:
    """Real datagrams of user events, queries and distances: options 19, 20 and 24 to 29."""
    mesh = Mesh("a", "b", "c", distances=True)
    mesh.settle()
    mesh.run(6)
    mesh.cut("b", "ac")
    mesh["a"].send_event("missed", now=mesh.now)
    mesh.run(3)
    mesh.heal()
    mesh.run(4)
    mesh.cut("a", "b")
    for number in range(3):
        mesh["a"].send_event("deploy", bytes(number), topic="t", now=mesh.now)
    mesh.run(2)
    for asks in "ab":
        mesh[asks].questions.querying.ask(Query("uptime", b"since"), _forget, mesh.now)
    mesh.run(4)
    mesh.heal()
    mesh.run(4)
    mesh.add("d", distances=True)
    mesh.settle()
    mesh["d"].questions.asking.place(["a", "b"], 1.0, _forget, mesh.now)
    mesh.run(10)
    return _shapes([one for one in mesh.sent if _of_messages(one.frame)])


def said() -> dict[str, bytes]:
    """Return scripts for the node: what two members say of events, queries and distances.

    Events in their order, with a gap, far ahead, in the name of the node itself; all that others
    hold, and want; questions passed on, and back.
    """
    node, peers = scene()
    me, (one, two) = node._local.me.key, (peer.key for peer in peers[:2])
    text = encode_event(EventText(1, "deploy", b"x", "t", {"m": 1}))
    late = encode_event(EventText(70_000, "deploy", b"x"))
    ask = [wire.OPT_ASK, [2, "uptime", b"", 900, None]]
    options: dict[str, dict[int, Any]] = {
        "events": {wire.OPT_EVENTS: [[one, number, 5, text, b""] for number in (1, 2, 3)]},
        "events-gap": {wire.OPT_EVENTS: [[one, number, 5, text, b""] for number in (1, 9, 5)]},
        "events-far": {wire.OPT_EVENTS: [[two, 3, 5, text, b""], [two, 70_000, 0, late, b"s"]]},
        "events-own": {wire.OPT_EVENTS: [[me, (1 << 31) - 1, 0, text, b""]]},
        "held": {wire.OPT_HELD: [True, [[one, 1, 9, 4, b"\xff\x01"], [me, 1, 2, 0, b""]]]},
        "held-highest": {wire.OPT_HELD: [False, [[one, 1, (1 << 31) - 1, 4, bytes(32)]]]},
        "missed": {wire.OPT_MISSED: [[one, 1, 3, 9, 1], [me, 1, (1 << 31) - 1]]},
        "query": dict([ask]),
        "relay": {wire.OPT_RELAY: [one, two, 77, ask[1]]},
        "relayed": {wire.OPT_RELAYED: [one, two, 77, [0, b"up", 1]]},
        "where": {wire.OPT_WHERE: b""},
        "brings": {wire.OPT_WHERE: b"\x7f\xff\x80\x00\0\0\xff\xff"},
    }
    found = {}
    for name, given in options.items():
        padded = options_of(given)
        # A SYN, an ACK and a NEWS to the node, each by a member, one by a stranger.
        found[name] = _steps(padded, [(0, 15), (1, 16), (1, 17), (0, 17), (4, 17)])
    return found


def _of_messages(frame: wire.Frame) -> bool:
    return bool(_MESSAGES & set(frame.options)) or frame.coordinate is not None


def _forget(_: Answered) -> None:
    pass


def _shapes(sent: list[Packet]) -> dict[str, bytes]:
    """Return the first datagram of each shape."""
    found: dict[str, bytes] = {}
    for packet in sent:
        frame = packet.frame
        options = "-".join(map(str, sorted(frame.options)))
        rows = len(frame.rows) // wire.ROW_SIZE
        name = f"{wire.KIND_NAMES[frame.kind]}-{rows}-{options or 'none'}"
        if is_slim(packet.data) and frame.coordinate is not None:
            name += "-where"
        found.setdefault(f"slim-{name}" if is_slim(packet.data) else name, packet.data)
    return found


def _script(data: bytes) -> bytes:
    """Return steps: peers say it as it is, as options of their own, and as a slim frame."""
    padded = data[: 4 * 255] + bytes(-len(data) % 4)
    steps = [(0, 200), (1, 15)]
    if is_slim(data):
        # Behind its keys; a SYN to the node, and an ACK to what it asked meanwhile.
        padded = data[_SLIM_KEYS:] + bytes(-len(data[_SLIM_KEYS:]) % 4)
        first = FIRST_WHERE if frame_of(data).coordinate is not None else FIRST_SLIM
        steps = [(0, first), (1, first + 3), (2, first + 5)]
    return _steps(padded, steps)


def _steps(padded: bytes, steps: list[tuple[int, int]]) -> bytes:
    return b"".join(
        bytes((who, what, 2, min(len(padded) // 4, 255))) + padded[: 4 * 255] for who, what in steps
    )


def main() -> None:
    """Write one file a datagram for each target."""
    envelope = CoseEnvelope(FORGER, "gossipmm", random.Random(3))
    for target in ("decoder", "node", "sealed"):
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in (datagrams() | messages()).items():
            out = data
            if target == "node":
                out = _script(data)
            elif target == "sealed":
                out = envelope.seal(data, ("10.0.0.1", 1), 0.0)
            (folder / name).write_bytes(out)
    for name, script in said().items():
        (CORPUS / "node" / name).write_bytes(script)


if __name__ == "__main__":
    main()
