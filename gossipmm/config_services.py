"""``[[service]]``: what an agent lists only while it works, and how it finds out.

    [[service]]
    topic = "compute"
    port = 9100

    [[service.check]]
    http = "http://127.0.0.1:9100/health"

Only a file, or the program itself, may have these: commands that come over an API are how Consul's
agents were taken over, for years. Numbers: see the fields.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from gossipmm.addresses import parse_address
from gossipmm.config_tables import (
    Reader,
    as_table,
    between,
    fields_of,
    frozen,
    refuse,
    tables,
    text,
    texts,
    whole,
)
from gossipmm.config_values import Given, mapping
from gossipmm.errors import ConfigError
from gossipmm.names import MAX_WEIGHT, why_not_host, why_not_topic, why_not_weight

__all__ = ("KINDS", "Check", "Service", "services")

#: What a check can look at; it has exactly one of these.
KINDS = ("http", "tcp", "command", "ttl")
#: Checks of one service, at most.
MAX_CHECKS = 16

# A token of RFC 9110, and a field value: visible ASCII, blanks, and bytes that it calls obsolete.
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_FIELD_VALUE = re.compile(
    r"[\x21-\x7e\x80-\xff]([\x20-\x7e\x80-\xff\t]{0,1000}[\x21-\x7e\x80-\xff])?"
)
#: Headers that the check itself writes.
_OWN_HEADERS = frozenset({"connection", "content-length", "transfer-encoding"})
_NO_MAP: Mapping[str, Any] = MappingProxyType({})


class Check(NamedTuple):
    """How one thing about a service is found out. It has one of ``KINDS``."""

    #: ``http://HOST[:PORT]/PATH``: asked with GET; redirections are not followed.
    http: str = ""
    #: ``HOST:PORT``: a connection can be made.
    tcp: str = ""
    #: A program and its arguments: exit status 0 passes, 1 passes with a warning, others fail.
    command: tuple[str, ...] = ()
    #: Seconds within which the service itself has to say that it works (``gossipmm check pass``).
    ttl: float = 0.0
    #: Tells the checks of a service apart; empty: what it looks at.
    name: str = ""
    #: Seconds between two runs; each time up to a tenth more or less. Kubernetes has 10 as well.
    interval: float = 10.0
    #: Seconds that a run may take: less than ``interval``.
    timeout: float = 2.0
    #: Failures in a row until it counts as failing, and passes in a row until it does not. One
    #: lost answer in a thousand would take a host out of picks each three hours with 1.
    fall: int = 3
    rise: int = 2
    #: Statuses of HTTP that pass; empty: 200 to 299.
    status: tuple[int, ...] = ()
    #: ``GET`` or ``HEAD``.
    method: str = "GET"
    #: Headers of the request.
    header: Mapping[str, str] = _NO_MAP
    #: Seconds of failing after which the registration ends, until it passes again; 0: never.
    remove_after: float = 600.0

    @property
    def kind(self) -> str:
        """Which of ``KINDS`` it is."""
        return next(kind for kind in KINDS if getattr(self, kind))

    def as_table(self) -> dict[str, Any]:
        """Return what differs from the defaults, as a file has it."""
        return as_table(self, self._field_defaults)


class Service(NamedTuple):
    """A registration of this agent that is listed while its checks pass."""

    topic: str
    #: Empty: the node's name.
    host: str = ""
    #: Told in its metadata; 0: none.
    port: int = 0
    #: Told in its metadata, if it is not 100: how many turns it gets beside others. 0: none, while
    #: others are live.
    weight: int = 100
    metadata: Mapping[str, str | int | bool] = _NO_MAP
    #: ``down``: not listed until all checks passed once. ``up``: listed from the start.
    start: str = "down"
    check: tuple[Check, ...] = ()

    def as_table(self) -> dict[str, Any]:
        """Return what differs from the defaults, as a file has it."""
        return as_table(self, self._field_defaults)

    @property
    def told(self) -> dict[str, str | int | bool]:
        """Its metadata with port and weight."""
        found: dict[str, str | int | bool] = dict(self.metadata)
        if self.port:
            found["port"] = self.port
        if self.weight != Service._field_defaults["weight"]:
            found["weight"] = self.weight
        return found


def services(given: Given) -> tuple[Service, ...]:
    """Read all services. Raises ConfigError."""
    found = tuple(map(_service, tables(given, "service")))
    seen: dict[tuple[str, str], int] = {}
    for number, one in enumerate(found):
        first = seen.setdefault((one.topic, one.host), number)
        if first != number:
            host = one.host or "this node"
            why = f"{one.topic} of {host} is {given.path}[{first}] already: give it another host"
            raise ConfigError(why, path=f"{given.path}[{number}]", source=given.source)
    return found


def _service(given: Given) -> Service:
    found = fields_of(given, _SERVICE)
    if "topic" not in found:
        raise refuse(given, "has no topic")
    service = Service(**found)
    for name in ("port", "weight"):
        if name in service.metadata and name in found:
            raise refuse(given, f"has {name} twice: as a field, and in its metadata")
    if "weight" in service.metadata and (reason := why_not_weight(service.metadata["weight"])):
        raise refuse(given, f"metadata: {reason}")
    return service


def _checks(given: Given) -> tuple[Check, ...]:
    found: list[Check] = []
    for number, one in enumerate(tables(given, "service.check")):
        if number == MAX_CHECKS:
            raise refuse(given, f"a service has at most {MAX_CHECKS} checks")
        check = _check(one)
        taken = {before.name for before in found}
        if check.name in taken:
            raise refuse(one, f"is a second {check.name!r} of its service: give it another name")
        found.append(check)
    return tuple(found)


def _check(given: Given) -> Check:
    found = fields_of(given, _CHECK)
    kinds = [kind for kind in KINDS if kind in found]
    if len(kinds) != 1:
        has = " and ".join(kinds) if kinds else "none"
        raise refuse(given, f"has {has} of http, tcp, command and ttl: give it one")
    (kind,) = kinds
    if misplaced := sorted(set(found) - _FIELDS[kind] - {kind}):
        raise refuse(given, f"{misplaced[0]} means nothing for a check of kind {kind}")
    if kind == "ttl":
        # Its program says how it is: once is enough, unless the file says otherwise.
        found = {"fall": 1, "rise": 1, "interval": found["ttl"], "timeout": found["ttl"], **found}
    elif found.get("timeout", 2.0) >= found.get("interval", 10.0):
        timeout, interval = found.get("timeout", 2.0), found.get("interval", 10.0)
        raise refuse(given, f"timeout {timeout:g} is not less than the interval {interval:g}")
    return Check(**{"name": kind, **found})


# -- fields --------------------------------------------------------------------------------


def _topic(given: Given) -> str:
    if reason := why_not_topic(given.value):
        raise refuse(given, reason)
    return text(given)


def _host(given: Given) -> str:
    if reason := why_not_host(given.value):
        raise refuse(given, reason)
    return text(given)


def _http(given: Given) -> str:
    url = text(given)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        raise refuse(given, f"{url!r} is not a URL: {exc}") from None
    if parts.scheme == "https":
        why = "https is not spoken here: check a plain port, or use a command such as curl"
        raise refuse(given, f"{url!r}: {why}")
    if parts.scheme != "http" or not parts.hostname or port == 0:
        raise refuse(given, f"{url!r} is not http://HOST[:PORT]/PATH")
    if not url.isascii() or any(char.isspace() for char in url) or parts.username is not None:
        raise refuse(given, f"{url!r} has characters that a request line cannot have, or a user")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    parse_address(f"{host}:{port or 80}", path=given.path)
    return url


def _tcp(given: Given) -> str:
    address = text(given)
    if not parse_address(address, path=given.path)[1]:
        raise refuse(given, f"{address!r} has port 0")
    return address


def _command(given: Given) -> tuple[str, ...]:
    if isinstance(given.value, str):
        why = f'is a list, not a line for a shell: write ["{given.value}"]'
        raise refuse(given, why)
    found = texts(given)
    if not found[0].startswith("/"):
        # It is looked up in no PATH: whose that is depends on how the agent was started.
        raise refuse(given, f"{found[0]!r} is not a path from the root, such as /usr/bin/curl")
    if any("\0" in item for item in found):
        raise refuse(given, "has a zero byte")
    return found


def _statuses(given: Given) -> tuple[int, ...]:
    value = given.value if isinstance(given.value, (list, tuple)) else [given.value]
    read = whole(100, 599)
    return tuple(
        read(given._replace(value=item, path=f"{given.path}[{number}]"))
        for number, item in enumerate(value)
    )


def _header(given: Given) -> Mapping[str, str]:
    if not isinstance(given.value, Mapping):
        raise refuse(given, "is not a map of headers")
    for name, item in given.value.items():
        if not _TOKEN.fullmatch(name) or name.lower() in _OWN_HEADERS:
            raise refuse(given, f"{name!r} cannot be given as a header")
        if not isinstance(item, str) or not _FIELD_VALUE.fullmatch(item):
            raise refuse(given, f"the value of {name} is not the text of a header")
    return frozen(given.value)


def _one_of(*words: str) -> Reader:
    def read(given: Given) -> str:
        if given.value not in words:
            raise refuse(given, f"{given.value!r} is not {' or '.join(words)}")
        return text(given)

    return read


_DAY = 86_400.0
_CHECK: Mapping[str, Reader] = {
    "http": _http,
    "tcp": _tcp,
    "command": _command,
    "ttl": between(0.1, _DAY),
    "name": text,
    "interval": between(0.1, _DAY),
    "timeout": between(0.01, 3600.0),
    "fall": whole(1, 1000),
    "rise": whole(1, 1000),
    "status": _statuses,
    "method": _one_of("GET", "HEAD"),
    "header": _header,
    "remove_after": between(0.0, 365 * _DAY),
}
_SERVICE: Mapping[str, Reader] = {
    "topic": _topic,
    "host": _host,
    "port": whole(1, 65535),
    "weight": whole(0, MAX_WEIGHT),
    "metadata": mapping,
    "start": _one_of("down", "up"),
    "check": _checks,
}
_ALL = frozenset({"name", "interval", "timeout", "fall", "rise", "remove_after"})
#: Kind -> the other fields that it has.
_FIELDS: Mapping[str, frozenset[str]] = {
    "http": _ALL | {"status", "method", "header"},
    "tcp": _ALL,
    "command": _ALL,
    "ttl": _ALL,
}
