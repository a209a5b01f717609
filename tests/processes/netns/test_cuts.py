"""Networks that are cut in two, and networks that lose a part of everything."""

from __future__ import annotations

import time

from tests.namespaces import cut, lossy
from tests.processes.netns.site import complete, lasting, seed
from tests.processes.program import run


def test_two_halves_forget_each_other_and_heal(site):
    """Each side answers with its own half, until the cut is over; then all answer with all."""
    hosts = [site.host(f"h{number}", f"10.9.0.{number}/24") for number in range(1, 7)]
    programs = [site.agent(host, *seed("10.9.0.1")) for host in hosts]
    complete(programs)
    site.switch.rules(*cut(hosts[:3], hosts[3:]))
    complete(programs[:3])
    complete(programs[3:])
    assert site.switch.dropped()
    site.switch.rules()
    began = time.monotonic()
    complete(programs)
    print(f"healed after {time.monotonic() - began:.2f} s")


def test_a_network_that_loses_a_fifth_of_everything_kills_nobody(site):
    hosts = [site.host(f"h{number}", f"10.9.0.{number}/24") for number in range(1, 7)]
    site.switch.rules(lossy(0.2))
    programs = [site.agent(host, *seed("10.9.0.1")) for host in hosts]
    complete(programs)
    lasting(lambda: not any(program.told("member_died") for program in programs), "nobody dead", 10)
    assert site.switch.dropped()


def test_one_host_that_connects_two_halves_keeps_all_of_them_in_lookups(site):
    """Whoever asks others for help is told who reaches the other half [P198]."""
    hosts = [site.host(f"h{number}", f"10.9.0.{number}/24") for number in range(1, 10)]
    programs = [site.agent(host, *seed("10.9.0.1")) for host in hosts]
    complete(programs)
    site.switch.rules(*cut(hosts[1:5], hosts[5:]))
    lasting(lambda: not any(program.told("member_died") for program in programs), "nobody dead", 12)
    assert site.switch.dropped()
    complete(programs)
    said = [
        run("why", f"h{number}", "--control", str(site.control(host))).stdout
        for host in hosts[5:7]
        for number in range(2, 6)
    ]
    assert any("could not reach it, but h1 could" in one for one in said), said
