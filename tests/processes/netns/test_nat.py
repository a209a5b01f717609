"""A host behind a router that translates addresses and forwards one port."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.processes.netns.site import PORT, Site, complete, lasting, seed
from tests.processes.program import Program

NAT = """
table ip nat {{
  chain pre {{
    type nat hook prerouting priority -100
    iifname "eth0" udp dport {port} dnat to 10.8.0.3
  }}
  chain post {{
    type nat hook postrouting priority 100
    oifname "eth0" masquerade {how}
  }}
}}
"""


def start(site: Site, how: str) -> list[Program]:
    """Start a and b on one network, c on another one behind a router of the first."""
    inner = site.net.switch("inner")
    router = site.host("router", "10.9.0.254/24")
    router.plug(inner, "10.8.0.254/24")
    router.sysctl(ipv4__ip_forward=1)
    router.nft(NAT.format(port=PORT, how=how))
    a = site.host("a", "10.9.0.1/24")
    b = site.host("b", "10.9.0.2/24")
    c = site.host("c", "10.8.0.3/24", switch=inner)
    c.route("10.8.0.254")
    outside = f"10.9.0.254:{PORT}"
    return [
        site.agent(a),
        site.agent(b, *seed("10.9.0.1")),
        site.agent(c, *seed("10.9.0.1"), "--advertise", outside),
    ]


def sources(program: Program) -> Counter[tuple[str, str]]:
    """Count what was told of members that send from elsewhere, by member and source."""
    return Counter((line["name"], line["source"]) for line in program.told("source_differs"))


@pytest.mark.parametrize(
    "how",
    [
        pytest.param("", id="keeps ports"),
        pytest.param("random", id="rewrites ports"),
    ],
)
def test_a_host_behind_nat_is_known_and_its_source_told_once(site, how):
    """It worked, with 30 to 60 warnings in 40 s, for ever.

    What it sends unasked comes from the port that the router chose, what it answers from the one
    that is forwarded: each time the source was another than last time. (Reported of Consul, issue
    1465, and of Docker, moby issue 8795.)
    """
    programs = start(site, how)
    complete(programs)
    lasting(
        lambda: all(max([0, *sources(program).values()]) <= 1 for program in programs),
        "each source of a member told once",
        10,
    )
    complete(programs)
    for program in programs:
        assert program.told("member_suspected") == []
