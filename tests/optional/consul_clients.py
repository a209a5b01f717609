"""Real programs that follow Consul, at the ``consul_port`` of a real agent.

    pytest tests/optional/consul_clients.py

Prometheus (its ``consul_sd_configs``, which Debian's build lacks), consul-template and npm's
``consul``: each is fetched and, with Go, built, which takes minutes the first time. Every one has
to show each change once, in order, and nothing between: a host that lives is never gone from it,
not while the agent that it asks is killed and started again, either.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from tests.optional.generated_clients import run
from tests.processes import program as processes
from tests.processes.program import programs, until

pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.skipif(sys.platform != "linux", reason="needs 127.0.0.2 and more: Linux"),
]
needs = {
    name: pytest.mark.skipif(shutil.which(name) is None, reason=f"{name} is not installed")
    for name in ("go", "npm")
}
PROMETHEUS = "github.com/prometheus/prometheus/cmd/prometheus@v0.316.0"
CONSUL_TEMPLATE = "github.com/hashicorp/consul-template@v0.41.1"

SCRAPE = """
scrape_configs:
  - job_name: web
    scrape_interval: 1m
    consul_sd_configs: [{{server: "127.0.0.1:{port}", refresh_interval: 1s{services}}}]
    relabel_configs:
      - {{source_labels: [__meta_consul_service], regex: web, action: keep}}
      - {{source_labels: [__meta_consul_node], target_label: instance}}
"""
TEMPLATE = '{{range service "web|passing,warning"}}{{.Node}} {{.Address}}:{{.Port}} {{end}}'
WATCH = """
import Consul from "consul";
const consul = new Consul({ host: "127.0.0.1", port: Number(process.argv[2]) });
const options = { service: "web", passing: true };
const watch = consul.watch({ method: consul.health.service, options, backoffFactor: 100 });
watch.on("change", (found) => {
  const hosts = found.map((each) =>
    `${each.Node.Node} ${each.Service.Address}:${each.Service.Port}`);
  console.log(hosts.join(" "));
});
watch.on("error", () => {});
"""
Hosts = dict[str, str]


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def hosts(line: str) -> Hosts:
    words = line.split()
    return dict(zip(words[::2], words[1::2], strict=True))


def go_install(folder: Path, package: str, tags: str = "") -> str:
    run(folder, "go", "install", "-tags", tags, package, GOBIN=str(folder))
    return str(folder / package.partition("@")[0].rpartition("/")[2])


class Gate:
    """Passes connections on to a port, and writes down what is asked through it."""

    def __init__(self, to: int) -> None:
        self._to = to
        self.asked: list[str] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._server.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                try:
                    agent = socket.create_connection(("127.0.0.1", self._to))
                except OSError:
                    client.close()
                    continue
                for pair in ((client, agent, self.asked), (agent, client, [])):
                    threading.Thread(target=self._pass, args=pair, daemon=True).start()

    @staticmethod
    def _pass(source: socket.socket, to: socket.socket, asked: list[str]) -> None:
        with source, suppress(OSError):
            while data := source.recv(65536):
                asked += re.findall(r"^GET (\S+) HTTP", data.decode("latin-1"), re.M)
                to.sendall(data)
        with suppress(OSError):
            to.shutdown(socket.SHUT_RDWR)


class Follower:
    """A program that follows the hosts of ``web``. ``seen``: each set that it had, in order."""

    def __init__(self, drained: bool) -> None:
        #: Whether it shows hosts that are draining.
        self.drained = drained
        self.command: list[str] = []
        self._seen: Callable[[], list[Hosts]] = list

    @property
    def seen(self) -> list[Hosts]:
        return self._seen()

    def lines_of(self, path: Path) -> None:
        """Have what it saw be the lines of a file that it writes."""
        self._seen = lambda: [hosts(line) for line in path.read_text().splitlines()]

    def targets_of(self, port: int) -> None:
        """Have what it saw be the targets of Prometheus, looked at all the time."""
        found: list[Hosts] = []

        def look() -> None:
            while True:
                with suppress(OSError, ValueError):
                    try:
                        with urlopen(f"http://127.0.0.1:{port}/api/v1/targets", timeout=5) as got:
                            active = json.load(got)["data"]["activeTargets"]
                    except HTTPError as refusal:
                        refusal.close()
                        continue
                    now = {
                        each["labels"]["instance"]: each["discoveredLabels"]["__address__"]
                        for each in active
                    }
                    if not found or found[-1] != now:
                        found.append(now)
                time.sleep(0.05)

        threading.Thread(target=look, daemon=True).start()
        self._seen = lambda: list(found)


def prometheus(folder: Path, port: int, services: str = "") -> Follower:
    binary = go_install(folder, PROMETHEUS, "remove_all_sd,enable_consul_sd")
    config, own = folder / "prometheus.yml", free_port()
    config.write_text(SCRAPE.format(port=port, services=services))
    follower = Follower(drained=True)
    follower.command = [
        *(binary, f"--config.file={config}", f"--storage.tsdb.path={folder}/data"),
        f"--web.listen-address=127.0.0.1:{own}",
    ]
    follower.targets_of(own)
    return follower


def one_service(folder: Path, port: int) -> Follower:
    return prometheus(folder, port, ", services: [web]")


def consul_template(folder: Path, port: int) -> Follower:
    binary = go_install(folder, CONSUL_TEMPLATE)
    (folder / "web.tpl").write_text(TEMPLATE + "\n")
    (folder / "seen").touch()
    follower = Follower(drained=False)
    render = f"{folder}/web.tpl:{folder}/web:cat {folder}/web >>{folder}/seen"
    follower.command = [binary, "-consul-addr", f"127.0.0.1:{port}", "-template", render]
    follower.lines_of(folder / "seen")
    return follower


def npm(folder: Path, port: int) -> Follower:
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "watch.js").write_text(WATCH)
    run(folder, "npm", "install", "--silent", "--no-fund", "--no-audit", "consul@2.0.1")
    follower = Follower(drained=False)
    follower.command = ["node", str(folder / "watch.js"), str(port)]
    follower.lines_of(folder / "output")
    return follower


class Cluster:
    """Agents a (which is asked), b, c and d, with commands for them."""

    def __init__(self, start: Callable[..., processes.Program], folder: Path, port: int) -> None:
        self._start, self._folder, self._port = start, folder, port
        self.b = start("b", *self._control("b"), bind="127.0.0.2:0")
        self.a = self.asked()
        for name, bind in (("c", "127.0.0.3:0"), ("d", "127.0.0.4:0")):
            start(name, "--join", self.b.address, *self._control(name), bind=bind)

    def asked(self) -> processes.Program:
        """Start the agent that is asked."""
        consul = ("--set", f"consul_port={self._port}")
        return self._start("a", "--join", self.b.address, *consul, *self._control("a"))

    def _control(self, name: str) -> tuple[str, str]:
        return ("--control", str(self._folder / f"{name}.sock"))

    def say(self, name: str, *command: str) -> None:
        def said() -> bool:
            return processes.run(*command, *self._control(name)).returncode == 0

        until(said, f"{' '.join(command)} at {name}")

    def register(self, name: str, port: int) -> None:
        self.say(name, "register", "web", name, "--metadata", f"port={port}")


@pytest.fixture
def running() -> Iterator[Callable[[Follower, Path], None]]:
    with ExitStack() as stack:

        def start(follower: Follower, folder: Path) -> None:
            output = stack.enter_context((folder / "output").open("wb"))
            process = subprocess.Popen(
                follower.command,
                cwd=folder,
                env=dict(os.environ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.DEVNULL if "node" in follower.command else output,
            )
            stack.callback(process.wait)
            stack.callback(process.kill)

        yield start


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(prometheus, marks=needs["go"]),
        pytest.param(one_service, marks=needs["go"]),
        pytest.param(consul_template, marks=needs["go"]),
        pytest.param(npm, marks=needs["npm"]),
    ],
)
def test_each_change_is_seen_once_and_no_host_that_lives_is_ever_gone(
    make: Callable[[Path, int], Follower], tmp_path: Path, running: Any
) -> None:
    port = free_port()
    gate = Gate(port)
    follower = make(tmp_path, gate.port)
    b, changed, c, d = "127.0.0.2:8080", "127.0.0.2:9090", "127.0.0.3:8080", "127.0.0.4:8080"
    expected: list[Hosts] = []

    def sees(**found: str) -> None:
        if not expected or expected[-1] != found:
            expected.append(found)
        until(
            lambda: follower.seen and follower.seen[-1] == found,
            f"{found} seen",
            60,
            show=lambda: f"but {follower.seen}; asked {gate.asked}",
        )

    with programs() as start:
        cluster = Cluster(start, tmp_path, port)
        until(lambda: cluster.a.told("joined"), "a has joined")
        running(follower, tmp_path)
        sees()
        cluster.register("b", 8080)
        sees(b=b)
        cluster.register("c", 8080)
        sees(b=b, c=c)
        cluster.register("b", 9090)
        sees(b=changed, c=c)
        cluster.say("c", "drain", "web", "c")
        if not follower.drained:
            sees(b=changed)
        cluster.say("c", "undrain", "web", "c")
        sees(b=changed, c=c)
        # The agent that it asks dies, and comes back with nothing but what the others tell it.
        cluster.a.signal(signal.SIGKILL)
        cluster.a.wait()
        cluster.a = cluster.asked()
        until(lambda: cluster.a.told("joined"), "a has joined again")
        cluster.register("d", 8080)
        sees(b=changed, c=c, d=d)
        cluster.b.signal(signal.SIGKILL)
        sees(c=c, d=d)
    gate.close()
    assert follower.seen == expected
    # It waits at the agent until something changes: one that spins asks ten times a second.
    assert len(gate.asked) < 60, gate.asked
    assert any("index=" in each for each in gate.asked), gate.asked
