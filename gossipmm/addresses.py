"""Addresses, seeds and registrations as people write them: text in, plain values out.

``host:port``, ``[v6]:port``; a seed may leave out the port, or name a DNS SRV record. Nothing is
resolved here, and nothing heavy is imported: reading a configuration stays cheap.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from gossipmm.errors import ConfigError, SeedError
from gossipmm.names import why_not_host, why_not_topic

__all__ = (
    "DEFAULT_PORT",
    "Seed",
    "format_address",
    "parse_address",
    "parse_registration",
    "parse_seed",
)

#: The port of Serf and Consul, which people's firewalls know; used where a seed names none.
DEFAULT_PORT = 7946

# Letters, digits, hyphens and underscores in dotted labels (RFC 1123, and what SRV names need).
_HOST = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9_-]*)(\.[A-Za-z0-9_]([A-Za-z0-9_-]*))*\.?"
)
_V6 = re.compile(r"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(%[A-Za-z0-9_.-]+)?")
_SRV = re.compile(r"_[A-Za-z0-9-]+\._udp\..+")


class Seed(NamedTuple):
    """A seed as written, and its parts. ``srv``: ``host`` is the name of SRV records."""

    text: str
    host: str
    port: int
    srv: bool = False


def format_address(address: tuple[str, int]) -> str:
    """Write an address as ``parse_address`` reads it."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_address(text: str, *, path: str = "", default_port: int | None = None) -> tuple[str, int]:
    """Split ``host:port`` or ``[v6]:port``; the host may be a name. Raises ConfigError."""
    try:
        return _split(text, default_port)
    except ValueError as exc:
        raise ConfigError(f"{text!r} {exc}", path=path) from None


def parse_seed(text: str) -> Seed:
    """Read a seed: ``name``, ``name:port``, ``[v6]:port`` or ``_service._udp.name`` (SRV).

    Raises SeedError for what can never be resolved.
    """
    if _SRV.fullmatch(text) and _HOST.fullmatch(text):
        return Seed(text, text, 0, srv=True)
    try:
        host, port = _split(text, DEFAULT_PORT)
        if not port:
            raise ValueError("has port 0: a seed needs the port that the other agent is bound to")
    except ValueError as exc:
        raise SeedError(f"seed {text!r} {exc}") from None
    return Seed(text, host, port)


def parse_registration(text: str, *, path: str = "register") -> tuple[str, str | None]:
    """Read ``topic`` or ``topic=host``; without a host it is the node's own name.

    Raises ConfigError, for ``path``, when a name is missing or not allowed.
    """
    topic, equals, host = text.partition("=")
    topic, host = topic.strip(), host.strip()
    reason = why_not_topic(topic) or (why_not_host(host) if equals else "")
    if reason and (not topic or (equals and not host)):
        reason += f": write TOPIC or TOPIC=HOST, not {text!r}"
    if reason:
        raise ConfigError(reason, path=path)
    return topic, host or None


def _split(text: str, default_port: int | None) -> tuple[str, int]:
    if scheme := re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text):
        raise ValueError(f"has {scheme[0]} in front, and gossip has no URLs: leave that out")
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError("is not [ADDRESS]:PORT")
        if not _V6.fullmatch(host):
            raise ValueError("has no IPv6 address between its brackets")
        port = rest[1:] if rest else None
    elif text.count(":") > 1:
        raise ValueError(f"is ambiguous: {_in_brackets(text)}")
    else:
        host, colon, after = text.partition(":")
        port = after if colon else None
        if not host:
            raise ValueError("has no host: write 0.0.0.0 or [::] for all addresses")
        if not _HOST.fullmatch(host):
            raise ValueError("has a host that is neither a name nor an address")
    if port is None:
        if default_port is None:
            raise ValueError(f"has no port: write, for example, {text}:{DEFAULT_PORT}")
        return host, default_port
    # Leading zeros do not count, and a long number is not even read: int() has a limit of digits.
    digits = port.lstrip("0") or "0"
    if not port.isascii() or not port.isdigit() or len(digits) > 5 or int(digits) > 65535:
        shown = port if len(port) <= 40 else f"{port[:40]}..."
        raise ValueError(f"has port {shown!r}, not a number up to 65535")
    return host, int(digits)


def _in_brackets(text: str) -> str:
    """Say how an address of IPv6 is written, with what was probably meant."""
    import ipaddress  # only for a mistake

    def is_address(host: str) -> bool:
        try:
            return ipaddress.ip_address(host).version == 6
        except ValueError:
            return False

    host, _, port = text.rpartition(":")
    meant = [f"[{text}]:{DEFAULT_PORT}"] if is_address(text) else []
    if port.isdecimal() and is_address(host):
        meant.insert(0, f"[{host}]:{port}")
    if not meant:
        return "write HOST:PORT, and an IPv6 address as [ADDRESS]:PORT"
    return f"write {' or '.join(meant)}"
