"""What one node pays for a large table: time of each operation, and memory of a member.

    python -m tests.bench.large_table --members 10000 --topics 10

The node is real, and nothing is sent. Told: the median and the worst of each operation, in
microseconds, once with a tenth of the members and once with all of them. What does not depend on
their number has one figure twice.
"""

from __future__ import annotations

import argparse
import gc
import time
import tracemalloc
from collections.abc import Callable
from statistics import median
from typing import NamedTuple

from tests.bench.large_scene import LargeScene, Thunk

#: Rounds of each operation.
ROUNDS = 60


class Cost(NamedTuple):
    """Seconds of one operation."""

    median: float
    worst: float


def measure(scene: LargeScene, prepare: Callable[[], Thunk]) -> Cost:
    """Time one operation many times: not what prepares it, nor what is done with its answers.

    In time of the processor: whatever else runs on the machine counts for nothing.
    """
    seconds = []
    for _ in range(ROUNDS):
        run = prepare()
        begin = time.thread_time()
        run()
        seconds.append(time.thread_time() - begin)
        scene.settle()
    return Cost(median(seconds), max(seconds))


def costs(members: int, topics: int) -> dict[str, Cost]:
    """Return the cost of each operation with so many members."""
    scene = LargeScene(members, topics)
    gc.collect()
    gc.freeze()
    try:
        return {name: measure(scene, prepare) for name, prepare in scene.operations().items()}
    finally:
        gc.unfreeze()


def bytes_per_member(members: int, topics: int) -> float:
    """Return the memory of one member with its registrations, measured while a table is filled."""
    gc.collect()
    tracemalloc.start()
    scene = LargeScene(0, topics)
    scene.fill(range(members // 10))
    before = tracemalloc.get_traced_memory()[0]
    scene.fill(range(members // 10, members))
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return (after - before) / (members - members // 10)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--members", type=int, default=10_000)
    parser.add_argument("--topics", type=int, default=10, help="registrations of each member")
    parser.add_argument("--no-memory", action="store_true", help="time alone")
    options = parser.parse_args()
    sizes = (options.members // 10, options.members)
    found = [costs(size, options.topics) for size in sizes]
    print(f"{'us, median (worst)':34}" + "".join(f"{size:>12} members" for size in sizes))
    for name in found[0]:
        cells = (f"{one[name].median * 1e6:9.0f} ({one[name].worst * 1e6:6.0f})" for one in found)
        print(f"{name:34}" + "  ".join(cells))
    if options.no_memory:
        return
    for topics in (0, 1, options.topics):
        each = bytes_per_member(min(options.members, 3000), topics)
        print(f"memory of a member with {topics} registrations: {each:.0f} bytes")


if __name__ == "__main__":
    main()
