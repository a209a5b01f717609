"""Targets for Prometheus (``http_sd_configs``): the hosts of a topic, with where they are scraped.

Prometheus takes a whole answer or none: while nothing is certain (not joined, cut off) the answer
is a 503, so that it keeps its last targets; an empty list takes all of them away. A topic that
nobody registers is an empty list. Every label is text. Draining hosts are listed, for they are
still to be scraped; ``state`` filters. ``near`` puts the nearest first, which means nothing to
Prometheus, but to other programs that read such lists; a header says what they are ordered by
[P182].
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache, partial

import msgspec

from gossipmm.addresses import format_address
from gossipmm.agent.near import nearest_first
from gossipmm.core.table.member import Member
from gossipmm.core.values.types import HostEntry, HostState, Status, TopicView
from gossipmm.sidecar.api.listing import listed
from gossipmm.sidecar.api.state import State
from gossipmm.sidecar.http.messages import Response
from gossipmm.sidecar.http.problems import ProblemError
from gossipmm.sidecar.http.router import Call, Endpoint
from gossipmm.text.metadata import value_text

__all__ = ("ENDPOINTS", "TargetGroup")

_STATES = {state.label: state for state in HostState}
_STATE_LABELS = {state: state.label for state in HostState}
_PREFIX = "__meta_gossipmm_"
_TOPIC, _HOST, _NODE, _STATE = (f"{_PREFIX}{name}" for name in ("topic", "host", "node", "state"))


class TargetGroup(msgspec.Struct, kw_only=True):
    """One host, as Prometheus wants it."""

    targets: list[str]
    labels: dict[str, str]


async def every_topic(state: State, call: Call) -> Response:
    """Show the hosts of all topics."""
    return await _answer(state, call, [view for _, view in sorted(state.agent.topics().items())])


async def one_topic(state: State, call: Call) -> Response:
    """Show the hosts of one topic."""
    view = state.agent.topic(call.path["topic"])
    return await _answer(state, call, [] if view is None else [view])


async def _answer(state: State, call: Call, views: list[TopicView]) -> Response:
    agent = state.agent
    wanted = call.query.get("state")
    if wanted is not None and wanted not in _STATES:
        known = ", ".join(_STATES)
        raise ProblemError(400, f"{wanted!r} is not a state of a host; known: {known}")
    verdict = agent.status().verdict
    if verdict.name in ("not_joined", "isolated"):
        why = "; ".join(verdict.reasons)
        raise ProblemError(503, f"{agent.name}: {why}", verdict.name.replace("_", "-"))
    key = call.query.get("port_from", "port")
    members = agent.table.by_name  # views of ten thousand members take longer than all the rest
    without = 0

    def show(hosts: Sequence[tuple[TopicView, str]]) -> Iterator[TargetGroup]:
        nonlocal without
        for view, host in hosts:
            entry = view.entries[host]
            if wanted is not None and entry.state is not _STATES[wanted]:
                continue
            member = _scraped(members, entry)
            target = _target(member, entry.metadata.get(key))
            if target and member is not None:
                yield TargetGroup(targets=[target], labels=_labels(entry, member.name))
            else:
                without += 1

    hosts = [(view, host) for view in views for host in sorted(view.entries)]
    order = ""
    if near := call.query.get("near"):
        hosts, order = nearest_first(agent, near, hosts, partial(_where, members))
    groups = await listed(hosts, show)
    headers = [("x-gossipmm-without-port", str(without))]
    if order:
        headers.append(("x-gossipmm-order", order))
    return Response(msgspec.json.encode(groups), headers=tuple(headers))


def _where(members: Mapping[str, Member], host: tuple[TopicView, str]) -> tuple[str, str]:
    """Return the node at which a host is scraped, and its zone."""
    entry = host[0].entries[host[1]]
    member = _scraped(members, entry)
    return "" if member is None else member.name, entry.zone


def _scraped(members: Mapping[str, Member], entry: HostEntry) -> Member | None:
    """Return the member at whose address a host is scraped.

    One that is a member is scraped at its own, whoever registers it.
    """
    member = members.get(entry.host)
    if member is None and entry.host not in entry.nodes:
        member = members.get(next(iter(entry.nodes), ""))
    return member


def _target(member: Member | None, port: object) -> str:
    """Return where a host is scraped; empty when it has no port, or its node no address."""
    if member is None or member.status is Status.LEFT or not member.addresses:
        return ""
    text = str(port)
    if isinstance(port, bool) or not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        return ""
    return format_address((member.addresses[0][0], int(text)))


def _labels(entry: HostEntry, node: str) -> dict[str, str]:
    labels = {
        _TOPIC: entry.topic,
        _HOST: entry.host,
        _NODE: node,
        _STATE: _STATE_LABELS[entry.state],
    }
    for key, value in entry.metadata.items():
        labels[_label(key)] = value_text(value)
    return labels


@lru_cache(maxsize=1024)
def _label(key: str) -> str:
    """Return the name of the label of a key of metadata."""
    return f"{_PREFIX}metadata_{re.sub('[^a-zA-Z0-9_]', '_', key)}"


ENDPOINTS = tuple(
    Endpoint(
        method="GET",
        path=path,
        handler=handler,
        summary=summary,
        operation=operation,
        answer=list[TargetGroup],
        query=("port_from", "state", "near"),
        problems=(503,),
    )
    for path, handler, summary, operation in (
        (
            "/v1/prometheus/sd",
            every_topic,
            "The hosts of all topics, for Prometheus (`http_sd_configs`)",
            "prometheus_sd",
        ),
        (
            "/v1/prometheus/sd/{topic}",
            one_topic,
            "The hosts of a topic, for Prometheus (`http_sd_configs`)",
            "prometheus_sd_topic",
        ),
    )
)
