"""Systems without what only Unix, or only Linux, has: there nothing fails by being imported."""

from __future__ import annotations

import subprocess
import sys

#: Takes away what Windows or macOS do not have, once all libraries have been loaded.
ABSENT = """
import asyncio, os, pkgutil, signal, socket, subprocess, sys, time, importlib
import cbor2, click, cryptography.fernet, dns.resolver, h11, msgspec, trio
import prometheus_client, rich.console

for module, names in {
    os: "register_at_fork fork geteuid getuid fchmod fchown O_CLOEXEC O_NONBLOCK O_NOFOLLOW",
    time: "clock_gettime clock_gettime_ns CLOCK_BOOTTIME CLOCK_MONOTONIC CLOCK_MONOTONIC_RAW",
    socket: "AF_UNIX AF_NETLINK NETLINK_ROUTE SO_PEERCRED SO_REUSEPORT",
    signal: "SIGHUP SIGVTALRM SIGALRM SIGKILL SIGUSR1",
}.items():
    for name in names.split():
        if hasattr(module, name):
            delattr(module, name)
for name in ("fcntl", "grp", "pwd", "resource", "termios", "tty"):
    sys.modules[name] = None
"""
IMPORTS = (
    ABSENT
    + """
import gossipmm
failed = []
for found in pkgutil.walk_packages(gossipmm.__path__, "gossipmm."):
    if found.name != "gossipmm.__main__":
        try:
            importlib.import_module(found.name)
        except Exception as exc:
            failed.append(f"{found.name}: {type(exc).__name__}: {exc}")
print(*failed, sep="\\n")
"""
)
#: Trio's own wake-up needs Unix sockets where this test runs.
RUNS = (
    ABSENT.replace("AF_UNIX ", "")
    + """
from gossipmm import MatchMakerGossip

with MatchMakerGossip(name="a", bind="127.0.0.1:0") as a:
    host, port = a.bound
    with MatchMakerGossip(name="b", bind="127.0.0.1:0", join=[f"{host}:{port}"]) as b:
        a.register("compute", "a")
        assert b.wait_joined(10.0)
        while not b.queues("compute"):
            time.sleep(0.01)
        print(b.queues("compute"))
"""
)


def python(script: str) -> tuple[str, str]:
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=50, check=False
    )
    return result.stdout, result.stderr


def test_every_module_can_be_imported() -> None:
    """``import gossipmm.matchmaker`` needed ``os.register_at_fork``."""
    assert python(IMPORTS) == ("\n", "")


def test_an_agent_in_a_thread_runs() -> None:
    assert python(RUNS) == ("[('compute.a', 'a')]\n", "")
