"""Many hosts at once: a boot of all, and a rack that loses its power and gets it back."""

from __future__ import annotations

import signal

import pytest

from tests.namespaces import Host
from tests.processes.netns.site import Site, complete, seed
from tests.processes.program import Program, until

HOSTS = 25
RACK = 6
#: Seconds after the start of the last one until every lookup is complete. A push takes 0.15 at
#: most beside 25 processes on two cores; without one the comparison of tables takes 0.5 and more.
SOON = 0.5


def boot(site: Site, hosts: list[Host], seeds: int) -> tuple[float, float]:
    """Start all at once, and kill them; return the seconds from the last start to the last lookup.

    And those from the first start to the last one. The first ``seeds`` hosts are the seeds of all.
    """
    join = [word for number in range(1, seeds + 1) for word in seed(f"10.9.0.{number}")]
    programs = [site.agent(host, *join) for host in hosts]
    for program in programs:
        until(lambda program=program: program.told("started"), f"{program.name} started")
    starts = [program.told("started")[0]["at"] for program in programs]
    last = max(starts)
    waited = max(complete_at(program) for program in programs) - last
    print(f"{HOSTS} hosts, {seeds} seeds: complete {1000 * waited:.0f} ms after the last start")
    for program in programs:
        program.signal(signal.SIGKILL)
    for program in programs:
        program.wait()
    return waited, last - min(starts)


def complete_at(program: Program) -> float:
    """Wait until all hosts are in the lookup of an agent; return when, by its clock."""

    def all_live() -> list[float] | None:
        lines = program.told("host_changed", topic="compute", state="live")
        return [line["at"] for line in lines] if len({e["host"] for e in lines}) == HOSTS else None

    return max(until(all_live, f"all in the lookup of {program.name}", 15))


@pytest.mark.parametrize("seeds", [HOSTS, 3, 1])
def test_all_hosts_boot_at_once_and_every_lookup_is_complete_at_once(site, seeds):
    """A host that booted beside others was without its registrations for 0.7 to 2.6 s.

    Everybody knew that it was alive: that goes with its hello. Its registrations went to the first
    peer, which was another newcomer that knew nobody, and were from then on only had by comparing
    tables. With one seed it was so in four of seven boots, with all as seeds (one configuration for
    all of a rack) in five of five. How long the starts take tells how slow this machine is just
    now; the scenario ``a_rack_boots`` has the figure itself, which does not depend on that.
    """
    hosts = [site.host(f"h{number:02d}", f"10.9.0.{number}/24") for number in range(1, HOSTS + 1)]
    waited, started_within = boot(site, hosts, seeds)
    if waited >= max(SOON, started_within):  # one in nine, beside a dozen other programs
        waited, started_within = boot(site, hosts, seeds)
    assert waited < max(SOON, started_within)


def racks(site: Site) -> tuple[list[Host], list[Host]]:
    """Connect two racks."""
    one, two = (
        [site.host(f"{rack}{number}", f"10.9.{of}.{number}/16") for number in range(1, RACK + 1)]
        for of, rack in enumerate("ab")
    )
    return one, two


def test_a_rack_loses_its_power_and_gets_it_back(site):
    """Half of the members die at once, and are started again at once, under their old names.

    Until then they are in nobody's lookup; afterwards in everybody's. Nobody accuses the others.
    """
    one, two = racks(site)
    join = [*seed("10.9.0.1"), *seed("10.9.1.1")]
    standing = [site.agent(host, *join) for host in one]
    falling = [site.agent(host, *join) for host in two]
    complete([*standing, *falling])
    for program in falling:
        program.signal(signal.SIGKILL)
    complete(standing)
    back = [site.agent(host, *join) for host in two]
    complete([*standing, *back])
    survivors = {program.name for program in standing}
    for program in [*standing, *back]:
        assert not survivors & {line["name"] for line in program.told("member_died")}
