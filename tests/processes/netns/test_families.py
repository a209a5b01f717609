"""Hosts with IPv4, IPv6, or both: who can reach whom is a matter of the pair, not of the host."""

from __future__ import annotations

import pytest

from tests.processes.netns.site import Site, complete, seed
from tests.processes.program import Program, until

#: Host -> what its agent binds to. Every host has both families.
DUAL = {"a": "[::]", "b": "[::]", "c": "[::]"}


def start(site: Site, binds: dict[str, str], join: str) -> list[Program]:
    """Start an agent a host; all but the first join it."""
    programs = []
    for number, (name, bind) in enumerate(binds.items(), 1):
        host = site.host(name, f"10.9.0.{number}/24", f"fd09::{number}/64")
        programs.append(site.agent(host, *(seed(join) if programs else ()), bind=bind))
    return programs


@pytest.mark.parametrize(
    ("binds", "join"),
    [
        ({"a": "0.0.0.0", "b": "0.0.0.0", "c": "0.0.0.0"}, "10.9.0.1"),
        ({"a": "10.9.0.1", "b": "10.9.0.2", "c": "0.0.0.0"}, "10.9.0.1"),
        ({"a": "[fd09::1]", "b": "[fd09::2]", "c": "[fd09::3]"}, "fd09::1"),
        (DUAL, "fd09::1"),
        (DUAL, "10.9.0.1"),
        ({**DUAL, "c": "[fd09::3]"}, "fd09::1"),
    ],
    ids=["ipv4", "ipv4 literals", "ipv6", "both by ipv6", "both by ipv4", "ipv6 beside both"],
)
def test_hosts_that_share_their_first_family_find_each_other(site, binds, join):
    complete(start(site, binds, join))


def test_a_host_with_ipv4_only_beside_hosts_with_both(site):
    """It was alive everywhere and in nobody's lookups, for ever, in silence.

    Hosts on ``[::]`` announce IPv6 first. The host bound to an IPv4 address was probed at each
    address in turn, so all held it alive; whatever it had to tell went into EAFNOSUPPORT.
    (Reported of chitchat, issue 45, and of dskit, pull request 185.)
    """
    complete(start(site, {**DUAL, "c": "10.9.0.3"}, "10.9.0.1"), 8)


def test_a_newcomer_with_both_families_whose_seed_has_ipv4_only(site):
    """It never joined: "cannot reach this node at [fd09::2], the address that it announces".

    Its datagrams came from an IPv4 address that it announces as well, and that works.
    """
    complete(start(site, {**DUAL, "a": "10.9.0.1", "c": "10.9.0.3"}, "10.9.0.1"), 8)


def test_both_families_announced_and_one_of_them_broken_from_the_start(site):
    """Hosts have IPv6 addresses and a route, and the network between them carries no IPv6.

    The seed held all of them alive and listed none; they themselves never joined.
    """
    site.switch.rules("ether type ip6 counter drop")
    complete(start(site, DUAL, "10.9.0.1"), 8)


def test_the_family_that_is_announced_second_is_broken(site):
    site.switch.rules("ether type ip counter drop", "ether type arp drop")
    complete(start(site, DUAL, "fd09::1"))


def test_one_family_breaks_under_running_hosts(site):
    """IPv6 is lost between hosts that reach each other over IPv4 as well.

    They held each other alive, because probes go to every address in turn, and what was registered
    from then on stayed unknown.
    """
    programs = start(site, DUAL, "10.9.0.1")
    complete(programs)
    site.switch.rules("ether type ip6 counter drop")
    for program in programs:
        program.say("register later")
    complete(programs, 10, key="later")
    first, *_ = programs
    until(lambda: set(first.statuses().values()) == {"alive"}, "all alive", 10)
