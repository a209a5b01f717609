"""Count what one datagram with one page walks through, from the node's door to the readers' table.

    python -m tests.bench.walk_of_a_datagram [--lines]

A move is a call of a function in another file (or room) of the core than its caller's; a return is
a move to a file that was left before. ``--lines`` prints the calls.
"""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import gossipmm.core
from tests.helpers import NodePair

CORE = str(Path(gossipmm.core.__file__).parent)


class Walk(NamedTuple):
    """One walk: how many calls, functions, files, moves between files, returns, rooms, moves."""

    calls: int
    functions: int
    files: int
    moves: int
    returns: int
    rooms: int
    room_moves: int
    room_returns: int


class Recorder:
    """Writes down which function of the core is entered, while it is the profiler."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, str]] = []

    def __call__(self, frame: FrameType, what: str, _: object) -> None:
        """Take a call (``sys.setprofile``)."""
        code = frame.f_code
        if what == "call" and code.co_filename.startswith(CORE):
            self.steps.append((code.co_filename[len(CORE) + 1 :], code.co_qualname))

    def walk(self) -> Walk:
        """Count."""
        files = [file for file, _ in self.steps]
        rooms = [file.split("/")[0] if "/" in file else "top" for file in files]
        return Walk(
            len(files),
            len(set(self.steps)),
            len(set(files)),
            *moves(files),
            len(set(rooms)),
            *moves(rooms),
        )


def moves(places: list[str]) -> tuple[int, int]:
    """Count moves from one place to another, and those among them to one that was left before."""
    seen: set[str] = set()
    there = back = 0
    for before, now in pairwise(places):
        seen.add(before)
        if now != before:
            there += 1
            back += now in seen
    return there, back


def record() -> Recorder:
    """Let one of two nodes that know each other hear of one new registration of the other."""
    pair = NodePair()
    pair.settle()
    pair.a.register("volume", "a", now=pair.now)
    pair.a.handle_timer(pair.a.next_timer())
    data, _ = pair.a.datagrams_to_send()[0]
    source = pair.a.addresses[0]
    recorder = Recorder()
    sys.setprofile(recorder)
    try:
        pair.b.receive_datagram(data, source, pair.now)
    finally:
        sys.setprofile(None)
    assert pair.b.table.topic("volume") is not None
    return recorder


if __name__ == "__main__":
    recorder = record()
    if "--lines" in sys.argv[1:]:
        for file, function in recorder.steps:
            print(f"{file:30} {function}")
    print(recorder.walk())
