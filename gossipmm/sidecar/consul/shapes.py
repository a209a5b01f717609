"""What Consul's clients are answered: shapes with the fields that they read, made from the table.

    live, doubted                  passing
    suspect, stale                 warning
    draining, unhealthy, unknown   critical
    dead, left                     not there

Metadata of a registration gives its ``port``, its ``tags`` (separated by commas), its ``weight``
(100 without; here at most 65,535, as Consul has it) and its ``Meta``, in which every value is text.
``ServiceID`` is ``topic:host``.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from gossipmm.core.values.types import HostEntry, HostState, MemberView, Status
from gossipmm.names import DEFAULT_WEIGHT, weight_of
from gossipmm.text.metadata import value_text

__all__ = (
    "DATACENTER",
    "LIVE",
    "PASSING",
    "Check",
    "Entry",
    "Flat",
    "Node",
    "Service",
    "checked",
    "entry",
    "flat",
    "member_check",
    "node",
    "owner",
    "tags",
)

#: There is one datacenter, called as the program is.
DATACENTER = "gossipmm"
_MOST_WEIGHT = 65_535
PASSING, WARNING, CRITICAL = "passing", "warning", "critical"
#: Members of these are nodes of the catalog.
LIVE = (Status.ALIVE, Status.SUSPECT, Status.PROBATION)

_CHECKED = {
    HostState.LIVE: PASSING,
    HostState.DOUBTED: PASSING,
    HostState.SUSPECT: WARNING,
    HostState.STALE: WARNING,
}


class Node(msgspec.Struct, kw_only=True):
    """A member."""

    id: str = msgspec.field(name="ID", default="")
    name: str = msgspec.field(name="Node")
    address: str = msgspec.field(name="Address")
    datacenter: str = msgspec.field(name="Datacenter", default=DATACENTER)
    tagged: dict[str, str] = msgspec.field(name="TaggedAddresses")
    meta: dict[str, str] = msgspec.field(name="Meta")


class Weights(msgspec.Struct, kw_only=True, rename="pascal"):
    """How many picks a service gets, beside others."""

    passing: int = DEFAULT_WEIGHT
    warning: int = 1


class Service(msgspec.Struct, kw_only=True):
    """A host of a topic."""

    id: str = msgspec.field(name="ID")
    service: str = msgspec.field(name="Service")
    tags: list[str] = msgspec.field(name="Tags")
    address: str = msgspec.field(name="Address")
    port: int = msgspec.field(name="Port")
    meta: dict[str, str] = msgspec.field(name="Meta")
    weights: Weights = msgspec.field(name="Weights", default_factory=Weights)


class Check(msgspec.Struct, kw_only=True):
    """How a member or a host is."""

    node: str = msgspec.field(name="Node")
    check_id: str = msgspec.field(name="CheckID")
    name: str = msgspec.field(name="Name")
    status: str = msgspec.field(name="Status")
    output: str = msgspec.field(name="Output", default="")
    service_id: str = msgspec.field(name="ServiceID", default="")
    service_name: str = msgspec.field(name="ServiceName", default="")


class Entry(msgspec.Struct, kw_only=True, rename="pascal"):
    """A host of a topic, as ``/v1/health/service`` shows it."""

    node: Node
    service: Service
    checks: list[Check]

    @property
    def status(self) -> str:
        """What its own check says."""
        return self.checks[-1].status


class Flat(msgspec.Struct, kw_only=True):
    """A host of a topic, as ``/v1/catalog/service`` shows it."""

    id: str = msgspec.field(name="ID", default="")
    node: str = msgspec.field(name="Node")
    address: str = msgspec.field(name="Address")
    datacenter: str = msgspec.field(name="Datacenter", default=DATACENTER)
    tagged: dict[str, str] = msgspec.field(name="TaggedAddresses")
    node_meta: dict[str, str] = msgspec.field(name="NodeMeta")
    service_id: str = msgspec.field(name="ServiceID")
    service_name: str = msgspec.field(name="ServiceName")
    service_tags: list[str] = msgspec.field(name="ServiceTags")
    service_address: str = msgspec.field(name="ServiceAddress")
    service_port: int = msgspec.field(name="ServicePort")
    service_meta: dict[str, str] = msgspec.field(name="ServiceMeta")
    service_weights: Weights = msgspec.field(name="ServiceWeights")


def node(view: MemberView) -> Node:
    """Show a member."""
    address = view.addresses[0][0] if view.addresses else ""
    tagged = {"lan": address, "wan": address}
    return Node(name=view.name, address=address, tagged=tagged, meta=_texts(view.metadata))


def owner(host: HostEntry) -> str:
    """Return the member at which a host is: of its own name, if that registers it."""
    return host.host if host.host in host.nodes else next(iter(host.nodes), host.host)


def entry(host: HostEntry, view: MemberView) -> Entry:
    """Show a host of a topic, at the member that registers it."""
    where = node(view)
    service = Service(
        id=f"{host.topic}:{host.host}",
        service=host.topic,
        tags=tags(host),
        address=where.address,
        port=_port(host.metadata.get("port")),
        meta=_texts(host.metadata),
        weights=Weights(passing=min(weight_of(host.metadata), _MOST_WEIGHT)),
    )
    own = Check(
        node=view.name,
        check_id=f"service:{service.id}",
        name=f"gossipmm: {host.topic}",
        status=checked(host.state),
        output=host.state.label,
        service_id=service.id,
        service_name=host.topic,
    )
    return Entry(node=where, service=service, checks=[member_check(view), own])


def checked(state: HostState) -> str:
    """Return the status of a check that says this state."""
    return _CHECKED.get(state, CRITICAL)


def member_check(view: MemberView) -> Check:
    """Show how a member is, as Consul's check of its own gossip does."""
    status = PASSING if view.status is Status.ALIVE else WARNING
    return Check(
        node=view.name,
        check_id="serfHealth",
        name="gossipmm: membership",
        status=status,
        output=view.status.label,
    )


def flat(found: Entry) -> Flat:
    """Show an entry of health as one of the catalog."""
    where, service = found.node, found.service
    return Flat(
        node=where.name,
        address=where.address,
        tagged=where.tagged,
        node_meta=where.meta,
        service_id=service.id,
        service_name=service.service,
        service_tags=service.tags,
        service_address=service.address,
        service_port=service.port,
        service_meta=service.meta,
        service_weights=service.weights,
    )


def tags(host: HostEntry) -> list[str]:
    """Return the tags of a host, in the order of its metadata."""
    text = str(host.metadata.get("tags", ""))
    return [tag for part in text.split(",") if (tag := part.strip())]


def _texts(metadata: Mapping[str, object]) -> dict[str, str]:
    return {key: value_text(value) for key, value in metadata.items()}


def _port(value: object) -> int:
    """Return a port; 0: none is told."""
    text = "" if isinstance(value, bool) else str(value)
    port = int(text[:6]) if text.isascii() and text.isdigit() else 0
    return port if port < 65536 else 0
