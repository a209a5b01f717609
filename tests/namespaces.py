"""Hosts in network namespaces, joined by a switch: Linux, root, iproute2 and nftables.

    with Net() as net:
        switch = net.switch()
        a = net.host("a", switch, "10.9.0.1/24", "fd09::1/64")
        b = net.host("b", switch, "10.9.0.2/24")
        subprocess.run([*a.prefix, "ping", "-c", "1", "10.9.0.2"])
        switch.rules(drop_above(600, to=b))

A namespace belongs to a process that does nothing but hold it, and that ends when this program
does, however it does: no name is registered anywhere, so nothing can be left behind or belong to
another run. All interfaces are made inside; nothing reaches the machine's own network. What goes
wrong on a path (loss, size, a split) is a rule of the switch, in the middle: neither host notices,
as on a real path (a rule on a host's own output makes its ``sendto`` fail).
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NamedTuple, Self

__all__ = (
    "Counted",
    "Counters",
    "Host",
    "Net",
    "Switch",
    "command",
    "counted",
    "counters",
    "cut",
    "drop_above",
    "lossy",
    "missing",
    "own_network",
)

#: Seconds that a command of iproute2 or nftables may take: they take milliseconds.
_LIMIT = 20.0
TOOLS = ("ip", "nft", "sysctl", "unshare", "nsenter")
#: Of ``<sched.h>``; Python has it, and the two functions, from 3.12 on.
_CLONE_NEWNET = 0x4000_0000
#: A UDP header, counted by ``udp length``.
_UDP = 8


def missing() -> str:
    """Return why no namespace can be made here, in words for a skipped test; empty: it can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    tools = [tool for tool in TOOLS if shutil.which(tool) is None]
    if tools:
        return f"{', '.join(tools)} not installed (Debian: iproute2 nftables procps)"
    try:
        with Net() as net:
            net.switch().rules(lossy(0.5))
    except (OSError, subprocess.SubprocessError) as exc:
        return f"this system makes no network namespaces: {exc}"
    return ""


@contextmanager
def own_network() -> Iterator[None]:
    """Put this thread, and all that it starts, into a network that has nothing but loopback.

    Raises OSError.
    """
    libc = ctypes.CDLL(None, use_errno=True)

    def call(name: str, *arguments: int) -> None:
        if getattr(libc, name)(*arguments):
            number = ctypes.get_errno()
            raise OSError(number, f"{name}: {os.strerror(number)}")

    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        call("unshare", _CLONE_NEWNET)
        try:
            command("ip", "link", "set", "lo", "up")
            yield
        finally:
            call("setns", before, _CLONE_NEWNET)
    finally:
        os.close(before)


def command(*words: str, text: str = "") -> str:
    """Run a command to its end; return what it printed. Raises CalledProcessError, with stderr."""
    done = subprocess.run(
        words, input=text, capture_output=True, text=True, timeout=_LIMIT, check=False
    )
    if done.returncode:
        exc = subprocess.CalledProcessError(done.returncode, words, done.stdout, done.stderr)
        exc.add_note(f"{' '.join(words)}\n{text}{done.stderr}".rstrip())
        raise exc
    return done.stdout


@dataclass(frozen=True, slots=True)
class Counters:
    """What an interface received and sent, in packets and bytes, link headers included."""

    received_bytes: int
    received_packets: int
    sent_bytes: int
    sent_packets: int


def counters(text: str, interface: str) -> Counters:
    """Read the counters of an interface from the text of ``/proc/<pid>/net/dev``.

    Raises ValueError if it is not there.
    """
    for line in text.splitlines():
        name, colon, numbers = line.partition(":")
        if colon and name.strip() == interface:
            found = [int(number) for number in numbers.split()]
            return Counters(found[0], found[1], found[8], found[9])
    raise ValueError(f"no interface {interface!r} in {text!r}")


class Counted(NamedTuple):
    """What counters of nftables have counted: bytes from the IP header on."""

    packets: int
    bytes: int


def counted(text: str) -> Counted:
    """Add up all counters of ``nft -j list ruleset``."""
    rules = [entry["rule"] for entry in json.loads(text)["nftables"] if "rule" in entry]
    found = [
        statement["counter"]
        for rule in rules
        for statement in rule["expr"]
        if "counter" in statement
    ]
    return Counted(sum(each["packets"] for each in found), sum(each["bytes"] for each in found))


class _Namespace:
    """A network namespace and the process that holds it."""

    def __init__(self, name: str) -> None:
        self.name = name
        #: Reads until its standard input ends, which it does with this program at the latest.
        self._holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "echo made; exec cat >/dev/null"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != b"made\n":
            _, said = self._holder.communicate(timeout=_LIMIT)
            raise OSError(f"unshare --net: {said.decode().strip()}")
        self.ip("link", "set", "lo", "up")

    @property
    def pid(self) -> int:
        """The process that holds it: ``/proc/<pid>/net`` shows this namespace."""
        return self._holder.pid

    @property
    def prefix(self) -> tuple[str, ...]:
        """Words before a command that shall run inside, as the same process."""
        return ("nsenter", f"--net=/proc/{self.pid}/ns/net")

    def ip(self, *words: str) -> str:
        """Run ``ip`` inside. Raises CalledProcessError."""
        return command(*self.prefix, "ip", *words)

    def nft(self, script: str) -> str:
        """Run a script of nftables inside. Raises CalledProcessError."""
        return command(*self.prefix, "nft", "-f", "-", text=script)

    def counted(self) -> Counted:
        """Return what all rules inside have counted."""
        return counted(command(*self.prefix, "nft", "-j", "list", "ruleset"))

    def sysctl(self, **values: int) -> None:
        """Set values below ``net``, dots written as two underscores."""
        pairs = [f"net.{key.replace('__', '.')}={value}" for key, value in values.items()]
        command(*self.prefix, "sysctl", "-qw", *pairs)

    def counters(self, interface: str) -> Counters:
        """Return what an interface here has received and sent."""
        with open(f"/proc/{self.pid}/net/dev") as file:
            return counters(file.read(), interface)

    def close(self) -> None:
        """Let it go: with its last process it is gone, interfaces and rules with it."""
        self._holder.kill()
        self._holder.communicate(timeout=_LIMIT)


class Switch(_Namespace):
    """An Ethernet switch: a bridge, with rules for what passes."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._ports = 0
        self.ip("link", "add", "br0", "type", "bridge")
        self.ip("link", "set", "br0", "up")

    def port(self) -> str:
        """Return a name for one port more."""
        self._ports += 1
        return f"p{self._ports}"

    def rules(self, *rules: str) -> None:
        """Replace all rules for what passes by these; without any, everything passes."""
        lines = "\n".join(rules)
        self.nft(
            "table bridge path\ndelete table bridge path\ntable bridge path {\n"
            f"chain forward {{ type filter hook forward priority 0;\n{lines}\n}}\n}}\n"
        )

    def dropped(self) -> int:
        """Return how many packets the rules in force have lost."""
        return self.counted().packets


class Host(_Namespace):
    """A host: ``eth0`` at a switch, ``eth1`` at the next. ``port``: where on the first switch."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.ports: list[str] = []

    def plug(self, switch: Switch, *addresses: str) -> str:
        """Connect to a switch under addresses with prefix length; return the interface."""
        interface = f"eth{len(self.ports)}"
        port = switch.port()
        link = ("link", "add", port, "type", "veth", "peer", "name", interface)
        switch.ip(*link, "netns", str(self.pid))
        switch.ip("link", "set", port, "master", "br0", "up")
        self.ports.append(port)
        # Duplicate address detection takes a second, and nothing here is a duplicate.
        self.sysctl(**{f"ipv6__conf__{interface}__accept_dad": 0})
        self.ip("link", "set", interface, "up")
        for address in addresses:
            self.add(address, interface)
        return interface

    def add(self, address: str, interface: str = "eth0") -> None:
        """Give it one address more, and the default route of that family if it has none.

        The route leads to everybody on the link, as behind a router that answers for all (proxy
        ARP): a host announces the address that it would use towards anywhere.
        """
        self.ip("address", "add", address, "dev", interface, *_no_dad(address))
        family = "-6" if ":" in address else "-4"
        if not json.loads(self.ip("-j", family, "route", "show", "default") or "[]"):
            self.ip(family, "route", "add", "default", "dev", interface)

    def delete(self, address: str, interface: str = "eth0") -> None:
        """Take an address away, with the routes that need it."""
        self.ip("address", "del", address, "dev", interface)

    def route(self, gateway: str) -> None:
        """Make a router the way to everywhere."""
        self.ip("-6" if ":" in gateway else "-4", "route", "replace", "default", "via", gateway)


def _no_dad(address: str) -> Iterable[str]:
    return ("nodad",) if ":" in address else ()


def drop_above(payload: int, *, source: Host | None = None, to: Host | None = None) -> str:
    """Rule: UDP datagrams with more bytes of payload are lost, without a word."""
    return f"{_way(source, to)}udp length > {payload + _UDP} counter drop"


def lossy(share: float, *, source: Host | None = None, to: Host | None = None) -> str:
    """Rule: that share of all that passes is lost."""
    return f"{_way(source, to)}numgen random mod 10000 < {round(share * 10_000)} counter drop"


def _way(source: Host | None, to: Host | None) -> str:
    ways = (("iifname", source), ("oifname", to))
    return "".join(f"{name} {host.ports[0]} " for name, host in ways if host is not None)


def cut(some: Iterable[Host], others: Iterable[Host]) -> tuple[str, str]:
    """Rules: nothing passes between some hosts and others, either way."""
    one, two = (", ".join(host.ports[0] for host in hosts) for hosts in (some, others))
    return (
        f"iifname {{ {one} }} oifname {{ {two} }} counter drop",
        f"iifname {{ {two} }} oifname {{ {one} }} counter drop",
    )


class Net:
    """Switches and hosts; leaving the block ends all of them."""

    def __init__(self) -> None:
        self._made: list[_Namespace] = []

    def switch(self, name: str = "switch") -> Switch:
        """Make a switch."""
        return self._keep(Switch(name))

    def host(self, name: str, switch: Switch, *addresses: str) -> Host:
        """Make a host at a switch, under addresses with prefix length."""
        host = self._keep(Host(name))
        host.plug(switch, *addresses)
        return host

    def _keep(self, made: Any) -> Any:
        self._made.append(made)
        return made

    def close(self) -> None:
        """End all namespaces."""
        while self._made:
            self._made.pop().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
