"""Consul's paths and parameters, read only, with a router of their own.

Its clients repeat parameters and send ones that mean nothing here (``stale``, ``cached``, ``ns``,
``dc``, ``token`` ...): those are ignored. ``filter`` is refused, since whoever sent it would be
given hosts that it excluded. Errors are text, as these clients show them.
"""

from __future__ import annotations

import random
import re
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote

import msgspec

from gossipmm.agent import Agent
from gossipmm.sidecar.consul.catalog import (
    MOST_WAITING,
    Catalog,
    Found,
    Made,
    TooManyError,
    joined,
)
from gossipmm.sidecar.consul.shapes import DATACENTER, PASSING, WARNING, Check, Node, flat
from gossipmm.sidecar.http.messages import Answer, Application, Held, Request, Response
from gossipmm.sidecar.http.origin import check_host
from gossipmm.sidecar.http.problems import ProblemError
from gossipmm.version import installed_version

__all__ = ("application", "text")

#: Seconds that a request waits unless it says how long, and the most that it may.
_WAIT, _MOST = 300.0, 600.0
#: Added to a wait, at random, as a share of it: clients that began together do not end together.
_SPREAD = 16
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_STATES = ("any", PASSING, WARNING, "critical")
#: A leader's address, for clients that only want to see that there is one.
_LEADER = "127.0.0.1:8300"

#: Parameters that choose among the hosts of a service, or order them.
_CHOOSING = {"tag", "node-meta", "passing", "near"}
_encode = msgspec.json.encode

_Query = list[tuple[str, str]]
_Resource = Callable[[], Awaitable[Found]]
_Show = Callable[[Found], bytes]
_Shown = TypeVar("_Shown", Node, Made)


def application(
    agent: Agent, catalog: Catalog, *, local: bool = True, rng: random.Random | None = None
) -> Application:
    """Return the application that answers as a Consul agent does.

    ``local``: served on loopback, where a request has to name this machine: a page whose name was
    made to resolve to 127.0.0.1 does not.
    """
    router = _Router(agent, catalog, rng or random.Random())

    def serve(request: Request) -> Answer:
        try:
            if local:
                check_host(request)
            return router.answer(request)
        except ProblemError as exc:
            return text(exc.status, exc.detail)

    return serve


class _Router:
    def __init__(self, agent: Agent, catalog: Catalog, rng: random.Random) -> None:
        self._agent = agent
        self._catalog = catalog
        self._rng = rng

    def answer(self, request: Request) -> Answer:
        """Answer a request. Raises ProblemError."""
        where, _, after = request.target.decode("latin-1").partition("?")
        path = [unquote(part) for part in where.strip("/").split("/")]
        query = parse_qsl(after, keep_blank_values=True)
        plain = self._plain(path)
        shown = None if plain is not None else self._resource(path, query)
        if plain is None and shown is None:
            raise ProblemError(404, f"not served here: {where}")
        if request.method not in ("GET", "HEAD"):
            raise ProblemError(405, "this is a view of a gossip table: it can only be read")
        if not self._agent.table.joined:
            raise ProblemError(500, "No cluster leader")  # these words are known to its clients
        if shown is None:
            return Response(_encode(plain))
        if "filter" in dict(query):
            words = "filter is not supported here: use passing, tag, node-meta"
            raise ProblemError(400, words)
        resource, show = shown
        index, seconds = self._blocking(query)
        return Held(lambda: self._later(resource, show, index, seconds))

    async def _later(
        self, resource: _Resource, show: _Show, index: int, seconds: float
    ) -> Response:
        if not index:
            return _shown(await resource(), show)
        try:
            return _shown(await self._catalog.later(resource, index, seconds), show)
        except TooManyError:
            words = f"{MOST_WAITING} requests wait for changes already: ask again later"
            return text(429, words)

    def _plain(self, path: list[str]) -> Any:
        """Return what never changes, for a path; None: it is none of these."""
        match path:
            case ["v1", "agent", "self"]:
                config = {
                    "Datacenter": DATACENTER,
                    "NodeName": self._agent.name,
                    "Server": False,
                    "Version": installed_version(),
                }
                return {"Config": config, "Member": {"Name": self._agent.name}, "Meta": {}}
            case ["v1", "catalog", "datacenters"]:
                return [DATACENTER]
            case ["v1", "status", "leader"]:
                return _LEADER
            case ["v1", "status", "peers"]:
                return [_LEADER]
        return None

    def _resource(self, path: list[str], query: _Query) -> tuple[_Resource, _Show] | None:
        """Return what a path is made from, and what is shown of it; None: there is no such path."""
        catalog = self._catalog
        match path:
            case ["v1", "catalog", "services"]:
                return catalog.services, _whole
            case ["v1", "catalog", "nodes"]:
                return catalog.nodes, lambda found: _encode(_near(found.value, query, self._zone()))
            case ["v1", "health", "service", name] if name:
                return lambda: catalog.service(name), lambda found: self._health(found, query)
            case ["v1", "catalog", "service", name] if name:
                return lambda: catalog.service(name), lambda found: self._flat(found, query)
            case ["v1", "health", "node", name] if name:
                return catalog.checks, lambda found: _checks(found, lambda c: c.node == name)
            case ["v1", "health", "checks", name] if name:
                return catalog.checks, lambda found: _checks(
                    found, lambda c: c.service_name == name
                )
            case ["v1", "health", "state", state] if state in _STATES:
                return catalog.checks, lambda found: _checks(
                    found, lambda c: state in ("any", c.status)
                )
        return None

    def _health(self, found: Found, query: _Query) -> bytes:
        if not _CHOOSING & {name for name, _ in query}:
            return found.body
        return joined(made.encoded for made in self._chosen(found.value, query))

    def _flat(self, found: Found, query: _Query) -> bytes:
        return _encode([flat(made.entry) for made in self._chosen(found.value, query)])

    def _chosen(self, found: list[Made], query: _Query) -> list[Made]:
        tags = {value for name, value in query if name == "tag"}
        metas = [value.partition(":")[::2] for name, value in query if name == "node-meta"]
        chosen = [
            made
            for made in found
            if tags <= set(made.entry.service.tags)
            and all(made.entry.node.meta.get(key) == value for key, value in metas)
        ]
        if any(name == "passing" and value in ("", "1", "true") for name, value in query):
            passing = [made for made in chosen if made.entry.status == PASSING]
            # The promise of our picks: while somebody may live, the answer is not nobody.
            chosen = passing or [_passed(made) for made in chosen if made.entry.status == WARNING]
        return _near(chosen, query, self._zone())

    def _zone(self) -> str:
        return self._agent.table.zone

    def _blocking(self, query: _Query) -> tuple[int, float]:
        """Return the index that a client has, and how many seconds it would wait for another."""
        given = dict(query)
        asked = given.get("index", "")
        index = int(asked[:20]) if asked.isascii() and asked.isdigit() else 0
        if asked and not asked.isdigit():
            raise ProblemError(400, "Invalid index")
        seconds = _seconds(given.get("wait", "")) or _WAIT
        seconds = min(seconds, _MOST)
        return index, seconds + self._rng.uniform(0, seconds / _SPREAD)


def _seconds(wait: str) -> float:
    """Read a duration of Go, ``90s``, ``1m30s``, ``60000ms``; empty: 0."""
    parts = re.findall(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h)", wait)
    if "".join(map("".join, parts)) != wait:
        raise ProblemError(400, "Invalid wait time")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def _whole(found: Found) -> bytes:
    return found.body


def _checks(found: Found, wanted: Callable[[Check], bool]) -> bytes:
    return _encode([check for check in found.value if wanted(check)])


def _passed(made: Made) -> Made:
    """Return a host whose checks pass."""
    checks = [msgspec.structs.replace(check, status=PASSING) for check in made.entry.checks]
    entry = msgspec.structs.replace(made.entry, checks=checks)
    return made._replace(entry=entry, encoded=_encode(entry))


def _near(found: list[_Shown], query: _Query, zone: str) -> list[_Shown]:
    """Put what is in this agent's own zone first, if that is asked for."""
    if not zone or not any(name == "near" for name, _ in query):
        return found
    return sorted(found, key=lambda each: _zone_of(each) != zone)


def _zone_of(shown: Node | Made) -> str:
    return shown.host.zone if isinstance(shown, Made) else shown.meta.get("zone", "")


def _shown(found: Found, show: _Show) -> Response:
    headers = (
        ("x-consul-index", str(found.index)),
        ("x-consul-knownleader", "true"),
        ("x-consul-lastcontact", "0"),
    )
    return Response(show(found), headers=headers)


def text(status: int, words: str) -> Response:
    """Return an error as Consul's clients show one."""
    return Response(words.encode(), status, content_type="text/plain; charset=utf-8")
