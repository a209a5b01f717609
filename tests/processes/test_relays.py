"""What stands between an agent and its clients: resolvers that forward to it, nginx before its API.

Each is the program that Debian has, with as little configuration as it takes.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gossipmm.client import Client
from tests.processes.program import Program, run, until

_DNSMASQ = """\
no-resolv
no-hosts
no-daemon
bind-interfaces
listen-address=127.0.0.1
port={port}
server=/gossipmm/127.0.0.1#{agent}
"""
_UNBOUND = """\
server:
    interface: 127.0.0.1@{port}
    do-daemonize: no
    username: ""
    chroot: ""
    directory: "{folder}"
    pidfile: "{folder}/pid"
    use-syslog: no
    logfile: ""
    do-not-query-localhost: no
    module-config: "iterator"
    local-zone: "gossipmm." nodefault
    domain-insecure: "gossipmm."
    num-threads: 1
    so-rcvbuf: 0
stub-zone:
    name: "gossipmm."
    stub-addr: 127.0.0.1@{agent}
remote-control:
    control-enable: no
"""
_NGINX = """\
daemon off;
master_process off;
user root;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass http://127.0.0.1:{agent}; }}
    }}
}}
"""
_COMMANDS: dict[str, Callable[[str], list[str]]] = {
    "dnsmasq": lambda file: ["dnsmasq", "-C", file],
    "unbound": lambda file: ["unbound", "-d", "-c", file],
    "nginx": lambda file: ["nginx", "-c", file],
}


def _needs(program: str) -> pytest.MarkDecorator:
    missing = shutil.which(program) is None
    return pytest.mark.skipif(missing, reason=f"{program} is not installed: apt-get install it")


def _free_port() -> int:
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        udp.bind(tcp.getsockname())
        return int(tcp.getsockname()[1])


@contextmanager
def _relay(program: str, text: str, folder: Path, agent: int) -> Iterator[int]:
    """Run a program before an agent's port; give its own port. It is ended afterwards."""
    port = _free_port()
    file = folder / f"{program}.conf"
    file.write_text(text.format(port=port, agent=agent, folder=folder))
    with open(folder / f"{program}.log", "w") as log:
        process = subprocess.Popen(_COMMANDS[program](str(file)), stdout=log, stderr=log)
    try:
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def _dig(port: int, name: str, kind: str, *more: str) -> list[str]:
    """Return what an answer says, sorted."""
    done = subprocess.run(
        ["dig", "+short", "+tries=1", "+time=2", *more, "-p", str(port), "@127.0.0.1", name, kind],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    return sorted(line for line in done.stdout.splitlines() if not line.startswith(";"))


@pytest.mark.skipif(os.geteuid() != 0, reason="resolvers are started as root")
@pytest.mark.parametrize(
    ("program", "text"),
    [
        pytest.param("dnsmasq", _DNSMASQ, marks=_needs("dnsmasq")),
        pytest.param("unbound", _UNBOUND, marks=_needs("unbound")),
    ],
)
def test_a_resolver_passes_on_who_is_there_and_forgets_who_is_not(
    program: str, text: str, tmp_path: Path, start: Callable[..., Program]
) -> None:
    """Addresses and services, whole over TCP, and a death within the time that answers are kept."""
    dns = _free_port()
    a = start("a", "--register", "web", "--set", f"dns_port={dns}")
    b = start("b", "--register", "web", "--join", a.address, bind="127.0.0.2:0")
    control = str(tmp_path / "c.sock")
    c = start("c", "--join", a.address, "--control", control, bind="127.0.0.3:0")
    assert c.address
    with Client(control) as client:
        for number in range(60):
            client.register("many", f"host-{number}", {"port": 9000 + number})
    with _relay(program, text, tmp_path, dns) as port:

        def addresses(name: str, *more: str) -> list[str]:
            return _dig(port, f"{name}.gossipmm.", "A", *more)

        until(lambda: addresses("web") == ["127.0.0.1", "127.0.0.2"], f"both by {program}")
        until(
            lambda: len(_dig(port, "_many._udp.gossipmm.", "SRV", "+tcp")) == 60,
            f"sixty services by {program}",
        )
        b.signal(signal.SIGKILL)
        until(lambda: addresses("web") == ["127.0.0.1"], f"the dead one forgotten by {program}")


@_needs("nginx")
def test_nginx_as_it_is_passes_events_at_once_and_whole_answers(
    tmp_path: Path, start: Callable[..., Program]
) -> None:
    """It gathers an answer before it passes it on, unless the answer asks it not to."""
    api = _free_port()
    a = start("a", "--register", "web", "--control-port", str(api))
    until(lambda: a.address, "started")
    with _relay("nginx", _NGINX, tmp_path, api) as port:
        base = f"http://127.0.0.1:{port}/v1"

        def queues() -> bytes:
            try:
                with urllib.request.urlopen(f"{base}/queues/web", timeout=5) as answer:
                    return bytes(answer.read())
            except OSError:
                return b""

        until(lambda: b'"a"' in queues(), "an answer by nginx")
        with urllib.request.urlopen(f"{base}/watch", timeout=20) as stream:
            b = start("b", "--join", a.address, bind="127.0.0.2:0")
            lines: list[bytes] = []
            while not any(b"member_joined" in line and b'"b"' in line for line in lines):
                line = stream.readline()
                assert line, lines
                lines.append(line)
        assert b.process.poll() is None
        assert run("queues", "web", "--control", f"127.0.0.1:{port}").returncode == 0
