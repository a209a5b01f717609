"""The calls of the control API: what each sends, and what it makes of the answer.

Both clients are made of these functions: a parameter, a default, a docstring is written here and
nowhere else. They answer with the values that an agent in this process gives (``gossipmm.verbs``);
what was named and is not there is None, False or empty, never an exception.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gossipmm.client.asked import Asked, Late, path
from gossipmm.names import (
    changed_metadata,
    check_event,
    check_registration,
    check_ttl,
    checked_metadata,
)

if TYPE_CHECKING:
    from gossipmm.answers import (
        Drained,
        Joining,
        Lookup,
        MemberHealth,
        NodeStatus,
        QueryResult,
        Rtt,
        ServiceStatus,
    )
    from gossipmm.client import answers
    from gossipmm.core.values.events import LeaveFinished
    from gossipmm.core.values.types import (
        Address,
        Agreement,
        Evidence,
        Health,
        MemberView,
        OwnRegistration,
        TopicView,
    )
else:
    answers = Late("gossipmm.client.answers")

#: Kinds of problems that say: what was named is not there.
_NO_REGISTRATION = ("unknown-registration",)
_NO_MEMBER = ("unknown-member",)
_NO_TOPIC = ("unknown-topic",)
#: Seconds beyond the agent's own limit that a call which waits may take.
_SLACK = 5.0
#: The longest ``leave_timeout`` there is.
_LEAVE = 60.0


def _whole(value: Any) -> Any:
    return value


def _nothing(_: Any) -> None:
    return None


def _yes(_: Any) -> bool:
    return True


def get(*parts: str, **query: str | None) -> Asked[Any]:
    """Return the JSON object at a path (``get("members", "a", "why")``), as the API gives it.

    Shapes: ``GET /v1/openapi.json``. Raises ControlError also for what is not there.
    """
    return Asked("GET", path(*parts, **query), _whole)


# -- lookups ---------------------------------------------------------------------------------------


def queues(
    key: str, *, routing_key: str | bytes | None = None, prefer: str | None = None
) -> Asked[list[tuple[str, str | None]]]:
    """Return the (queue key, host) tuples of a key; empty: nobody (``lookup`` says why).

    ``prefer``: ``zone`` (the agent's own first), ``near`` or ``none``, in place of its setting.
    """
    name = "routing_key_hex" if isinstance(routing_key, bytes) else "routing_key"
    text = routing_key.hex() if isinstance(routing_key, bytes) else routing_key
    return Asked("GET", path("queues", key, prefer=prefer, **{name: text}), _pairs)


def _pairs(value: Any) -> list[tuple[str, str | None]]:
    return [(queue, host) for queue, host in value["queues"]]


def lookup(key: str, *, prefer: str | None = None) -> Asked[Lookup]:
    """Return the hosts of a key with state, age and source, and what "nobody" means."""
    return Asked("GET", path("lookup", key, prefer=prefer), answers.lookup)


def is_alive(topic: str, host: str) -> Asked[bool]:
    """Return whether the host is registered for the topic and held alive there."""
    return Asked(
        "GET",
        path("topics", topic),
        lambda value: answers.up(value, host),
        missing=_NO_TOPIC,
        default=False,
    )


def topics() -> Asked[Mapping[str, TopicView]]:
    """Return all known topics with their hosts."""

    def read(value: Any) -> Mapping[str, TopicView]:
        return {one["topic"]: answers.topic(one) for one in value["topics"]}

    return Asked("GET", path("topics"), read)


def topic(topic: str) -> Asked[TopicView | None]:
    """Return one topic, or None."""
    return Asked("GET", path("topics", topic), answers.topic, missing=_NO_TOPIC)


def ring() -> Asked[dict[str, list[str]]]:
    """Return the live hosts of each topic, as a classical ring."""
    return Asked("GET", path("ring"), dict)


# -- registrations ---------------------------------------------------------------------------------


def _registration(topic: str, host: str | None, *more: str) -> str:
    return path("registrations", topic, *(() if host is None else (host,)), *more)


def register(
    topic: str,
    host: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    *,
    ttl: float | None = None,
    draining: bool = False,
) -> Asked[None]:
    """Register a host (default: the agent's node) for a topic; again: renew the ``ttl``.

    With a ``ttl`` it ends so many seconds after the last ``ack_alive``; ``registered`` sees to
    that. Raises RegistrationError or LimitError; the state is then unchanged.
    """
    check_registration(topic, "default" if host is None else host)
    check_ttl(ttl)
    items = checked_metadata(repr(topic), metadata)
    body = {"metadata": items, "ttl": ttl, "draining": draining}
    return Asked("PUT", _registration(topic, host), _nothing, body)


def unregister(topic: str, host: str | None = None) -> Asked[bool]:
    """End a registration of the agent's own; False: there was none."""
    target = _registration(topic, host)
    return Asked("DELETE", target, _yes, missing=_NO_REGISTRATION, default=False)


def drain(
    topic: str | None = None, host: str | None = None, *, draining: bool = True
) -> Asked[int]:
    """Take the agent's own registrations (without arguments: its node) out of new picks.

    ``topic`` alone: all hosts registered for it there. Returns how many changed.
    """
    body = {"topic": topic, "host": host, "draining": draining}
    return Asked("POST", path("drain"), lambda value: int(value["changed"]), body)


def undrain(topic: str | None = None, host: str | None = None) -> Asked[int]:
    """Take them back into new picks; how many changed."""
    return drain(topic, host, draining=False)


def set_metadata(
    changes: Mapping[str, Any], topic: str | None = None, host: str | None = None
) -> Asked[int]:
    """Change metadata of the agent's own registrations (without topic and host: of its node).

    None as a value ends its key. Returns how many records changed. Raises RegistrationError or
    LimitError and then changes nothing.
    """
    changed_metadata("the change", {}, changes)
    body = {"changes": dict(changes), "topic": topic, "host": host}
    return Asked("POST", path("metadata"), lambda value: int(value["changed"]), body)


def send_event(
    name: str,
    payload: bytes | str = b"",
    *,
    topic: str | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Asked[int]:
    """Send a user event to all live members, the agent's own included, once; return its number.

    ``topic``: only to members with a registration of it; ``metadata``: only to those whose own
    metadata has these values. Raises UserEventError, or UserEventRateError: nobody is told.
    """
    data, chosen = check_event(name, payload, topic, metadata)
    text = b2a_base64(data, newline=False).decode()
    body = {"name": name, "payload_base64": text, "topic": topic, "metadata": chosen}
    return Asked("POST", path("events"), lambda value: int(value["number"]), body)


def services() -> Asked[tuple[ServiceStatus, ...]]:
    """Return the services of the agent's configuration, and what their checks found."""
    return Asked("GET", path("services"), answers.services)


def check(
    result: str, topic: str, host: str | None = None, *, output: str = "", name: str = ""
) -> Asked[bool]:
    """Say how a service is that has a check of kind ttl: ``pass``, ``warn`` or ``fail``.

    ``output``: what an operator should read of it; ``name``: only this check of several. False:
    there is no such service. Raises RegistrationError: it has no such check.
    """
    parts = (topic,) if host is None else (topic, host)
    body = {"result": result, "output": output, "name": name}
    target = path("services", *parts, "check")
    return Asked("PUT", target, _yes, body, missing=("unknown-service",), default=False)


def registrations() -> Asked[tuple[OwnRegistration, ...]]:
    """Return what was registered with the agent, and when it ends."""

    def read(value: Any) -> tuple[OwnRegistration, ...]:
        return tuple(map(answers.registration, value["registrations"]))

    return Asked("GET", path("registrations"), read)


def ack_alive(topic: str, host: str) -> Asked[bool]:
    """Renew a registration of the agent; of another's: say that it answered. False: unknown."""
    return _said(topic, host, "ack_alive")


def report_failure(topic: str, host: str) -> Asked[bool]:
    """Say that a host did not answer: it is probed now, others preferred.

    False: unknown, or registered with the agent itself.
    """
    return _said(topic, host, "report_failure")


def expire(topic: str, host: str) -> Asked[bool]:
    """Hide a registration at the agent; its owner is asked. False: unknown."""
    return _said(topic, host, "expire")


def _said(topic: str, host: str, what: str) -> Asked[bool]:
    missing = (*_NO_REGISTRATION, "own-registration")
    return Asked("POST", _registration(topic, host, what), _yes, missing=missing, default=False)


# -- members ---------------------------------------------------------------------------------------


def members() -> Asked[tuple[MemberView, ...]]:
    """Return all known members, the agent's own node included, sorted by name."""
    return Asked("GET", path("members"), lambda value: tuple(map(answers.member, value["members"])))


def member(name: str) -> Asked[MemberView | None]:
    """Return one member, or None."""
    return Asked("GET", path("members", name), answers.member, missing=_NO_MEMBER)


def why(name: str) -> Asked[tuple[Evidence, ...]]:
    """Return a member's evidence trail: who said what of it, and when."""
    return Asked("GET", path("members", name, "why"), answers.trail, missing=_NO_MEMBER, default=())


def drain_member(
    name: str,
    topic: str | None = None,
    host: str | None = None,
    *,
    draining: bool = True,
    timeout: float = 2.0,
) -> Asked[Drained]:
    """Have another member drained, or registrations of it; or put back into new picks.

    It does so only if its own configuration says ``accept_drain``, for a holder of the key;
    ``outcome`` says why it did not. Takes at most ``timeout`` seconds; what did not answer may have
    done it all the same. Needs the Unix socket of the agent.
    """
    body = {"topic": topic, "host": host, "draining": draining, "timeout": timeout}
    target = path("members", name, "drain")
    return Asked("POST", target, answers.drained, body, patience=timeout)


def query(
    name: str,
    payload: bytes | str = b"",
    *,
    topic: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    timeout: float = 2.0,
) -> Asked[QueryResult]:
    """Ask all members, or those of a topic or of some metadata, and return what they say.

    The agent's node is one of them. Takes at most ``timeout`` seconds, and less where all have
    answered. Raises QueryError for what cannot be asked, QueryRateError for too many queries.
    """
    from base64 import b64encode

    from gossipmm.core.values.queries import check_query  # as an agent in this process would

    name, data, timeout = check_query(name, payload, timeout)
    body: dict[str, Any] = {"name": name, "topic": topic, "timeout": timeout}
    body["payload_base64"] = b64encode(data).decode()
    body["metadata"] = None if metadata is None else dict(metadata)
    return Asked("POST", path("query"), answers.query_result, body, patience=timeout)


def rtt(name: str, to: str | None = None, timeout: float = 2.0) -> Asked[Rtt]:
    """Estimate the round trip between a member and another one; None: the agent's node.

    ``outcome`` says why there is no estimate, and ``of`` whose coordinate is missing. Takes at most
    ``timeout`` seconds.
    """
    target = path("members", name, "rtt", to=to, timeout=f"{timeout:g}")
    return Asked("GET", target, answers.rtt, patience=timeout)


def forget(name: str) -> Asked[bool]:
    """Forget a dead or left member on all nodes; False: not known, or not dead."""
    missing = (*_NO_MEMBER, "not-dead")
    return Asked("DELETE", path("members", name), _yes, missing=missing, default=False)


# -- the agent -------------------------------------------------------------------------------------


def status() -> Asked[NodeStatus]:
    """Return how the agent is, and how far others agree with its table."""
    return Asked("GET", path("status"), answers.node_status)


def agreement() -> Asked[Agreement]:
    """Return the table's fingerprint, how many peers agree with it, and who does not."""
    return Asked("GET", path("status"), lambda value: answers.node_status(value).agreement)


def health() -> Asked[Health]:
    """Return how well the node itself is: slow, deaf, its own loss, what waits to be told."""
    return Asked("GET", path("status"), lambda value: answers.node_status(value).health)


def conflict() -> Asked[tuple[Address, ...]]:
    """Return addresses of another live process with the node's name; empty without one."""
    return Asked("GET", path("status"), lambda value: answers.node_status(value).conflict)


def status_all(timeout: float = 2.0) -> Asked[tuple[MemberHealth, ...]]:
    """Ask each member how it is, and return what they say, the agent's node first, by name.

    Takes at most ``timeout`` seconds. Those that left are not asked; ``outcome`` says of the others
    why there is no verdict: they are dead there, do not answer or do not say.
    """
    target = path("status", "all", timeout=f"{timeout:g}")
    return Asked("GET", target, answers.members_health, patience=timeout)


def stats() -> Asked[dict[str, Any]]:
    """Return the core's counters as they stand now, by name."""
    return Asked("GET", path("stats"), dict)


def config() -> Asked[dict[str, Any]]:
    """Return the configuration that the agent uses, by the names of its settings."""

    def read(value: Any) -> dict[str, Any]:
        return {setting["name"]: setting["value"] for setting in value["settings"]}

    return Asked("GET", path("config"), read)


def join(*seeds: str, wait: float = 0.0) -> Asked[Joining]:
    """Add seeds; wait up to so many seconds until a member answered. Raises SeedError."""
    body = {"seeds": list(seeds), "wait": wait}
    return Asked("POST", path("join"), answers.joining, body, wait + _SLACK)


def leave() -> Asked[LeaveFinished]:
    """Have the agent leave and end, and return how many members confirmed it."""
    return Asked("POST", path("leave"), answers.left, None, _LEAVE + _SLACK)


def log_level() -> Asked[str]:
    """Return the level of the agent's log: debug, info, warning or error."""
    return Asked("GET", path("log-level"), lambda value: str(value["level"]))


def set_log_level(level: str) -> Asked[None]:
    """Change the level of the agent's log: debug, info, warning or error."""
    return Asked("PUT", path("log-level"), _nothing, {"level": level})
