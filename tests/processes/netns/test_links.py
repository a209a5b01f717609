"""Links without a default route, and links that carry little."""

from __future__ import annotations

from tests.processes.netns.site import complete, seed
from tests.processes.program import until

#: Topics whose names fill several datagrams of 1,200 bytes.
TOPICS = 60


def test_a_host_without_a_default_route_announces_the_address_that_leads_to_its_seed(site):
    """An isolated network, such as one for storage: the agent ended at once, with status 2."""
    a, b = (site.host(name, f"10.9.0.{number}/24") for number, name in enumerate("ab", 1))
    b.ip("route", "del", "default")
    programs = [site.agent(a), site.agent(b, *seed("10.9.0.1"))]
    complete(programs)
    assert programs[1].told("started")[0]["addresses"] == ["10.9.0.2:7946"]


def test_a_link_that_carries_less_than_a_datagram_is_told_with_what_to_do(site):
    """The kernel cut datagrams into fragments, or a counter of errors rose that nobody reads."""
    a, b = (site.host(name, f"10.9.0.{number}/24") for number, name in enumerate("ab", 1))
    b.ip("link", "set", "eth0", "mtu", "900")
    topics = [f"topic-{number:03d}-of-b" for number in range(TOPICS)]
    words = [word for topic in topics for word in ("--register", topic)]
    programs = [site.agent(a), site.agent(b, *seed("10.9.0.1"), *words)]

    def said() -> list[str]:
        return [line for line in programs[1].errors if "set max_datagram on all members" in line]

    until(said, "the link told", 10)
    assert len(said()) == 1


def test_small_datagrams_fit_a_small_link(site):
    """What that line advises: everything is known, and nothing is refused."""
    a, b = (site.host(name, f"10.9.0.{number}/24") for number, name in enumerate("ab", 1))
    for host in (a, b):
        host.ip("link", "set", "eth0", "mtu", "900")
    small = ("--set", "max_datagram=800")
    words = [
        word for number in range(TOPICS) for word in ("--register", f"topic-{number:03d}-of-b")
    ]
    programs = [site.agent(a, *small), site.agent(b, *seed("10.9.0.1"), *small, *words)]
    complete(programs)
    until(lambda: len(programs[0].ask("topics")) >= TOPICS + 1, "all topics known", 10)
    assert not [line for line in programs[1].errors if "set max_datagram" in line]
