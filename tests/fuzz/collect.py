"""Write the corpus: one real datagram of each shape that a small cluster sends.

python -m tests.fuzz.collect
"""

from __future__ import annotations

import random
from pathlib import Path

from gossipmm.core.sealing.envelope import CoseEnvelope
from gossipmm.core.sealing.keyring import Key, Keyring
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.slim import is_slim
from tests.fuzz.script import FIRST_SLIM
from tests.helpers import Mesh

CORPUS = Path(__file__).parent / "corpus"
#: The key id that the target has, another secret.
FORGER = Keyring((Key(b"\x01", bytes(range(1, 33))),))
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
    found: dict[str, bytes] = {}
    for packet in mesh.sent:
        frame = packet.frame
        options = "-".join(map(str, sorted(frame.options)))
        rows = len(frame.rows) // wire.ROW_SIZE
        name = f"{wire.KIND_NAMES[frame.kind]}-{rows}-{options or 'none'}"
        found.setdefault(f"slim-{name}" if is_slim(packet.data) else name, packet.data)
    return found


def _script(data: bytes) -> bytes:
    """Return steps: peers say it as it is, as options of their own, and as a slim frame."""
    padded = data[: 4 * 255] + bytes(-len(data) % 4)
    steps = [(0, 200), (1, 15)]
    if is_slim(data):
        # Behind its keys; a SYN to the node, and an ACK to what it asked meanwhile.
        padded = data[_SLIM_KEYS:] + bytes(-len(data[_SLIM_KEYS:]) % 4)
        steps = [(0, FIRST_SLIM), (1, FIRST_SLIM + 3), (2, FIRST_SLIM + 5)]
    return b"".join(
        bytes((who, what, 2, min(len(padded) // 4, 255))) + padded[: 4 * 255] for who, what in steps
    )


def main() -> None:
    """Write one file a datagram for each target."""
    envelope = CoseEnvelope(FORGER, "gossipmm", random.Random(3))
    for target in ("decoder", "node", "sealed"):
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in datagrams().items():
            out = data
            if target == "node":
                out = _script(data)
            elif target == "sealed":
                out = envelope.seal(data, ("10.0.0.1", 1), 0.0)
            (folder / name).write_bytes(out)


if __name__ == "__main__":
    main()
