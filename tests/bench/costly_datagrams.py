"""What one datagram of a member can make a node do, at its worst: steps of work, and time.

    python -m tests.bench.costly_datagrams --members 10000

Besides the many there are two members with thousands of registrations: one with 40 in each page,
one with one in each.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Callable
from itertools import count
from statistics import median
from typing import Final

from gossipmm.core.values.evidence_time import first_hand
from gossipmm.core.values.types import NO_METADATA, NodeState, Registration
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import Page, encode_entry, encode_page, encode_page_zero
from tests.bench.large_scene import GENERATION, LargeScene, Thunk, member_name, page_zero

#: Bytes of pages, or other contents, in a datagram of 1,200.
ROOM: Final = 1100


def page(name: str, generation: int, number: int, version: int, *names: tuple[str, str]) -> Page:
    """Build a page that registers (topic, host) pairs."""
    entries = [Registration(*one) for one in names]
    written = [(one, encode_entry(one)) for one in entries]
    return encode_page(name, generation, number, version, written)


class CostlyScene(LargeScene):
    """Many members, and two with very much each."""

    def __init__(self, members: int, topics: int, registrations: int) -> None:
        super().__init__(members, topics, max_registrations=100_000, max_accusations=100_000)
        self.counter = count(100)
        self.large, self.scattered = "large", "scattered"
        self.registrations = registrations
        self.begin(self.large, GENERATION, 40)
        self.begin(self.scattered, GENERATION, 1)
        self.settle()

    def begin(self, name: str, generation: int, in_a_page: int) -> None:
        """Let a large member have all its registrations."""
        table = self.node.table
        self.put(self.zero(name, generation, 1))
        for number in range(0, self.registrations, in_a_page):
            names = [("t", f"{name}-{one}") for one in range(number, number + in_a_page)]
            table.put(page(name, generation, 1 + number // in_a_page, 2, *names), self.now)
        table.publish()

    def put(self, one: Page) -> None:
        _, member = self.node.table.put(one, self.now)
        assert member is not None
        member.hear_alive(1, first_hand(self.now))
        self.node.table.refresh(member, self.now)

    @staticmethod
    def zero(name: str, generation: int, version: int, state: NodeState = NodeState.UP) -> Page:
        return encode_page_zero(name, generation, version, state, (("127.0.0.1", 7),), NO_METADATA)

    def pages(self, *pages: Page) -> Thunk:
        assert sum(len(one.raw) + 3 for one in pages) <= ROOM
        return self.hearing(options={wire.OPT_PAGES: [one.raw for one in pages]})

    # -- datagrams -----------------------------------------------------------------------------

    def costly(self) -> dict[str, Callable[[], Thunk]]:
        """Return what makes each datagram, by what it does."""
        return {
            "page 0 of large members flips": self.flip_large,
            "page 0 flips 11 times": self.flip_often,
            "a new life of a large member": self.renew_large,
            "a page of 130 short registrations": self.short_entries,
            "11 new pages of a member with thousands": self.scattered_pages,
            "11 names that nobody knows": self.new_names,
            "75 members suspected": lambda: self.accuse(wire.SUSPECT),
            "75 members dead": lambda: self.accuse(wire.DEAD),
            "75 unknown members": self.unknown,
            "50 rows about large members": self.rows_about_large,
            "40 wants of large members": self.wants_of_large,
            "an empty digest": self.empty_digest,
            "hashes, all differ": lambda: self.hashes(self.count),
            "a pull": lambda: self.hearing(options={wire.OPT_PULL: [0, 0]}),
            "a pull of the gone": lambda: self.hearing(options={wire.OPT_PULL: [0, 1, True]}),
        }

    def flip_large(self) -> Thunk:
        version = next(self.counter)
        state = NodeState.DRAINING if version % 2 else NodeState.UP
        names = (self.large, self.scattered)
        return self.pages(
            *(self.zero(name, self.generation(name), version, state) for name in names)
        )

    def generation(self, name: str) -> int:
        return self.node.table.by_name[name].generation

    def flip_often(self) -> Thunk:
        generation = self.generation(self.large)
        versions = [next(self.counter) for _ in range(11)]
        states = (NodeState.UP, NodeState.DRAINING)
        return self.pages(
            *(self.zero(self.large, generation, one, states[one % 2]) for one in versions)
        )

    def renew_large(self) -> Thunk:
        """Both of them begin anew, with nothing."""
        for name, in_a_page in ((self.large, 40), (self.scattered, 1)):
            if not self.node.table.by_name[name].registered:
                self.begin(name, self.generation(name), in_a_page)
        self.settle()
        lives = [
            self.zero(name, self.generation(name) + 1, 1) for name in (self.large, self.scattered)
        ]
        return self.pages(*lives)

    def short_entries(self) -> Thunk:
        """Each host is another one, in a topic of its own."""
        version = next(self.counter)
        name = member_name(version % 50)
        names = [
            (chr(97 + one % 26) + chr(97 + one // 26), f"{version % 100:02}") for one in range(130)
        ]
        return self.pages(page(name, GENERATION, 9, version, *names))

    def scattered_pages(self) -> Thunk:
        version = next(self.counter)
        generation = self.generation(self.scattered)
        first = version % 90 * 11 + 1
        return self.pages(
            *(
                page(self.scattered, generation, number, version, ("t", f"other-{number}"))
                for number in range(first, first + 11)
            )
        )

    def new_names(self) -> Thunk:
        first = 5_000_000 + 11 * next(self.counter)
        return self.pages(*(page_zero(number) for number in range(first, first + 11)))

    def accuse(self, claim: int) -> Thunk:
        rows = []
        for _ in range(75):
            member = self.member(self.next())
            rows.append(wire.row(member.key, max(member.k, member.s) + 1, claim, 1))
        return self.hearing(rows=b"".join(rows))

    def unknown(self) -> Thunk:
        rows = (wire.row(next(self.counter) << 40, 5, wire.ALIVE, 1) for _ in range(75))
        return self.hearing(rows=b"".join(rows))

    def keys_of_large(self) -> list[int]:
        return [self.node.table.by_name[name].key for name in (self.scattered, self.large)]

    def rows_about_large(self) -> Thunk:
        keys = self.keys_of_large()
        rows = (wire.digest_row(key, 1, wire.ALIVE, 1, b"abcdef") for key in keys * 25)
        return self.hearing(options={wire.OPT_DIGEST: [8, b"", b"".join(rows), 2]})

    def wants_of_large(self) -> Thunk:
        """It holds no page that is here, and one that is not."""
        held = wire.vector({65_000: 5})
        wants = [[key, held] for key in self.keys_of_large() * 20]
        return self.hearing(options={wire.OPT_WANT: wants})


def measure(scene: CostlyScene, prepare: Callable[[], Thunk], rounds: int) -> tuple[int, float]:
    """Return the most steps of work of a datagram, and the median of its time in seconds."""
    steps, seconds = [], []
    for _ in range(rounds):
        run = prepare()
        before = scene.node.stats.work
        begin = time.thread_time()
        run()
        seconds.append(time.thread_time() - begin)
        steps.append(scene.node.stats.work - before)
        scene.node.table.publish()
        scene.settle()
    return max(steps), median(seconds)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--members", type=int, default=10_000)
    parser.add_argument("--registrations", type=int, default=10_000, help="of the large ones")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    scene = CostlyScene(options.members, 8, options.registrations)
    gc.collect()
    gc.freeze()
    print(f"{'a datagram':42}{'steps':>8}{'us':>8}{'us a step':>12}")
    for name, prepare in scene.costly().items():
        steps, seconds = measure(scene, prepare, options.rounds)
        print(f"{name:42}{steps:8}{seconds * 1e6:8.0f}{seconds * 1e6 / max(steps, 1):12.2f}")


if __name__ == "__main__":
    main()
