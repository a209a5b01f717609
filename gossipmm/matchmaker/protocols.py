"""What the gossip matchmaker needs from an agent: a table to read, and calls to make.

Any object with these members will do: the Trio agent, the agent in a background thread, a
simulated one. Times are core time in seconds (the agent's own clock), as floats.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from gossipmm.core.values.types import Address, OwnRegistration, TopicView


class TableReader(Protocol):
    """The readers' view. Read from any thread; nothing here may block or take a lock.

    It may have ``is_up(name) -> bool``: whether a host is up in any topic, or a member of that name
    is. Without it all topics are searched for the host, and no member is known by its name.
    """

    @property
    def topics(self) -> Mapping[str, TopicView]:
        """Every known topic. The values are immutable and replaced when anything changes."""

    @property
    def joined(self) -> bool:
        """True once the table agreed with at least one peer (or has none to agree with)."""


class AgentControl(Protocol):
    """What a program can tell its agent. Synchronous; from any thread that the embedding allows.

    Once the agent is closed each raises AgentClosedError, in a forked child ForkedError.
    """

    @property
    def name(self) -> str:
        """This node's name."""

    def now(self) -> float:
        """Core time."""

    def heard(self, names: Iterable[str]) -> dict[str, float]:
        """Return the core time of the freshest evidence of life of each known, named node.

        From any thread: every ``lookup`` asks.
        """

    def register(
        self,
        topic: str,
        host: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        *,
        ttl: float | None = None,
        draining: bool = False,
    ) -> None:
        """Register a host (default: this node's name) for a topic; again: renew the ``ttl``.

        Raises RegistrationError or LimitError; the state is then unchanged.
        """

    def unregister(self, topic: str, host: str | None = None) -> bool:
        """End a registration of this agent; False: there was none."""

    def drain(
        self, topic: str | None = None, host: str | None = None, *, draining: bool = True
    ) -> int:
        """Take registrations of this agent (without arguments: the node) out of new picks.

        ``topic`` alone: all hosts registered for it here. Returns how many changed.
        """

    def undrain(self, topic: str | None = None, host: str | None = None) -> int:
        """Take them back into new picks; how many changed."""

    def set_metadata(
        self, changes: Mapping[str, Any], topic: str | None = None, host: str | None = None
    ) -> int:
        """Change metadata of registrations of this agent, or of its node; None ends a key."""

    def renew(self, topic: str, host: str) -> bool:
        """Renew the time to live of a registration of this agent; False: not registered."""

    def registrations(self) -> tuple[OwnRegistration, ...]:
        """Return what was registered with this agent, and when it ends."""

    def ack_alive(self, topic: str, host: str) -> bool:
        """Report first-hand evidence that a registration's owners are alive; False: unknown."""

    def report_failure(self, topic: str, host: str) -> bool:
        """Probe the owners now and prefer others meanwhile; False: unknown."""

    def expire(self, topic: str, host: str) -> bool:
        """Hide a registration at its version, here, and ask its owner; False: unknown."""


class OwnedAgent(AgentControl, Protocol):
    """An agent that the matchmaker opens and closes itself (``gossipmm.embed.thread``)."""

    @property
    def reader(self) -> TableReader:
        """The table, from ``start`` on."""

    @property
    def bound(self) -> Address:
        """The address that the socket is bound to, from ``start`` on."""

    def start(self) -> None:
        """Bind and run; returns when the socket is bound. Raises BindError, ConfigError."""

    def wait_joined(self, timeout: float | None = None) -> bool:
        """Wait until the table is joined; False when ``timeout`` seconds passed before."""

    def close(self) -> None:
        """Leave, stop, and wake every waiting caller with AgentClosedError. Idempotent."""
