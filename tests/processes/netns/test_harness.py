"""The harness leaves nothing behind, and loses what it is told to lose."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time

from tests.namespaces import cut, drop_above, own_network
from tests.processes.program import DEADLINE, ended, until

MAKE = """
import time
from tests.namespaces import Net
net = Net()
host = net.host("a", net.switch(), "10.9.0.1/24")
print(host.pid, flush=True)
time.sleep(60)
"""

SEND = """
import socket
port = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
port.bind(("10.9.0.1", 0))
for size in (500, 600, 601, 1000, 1):
    port.sendto(bytes(size), ("10.9.0.2", 9))
"""

RECEIVE = """
import socket
port = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
port.bind(("10.9.0.2", 9))
port.settimeout(10)
print("bound", flush=True)
sizes = []
while 1 not in sizes:
    sizes.append(len(port.recv(2000)))
print(sizes, flush=True)
"""


def test_namespaces_end_with_the_program_that_made_them_however_it_ends(site):
    """Names in ``/run/netns`` outlive a run that is killed, and the next one meets them."""
    maker = subprocess.Popen([sys.executable, "-c", MAKE], stdout=subprocess.PIPE)
    with maker:
        assert maker.stdout is not None
        holder = int(maker.stdout.readline())
        assert not ended(holder)
        maker.kill()
        maker.wait(DEADLINE)
        until(lambda: ended(holder), "the namespace gone")


def test_a_small_path_loses_what_is_above_and_nothing_else(site):
    a, b = (site.host(name, f"10.9.0.{number}/24") for number, name in enumerate("ab", 1))
    site.switch.rules(drop_above(600))
    command = [*b.prefix, sys.executable, "-c", RECEIVE]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as receiver:
        assert receiver.stdout is not None
        assert receiver.stdout.readline() == "bound\n"
        subprocess.run([*a.prefix, sys.executable, "-c", SEND], check=True, timeout=DEADLINE)
        assert receiver.stdout.readline() == "[500, 600, 1]\n"
    assert site.switch.dropped() == 2


def test_no_host_sees_the_network_of_this_machine(site):
    host = site.host("a", "10.9.0.1/24")
    own = os.stat("/proc/self/ns/net").st_ino
    assert os.stat(f"/proc/{host.pid}/ns/net").st_ino != own
    assert os.stat(f"/proc/{site.switch.pid}/ns/net").st_ino != own
    shown = host.ip("-brief", "link", "show")
    assert sorted(line.split("@")[0].split()[0] for line in shown.splitlines()) == ["eth0", "lo"]


def test_a_port_of_one_worker_is_free_for_another_which_is_back_in_the_end(site):
    """One test's agent may stop and come back to its port: no other one has taken it meanwhile."""
    before = os.stat("/proc/thread-self/ns/net").st_ino
    with socket.socket() as here:
        here.bind(("127.0.0.1", 0))
        with own_network(), socket.socket() as there:
            assert os.stat("/proc/thread-self/ns/net").st_ino != before
            there.bind(here.getsockname())
            there.listen()
            with socket.create_connection(there.getsockname(), timeout=DEADLINE):
                pass
    assert os.stat("/proc/thread-self/ns/net").st_ino == before


def test_a_cut_is_taken_back(site):
    a, b = (site.host(name, f"10.9.0.{number}/24") for number, name in enumerate("ab", 1))
    site.switch.rules(*cut([a], [b]))
    before = b.counters("eth0").received_bytes
    send = [*a.prefix, sys.executable, "-c", SEND]
    subprocess.run(send, check=True, timeout=DEADLINE)
    until(lambda: site.switch.dropped() > 0, "what was sent lost")
    assert b.counters("eth0").received_bytes - before < 500
    site.switch.rules()
    began = time.monotonic()
    subprocess.run(send, check=True, timeout=DEADLINE)
    until(lambda: b.counters("eth0").received_bytes - before > 2700, "what was sent received")
    assert time.monotonic() - began < DEADLINE
