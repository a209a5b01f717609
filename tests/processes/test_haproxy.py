"""A real HAProxy that takes its servers from our DNS: all of them, and no flaps.

Asked for eight hosts at random, each answer took healthy servers down that the one before had
brought: 582 log lines in 24 s, with nobody gone (haproxy#1160).
"""

import shutil
import socket
import subprocess
from functools import partial

import pytest
import trio

from gossipmm.config import Config
from gossipmm.sidecar.dns.responder import serve
from tests.helpers import Mesh

pytestmark = pytest.mark.skipif(
    shutil.which("haproxy") is None, reason="haproxy is not installed: apt-get install haproxy"
)

HOSTS = 40
CONFIG = """
global
    stats socket {stats} mode 600
    log stdout format raw local0
defaults
    mode tcp
    log global
    timeout connect 1s
    timeout client 1s
    timeout server 1s
resolvers g
    nameserver g {way}127.0.0.1:{dns}
    accepted_payload_size 8192
    timeout resolve 200ms
    timeout retry 200ms
    hold obsolete 1s
backend web
    server-template w 1-{slots} _web._udp.gossipmm. resolvers g init-addr none
"""


class Proxy:
    """One haproxy; ``lines`` has what it logged."""

    def __init__(self, folder, dns, way):
        self.stats = str(folder / "stats")
        config = folder / "haproxy.cfg"
        config.write_text(CONFIG.format(stats=self.stats, dns=dns, way=way, slots=HOSTS + 8))
        self.log = folder / "log"
        with open(self.log, "w") as file:
            self.process = subprocess.Popen(
                ["haproxy", "-db", "-f", str(config)], stdout=file, stderr=subprocess.STDOUT
            )

    def ask(self, command):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(5)
            sock.connect(self.stats)
            sock.sendall(command.encode() + b"\n")
            answer = b""
            while data := sock.recv(65536):
                answer += data
        return answer.decode()

    def servers(self):
        """Ports of the servers that are up."""
        try:
            rows = self.ask("show servers state web").splitlines()[2:]
        except OSError:
            return set()
        found = [row.split() for row in rows if row]
        return {row[18] for row in found if row[5] == "2" and row[18] != "0"}

    def weights(self):
        """Port -> weight of the servers that are up."""
        found = [row.split() for row in self.ask("show servers state web").splitlines()[2:] if row]
        return {int(row[18]): int(row[7]) for row in found if row[5] == "2" and row[18] != "0"}

    def downs(self):
        """How many times a server went down: each is logged, and printed as a warning."""
        return sum(
            line.startswith("Server web/") and "is going DOWN" in line
            for line in self.log.read_text().splitlines()
        )

    def close(self):
        self.process.kill()
        self.process.wait()


class Zoned:
    """What the responder needs of an agent, of one node of a mesh."""

    def __init__(self, mesh, name, **fields):
        self.mesh, self.node = mesh, mesh[name]
        self.config = Config(**fields)
        self.table, self.member, self.members = self.node.table, self.node.member, self.node.members

    def now(self):
        return self.mesh.now


def register(mesh, name, port, **metadata):
    mesh[name].register("web", name, {"port": port, **metadata}, now=mesh.now)
    mesh.flush(name)


async def eventually(proxy, servers):
    """Wait until exactly these servers are up."""
    with trio.fail_after(30):
        while await trio.to_thread.run_sync(proxy.servers) != servers:
            await trio.sleep(0.02)


@pytest.mark.parametrize("way", ["", "tcp@"])
async def test_all_servers_are_up_and_only_those_that_leave_go_down(tmp_path, way):
    """The hosts are nodes in memory, at 127.1.0.x; responder, datagrams and HAProxy are real."""
    mesh, everybody = Mesh(), set()
    for number in range(HOSTS):
        name = f"h{number:02}"
        mesh.add(name, address=(f"127.1.0.{number + 1}", 7946))
        register(mesh, name, 20_000 + number)
        everybody.add(str(20_000 + number))
    mesh.settle()
    async with trio.open_nursery() as nursery:
        ((_, dns), *_) = await nursery.start(partial(serve, Zoned(mesh, "h39"), port=0))
        proxy = Proxy(tmp_path, dns, way)
        try:
            await eventually(proxy, everybody)
            before = proxy.downs()
            for number in range(4):  # one leaves, another joins
                gone, new = f"h{number:02}", f"n{number:02}"
                mesh[gone].leave(mesh.now)
                mesh.flush(gone)
                everybody.remove(str(20_000 + number))
                mesh.add(new, address=(f"127.1.1.{number + 1}", 7946))
                register(mesh, new, 30_000 + number)
                everybody.add(str(30_000 + number))
                mesh.run(1)
                await eventually(proxy, everybody)
            valid = answers(proxy)
            with trio.fail_after(30):
                while await trio.to_thread.run_sync(answers, proxy) < valid + 20:
                    await trio.sleep(0.05)
            assert proxy.servers() == everybody
            assert proxy.downs() - before == 4, proxy.log.read_text()
        finally:
            proxy.close()
            nursery.cancel_scope.cancel()


def answers(proxy):
    """Count the valid answers that the resolver has taken."""
    lines = [line.split() for line in proxy.ask("show resolvers g").splitlines()]
    return sum(int(words[1]) for words in lines if words and words[0] == "valid:")


async def test_weights_and_zones_are_what_haproxy_goes_by(tmp_path):
    """It ignores priorities: what another zone has gets weight 0 until it is needed."""
    mesh = Mesh()
    hosts = {"a": (1, "eu", 100), "b": (2, "eu", 25), "c": (3, "us", 100), "d": (4, "eu", 0)}
    for name, (number, zone, weight) in hosts.items():
        mesh.add(name, address=(f"127.1.0.{number}", 7946), metadata={"zone": zone})
        register(mesh, name, 20_000 + number, weight=weight)
    mesh.settle()
    async with trio.open_nursery() as nursery:
        agent = Zoned(mesh, "a", prefer="zone")
        ((_, dns), *_) = await nursery.start(partial(serve, agent, port=0))
        proxy = Proxy(tmp_path, dns, "")
        try:
            await eventually(proxy, {str(20_000 + number) for number in range(1, 5)})
            await settled(proxy, {20_001: 100, 20_002: 25, 20_003: 0, 20_004: 0})
            for name in ("a", "b"):
                mesh[name].drain("web", name, now=mesh.now)
                mesh.flush(name)
            mesh.run(1)
            await settled(proxy, {20_003: 1, 20_004: 0})
        finally:
            proxy.close()
            nursery.cancel_scope.cancel()


async def settled(proxy, weights):
    """Wait until exactly these servers are up, with these weights."""
    with trio.fail_after(30):
        while await trio.to_thread.run_sync(proxy.weights) != weights:
            await trio.sleep(0.02)
