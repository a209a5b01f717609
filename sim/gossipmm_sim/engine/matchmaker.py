"""A matchmaker on a simulated host: the production class over that host's table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from gossipmm.matchmaker import TableMatchMaker

if TYPE_CHECKING:
    from gossipmm.config import Config
    from gossipmm.core.values.types import MemberView, OwnRegistration, TopicView

__all__ = ("SimulatedAgent", "matchmaker")


class Asked(Protocol):
    """What a matchmaker's agent needs of a host; its verbs are those of ``AgentControl``."""

    node_name: str
    config: Config

    @property
    def table(self) -> Any:
        """The readers' view of its core's table."""

    def core_time(self) -> float:
        """Now, on its own clock."""

    def member(self, name: str) -> MemberView | None:
        """Look a member up."""

    def register(
        self,
        topic: str,
        host: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        *,
        ttl: float | None = None,
        draining: bool = False,
    ) -> None:
        """Register, or renew."""

    def unregister(self, topic: str, host: str | None = None) -> bool:
        """End a registration."""

    def drain(
        self, topic: str | None = None, host: str | None = None, *, draining: bool = True
    ) -> int:
        """Drain registrations or the node."""

    def undrain(self, topic: str | None = None, host: str | None = None) -> int:
        """Take them back into picks."""

    def set_metadata(
        self, changes: Mapping[str, Any], topic: str | None = None, host: str | None = None
    ) -> int:
        """Change metadata of registrations or the node."""

    def renew(self, topic: str, host: str) -> bool:
        """Renew a time to live."""

    def registrations(self) -> tuple[OwnRegistration, ...]:
        """List what is registered here."""

    def ack_alive(self, topic: str, host: str) -> bool:
        """Take first-hand evidence of life."""

    def report_failure(self, topic: str, host: str) -> bool:
        """Doubt, and probe."""

    def expire(self, topic: str, host: str) -> bool:
        """Hide, and ask the owner."""


class SimulatedAgent:
    """One host as the matchmaker's table and agent (protocols of ``gossipmm.matchmaker``)."""

    def __init__(self, host: Asked) -> None:
        self._host = host

    @property
    def name(self) -> str:
        """Name of the node."""
        return self._host.node_name

    @property
    def topics(self) -> Mapping[str, TopicView]:
        """Every known topic."""
        return self._host.table.topics  # type: ignore[no-any-return]

    @property
    def joined(self) -> bool:
        """True once the table agreed with at least one peer."""
        return bool(self._host.table.joined)

    @property
    def zone(self) -> str:
        """This node's own zone."""
        return str(self._host.table.zone)

    def now(self) -> float:
        """Core time."""
        return self._host.core_time()

    def heard(self, names: Iterable[str]) -> dict[str, float]:
        """Return the core time of the freshest evidence of life of each known, named node."""
        members = ((name, self._host.member(name)) for name in names)
        return {name: member.heard for name, member in members if member is not None}

    def register(
        self,
        topic: str,
        host: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        *,
        ttl: float | None = None,
        draining: bool = False,
    ) -> None:
        """Register, or renew."""
        self._host.register(topic, host, metadata, ttl=ttl, draining=draining)

    def unregister(self, topic: str, host: str | None = None) -> bool:
        """End a registration of this host."""
        return self._host.unregister(topic, host)

    def drain(
        self, topic: str | None = None, host: str | None = None, *, draining: bool = True
    ) -> int:
        """Drain registrations, or with neither argument the node."""
        return self._host.drain(topic, host, draining=draining)

    def undrain(self, topic: str | None = None, host: str | None = None) -> int:
        """Take registrations, or the node, back into picks."""
        return self._host.undrain(topic, host)

    def set_metadata(
        self, changes: Mapping[str, Any], topic: str | None = None, host: str | None = None
    ) -> int:
        """Change metadata of registrations, or with neither argument of the node."""
        return self._host.set_metadata(changes, topic, host)

    def renew(self, topic: str, host: str) -> bool:
        """Renew the time to live of a registration of this host."""
        return self._host.renew(topic, host)

    def registrations(self) -> tuple[OwnRegistration, ...]:
        """Own registrations."""
        return self._host.registrations()

    def ack_alive(self, topic: str, host: str) -> bool:
        """Report first-hand evidence that the owners of a registration are alive."""
        return self._host.ack_alive(topic, host)

    def report_failure(self, topic: str, host: str) -> bool:
        """Probe the owners now and prefer others meanwhile."""
        return self._host.report_failure(topic, host)

    def expire(self, topic: str, host: str) -> bool:
        """Hide a registration at its version, here, and ask its owner."""
        return self._host.expire(topic, host)


def matchmaker(host: Asked) -> TableMatchMaker:
    """Build a matchmaker over a host's running core; it ends with the process."""
    agent = SimulatedAgent(host)
    return TableMatchMaker(agent, agent, config=host.config)
