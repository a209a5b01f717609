"""Addresses that change under a running host bound to the wildcard address."""

from __future__ import annotations

import time

import pytest

from tests.namespaces import Host
from tests.processes.netns.site import Site, complete, lasting, seed
from tests.processes.program import Program, until

#: Seconds in which a host notices that its addresses changed, and everybody knows.
NOTICED = 10.0
#: Seconds after which a probe that went to the old address has ended, and its suspicion been told.
IN_FLIGHT = 2.0


def three(site: Site, bind: str = "0.0.0.0") -> tuple[dict[str, Host], list[Program]]:
    """Start three agents on wildcard addresses, all known to all."""
    hosts, programs = {}, []
    for number, name in enumerate("abc", 1):
        hosts[name] = site.host(name, f"10.9.0.{number}/24", f"fd09::{number}/64")
        programs.append(site.agent(hosts[name], *(seed("10.9.0.1") if programs else ()), bind=bind))
    complete(programs)
    return hosts, programs


def announced(program: Program, name: str) -> str:
    """Return the addresses of a member, as a program knows them."""
    return next(str(row["addresses"]) for row in program.ask("members") if row["name"] == name)


def quiet(programs: list[Program], since: float) -> float:
    """Return the seconds since somebody was suspected, or since then. Agents tell this clock."""
    told = [line["at"] for program in programs for line in program.told("member_suspected")]
    return time.clock_gettime(time.CLOCK_BOOTTIME) - max([since, *told])


def suspicions(programs: list[Program]) -> int:
    return sum(len(program.told("member_suspected")) for program in programs)


@pytest.mark.parametrize(
    ("bind", "old", "new"),
    [
        ("0.0.0.0", "10.9.0.2/24", "10.9.0.12/24"),
        ("[::]", "fd09::2/64", "fd09::12/64"),
    ],
    ids=["ipv4", "ipv6"],
)
def test_a_host_whose_address_changes_announces_the_new_one(site, bind, old, new):
    """It announced the old one for ever, and was suspected and refuted once or twice a second.

    Each peer logged 290 to 390 lines a minute, and a quarter of the picks went to an address that
    nobody had; on the host itself no line, and ``status --check`` was content. (Reported of Consul,
    issues 1580, 1185 and 4494.)
    """
    hosts, programs = three(site, bind)
    hosts["b"].delete(old)
    hosts["b"].add(new)
    literal = new.partition("/")[0]
    for program in programs:
        until(
            lambda program=program: literal in announced(program, "b"),
            f"{literal} known to {program.name}",
            NOTICED,
        )
    known = time.clock_gettime(time.CLOCK_BOOTTIME)
    until(
        lambda: quiet(programs, known) > IN_FLIGHT, "an end of what the old address began", NOTICED
    )
    before = suspicions(programs)
    lasting(lambda: suspicions(programs) == before, "nobody suspected", 5)
    complete(programs)


def test_a_host_that_loses_its_address_says_so_itself_until_it_is_back(site):
    """It held everybody else for dead, and said nothing of itself.

    All its sends failed, and ``status --check`` said that all live peers agree: there were none.
    """
    hosts, programs = three(site)
    _, b, _ = programs
    hosts["b"].delete("10.9.0.2/24")
    until(lambda: any("10.9.0.2" in line for line in b.errors), "a warning", NOTICED)
    code, said = site.status(hosts["b"])
    assert code == 1
    assert "TROUBLE" in said
    assert "10.9.0.2" in said
    hosts["b"].add("10.9.0.2/24")
    complete(programs)
    until(lambda: site.status(hosts["b"])[0] == 0, "the trouble over", NOTICED)


def test_one_address_more_changes_nothing(site):
    hosts, programs = three(site)
    hosts["b"].add("10.9.0.12/24")
    lasting(lambda: suspicions(programs) == 0, "nobody suspected", 5)
    assert all("10.9.0.2:" in announced(program, "b") for program in programs)
    complete(programs)
