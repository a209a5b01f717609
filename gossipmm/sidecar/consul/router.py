"""Consul's paths and parameters, read only, with a router of their own.

Its clients repeat parameters and send ones that mean nothing here (``stale``, ``cached``, ``ns``,
``dc``, ``token`` ...): those are ignored. ``filter`` is refused, since whoever sent it would be
given hosts that it excluded. ``near`` orders by estimated round trips from a node, or from this one
(``_agent``), as there; a header says what a list is ordered by [P182]. Errors are text, as these
clients show them.
"""

from __future__ import annotations

import random
import re
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, TypeVar
from urllib.parse import parse_qsl, unquote

import msgspec

from gossipmm.agent import Agent
from gossipmm.agent.near import nearest_first
from gossipmm.names import zone_of
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
_Shown = TypeVar("_Shown", Node, Made, Check)


class _Body(NamedTuple):
    """What is shown of a resource, and in words what it is ordered by, if that was asked for."""

    body: bytes
    order: str = ""


_Show = Callable[[Found], _Body]


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
                return catalog.nodes, lambda found: self._listed(found.value, query)
            case ["v1", "health", "service", name] if name:
                return lambda: catalog.service(name), lambda found: self._health(found, query)
            case ["v1", "catalog", "service", name] if name:
                return lambda: catalog.service(name), lambda found: self._flat(found, query)
            case ["v1", "health", "node", name] if name:
                return catalog.checks, lambda found: self._listed(
                    [check for check in found.value if check.node == name], query
                )
            case ["v1", "health", "checks", name] if name:
                return catalog.checks, lambda found: self._listed(
                    [check for check in found.value if check.service_name == name], query
                )
            case ["v1", "health", "state", state] if state in _STATES:
                return catalog.checks, lambda found: self._listed(
                    [check for check in found.value if state in ("any", check.status)], query
                )
        return None

    def _health(self, found: Found, query: _Query) -> _Body:
        if not _CHOOSING & {name for name, _ in query}:
            return _Body(found.body)
        chosen, order = self._near(self._chosen(found.value, query), query)
        return _Body(joined(made.encoded for made in chosen), order)

    def _flat(self, found: Found, query: _Query) -> _Body:
        chosen, order = self._near(self._chosen(found.value, query), query)
        return _Body(_encode([flat(made.entry) for made in chosen]), order)

    def _listed(self, found: list[_Shown], query: _Query) -> _Body:
        shown, order = self._near(found, query)
        return _Body(_encode(shown), order)

    def _near(self, found: list[_Shown], query: _Query) -> tuple[list[_Shown], str]:
        """Put the nearest first, if that is asked for; say what they are ordered by."""
        near = next((value for name, value in query if name == "near"), "")
        return nearest_first(self._agent, near, found, self._where) if near else (found, "")

    def _where(self, shown: Node | Made | Check) -> tuple[str, str]:
        """Return the node at which something is, and its zone."""
        if isinstance(shown, Made):
            return shown.entry.node.name, shown.host.zone
        if isinstance(shown, Node):
            return shown.name, shown.meta.get("zone", "")
        member = self._agent.table.by_name.get(shown.node)
        return shown.node, zone_of(member.metadata) if member is not None else ""

    def _chosen(self, found: list[Made], query: _Query) -> list[Made]:
        tags = {value for name, value in query if name == "tag"}
        metas = {value.partition(":")[::2] for name, value in query if name == "node-meta"}
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
        return chosen

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


def _whole(found: Found) -> _Body:
    return _Body(found.body)


def _passed(made: Made) -> Made:
    """Return a host whose checks pass."""
    checks = [msgspec.structs.replace(check, status=PASSING) for check in made.entry.checks]
    entry = msgspec.structs.replace(made.entry, checks=checks)
    return made._replace(entry=entry, encoded=_encode(entry))


def _shown(found: Found, show: _Show) -> Response:
    headers = (
        ("x-consul-index", str(found.index)),
        ("x-consul-knownleader", "true"),
        ("x-consul-lastcontact", "0"),
    )
    shown = show(found)
    ordered = (("x-gossipmm-order", shown.order),) if shown.order else ()
    return Response(shown.body, headers=(*headers, *ordered))


def text(status: int, words: str) -> Response:
    """Return an error as Consul's clients show one."""
    return Response(words.encode(), status, content_type="text/plain; charset=utf-8")
