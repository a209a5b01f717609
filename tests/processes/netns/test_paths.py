"""Paths that lose what is large, without a word: a VPN, with ICMP filtered."""

from __future__ import annotations

import re
import time

import pytest

from tests.namespaces import Host, drop_above
from tests.processes.netns.site import Site, seed
from tests.processes.program import Program, until

#: Topics of each host: their names fill several datagrams of 1,200 bytes.
TOPICS = 60
#: What an idle host may send, by its interface: three times what one does on a good path.
IDLE = 1500.0


def start(site: Site, size: int, where: str) -> tuple[list[Host], list[Program]]:
    """Start three agents with many topics; ``where``: on all paths, or on those of c."""
    hosts = [site.host(name, f"10.9.0.{number}/24") for number, name in enumerate("abc", 1)]
    a, _, c = hosts
    site.switch.rules(
        *{
            "all": [drop_above(size)],
            "c": [drop_above(size, source=c), drop_above(size, to=c)],
            "to c": [drop_above(size, to=c)],
        }[where]
    )
    programs = []
    for host in hosts:
        topics = [f"topic-{number:03d}-of-{host.name}" for number in range(TOPICS)]
        words = [word for topic in topics for word in ("--register", topic)]
        programs.append(site.agent(host, *words, *(seed("10.9.0.1") if host is not a else ())))
    return hosts, programs


def all_known(programs: list[Program], seconds: float) -> None:
    """Wait until everybody knows the topics of all. Raises AssertionError."""
    end = time.monotonic() + seconds
    for program in programs:
        until(
            lambda program=program: len(program.ask("topics")) == 3 * TOPICS + 1,
            f"all topics known to {program.name}",
            max(0.0, end - time.monotonic()),
        )


PATHS = [
    (1200, "all"),
    (1000, "all"),
    (600, "all"),
    (1000, "c"),
    (600, "to c"),
]


@pytest.mark.parametrize(("size", "where"), PATHS)
def test_a_path_that_carries_nothing_large(site, size, where):
    """Tables were never equal, and 20 to 33 kB went out each second, for ever.

    Small datagrams, and so all probes, got through: everybody was alive. (Reported of Docker:
    moby issue 43673, libnetwork issue 2661.)
    """
    hosts, programs = start(site, size, where)
    all_known(programs, 8)
    rates: dict[str, float] = {}
    for _ in range(5):  # what goes on when the last topic is known ends soon
        rates = sent_a_second(hosts, 2.0)
        if max(rates.values()) < IDLE:
            break
    assert max(rates.values()) < IDLE, rates


def sent_a_second(hosts: list[Host], span: float) -> dict[str, float]:
    """Return the bytes that each host sends in a second."""
    before, began = [host.counters("eth0").sent_bytes for host in hosts], time.monotonic()
    time.sleep(span)  # a rate needs a span
    seconds = time.monotonic() - began
    after = [host.counters("eth0").sent_bytes for host in hosts]
    return {
        host.name: (late - early) / seconds
        for host, early, late in zip(hosts, before, after, strict=True)
    }


def test_a_small_path_is_told_on_both_sides(site):
    """Nobody said a word of it: whoever can see it, says who, and how many bytes pass."""
    hosts, programs = start(site, 600, "c")
    a, _, c = hosts
    for host, other in ((a, "c"), (c, "a")):
        program = next(program for program in programs if program.name == host.name)
        until(
            lambda program=program, host=host, other=other: any(
                re.search(rf"\b{other}\b.*\bbytes\b", line)
                for line in [*program.errors, *site.status(host)[1].splitlines()]
            ),
            f"the path to {other} told by {host.name}",
            8,
        )
