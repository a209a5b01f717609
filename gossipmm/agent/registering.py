"""What an agent serves: the verbs about registrations of its own."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, TypeVar

from gossipmm.agent.driver import Driver
from gossipmm.agent.extras import Extras
from gossipmm.agent.identity import AgentIdentity
from gossipmm.answers import ServiceStatus
from gossipmm.core.node import Node
from gossipmm.core.values.types import OwnRegistration

__all__ = ("Registering",)

_T = TypeVar("_T")


class Registering:
    """The part of an agent that changes its own record."""

    _node: Node
    _driver: Driver
    #: Services and handlers.
    extras: Extras
    #: Its key and certificate.
    identity: AgentIdentity

    @property
    @abstractmethod
    def name(self) -> str:
        """This node's name."""

    @abstractmethod
    def now(self) -> float:
        """Core time."""

    @abstractmethod
    def _open(self) -> float:
        """Return core time; raise AgentClosedError when nothing can be told any longer."""

    def _told(self, result: _T) -> _T:
        self._driver.flush()
        return result

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
        host = self.name if host is None else host
        now = self._open()
        self.extras.refuse(topic, host)
        self.identity.refuse(topic)
        self._node.register(topic, host, metadata, ttl=ttl, draining=draining, now=now)
        self._driver.flush()

    def unregister(self, topic: str, host: str | None = None) -> bool:
        """End a registration of this agent; False: there was none."""
        host = self.name if host is None else host
        self.extras.refuse(topic, host)
        return self._told(self._node.unregister(topic, host, now=self._open()))

    def drain(
        self, topic: str | None = None, host: str | None = None, *, draining: bool = True
    ) -> int:
        """Take registrations of this agent (without arguments: the node) out of new picks.

        ``topic`` alone: all hosts registered for it here. Returns how many changed.
        """
        return self._told(self._node.drain(topic, host, draining=draining, now=self._open()))

    def undrain(self, topic: str | None = None, host: str | None = None) -> int:
        """Take them back into new picks; how many changed."""
        return self.drain(topic, host, draining=False)

    def set_metadata(
        self, changes: Mapping[str, Any], topic: str | None = None, host: str | None = None
    ) -> int:
        """Change metadata of registrations of this agent (without topic and host: of its node).

        None as a value ends its key. Returns how many records changed. Raises RegistrationError or
        LimitError and then changes nothing.
        """
        return self._told(self._node.set_metadata(changes, topic, host, now=self._open()))

    def send_event(
        self,
        name: str,
        payload: bytes | str = b"",
        *,
        topic: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> int:
        """Send a user event to all live members, this one included, once; return its number.

        ``topic``: only to members with a registration of it; ``metadata``: only to those whose own
        metadata has these values. Raises UserEventError, or UserEventRateError: nobody is told.
        """
        now = self._open()
        return self._told(
            self._node.send_event(name, payload, topic=topic, metadata=metadata, now=now)
        )

    def services(self) -> tuple[ServiceStatus, ...]:
        """Return the services of this agent's configuration, and what their checks found."""
        return self.extras.statuses()

    def check(
        self,
        result: str,
        topic: str,
        host: str | None = None,
        *,
        output: str = "",
        name: str = "",
    ) -> bool:
        """Say how a service is that has a check of kind ttl: ``pass``, ``warn`` or ``fail``.

        ``output``: what an operator should read of it; ``name``: only this check of several.
        False: there is no such service. Raises RegistrationError: it has no such check.
        """
        self._open()
        return self.extras.check(topic, self.name if host is None else host, result, output, name)

    def renew(self, topic: str, host: str) -> bool:
        """Renew the time to live of a registration of this agent; False: not registered."""
        return self._told(self._node.renew(topic, host, now=self._open()))

    def registrations(self) -> tuple[OwnRegistration, ...]:
        """Return what was registered with this agent, and when it ends."""
        return self._node.registrations(self.now())

    def registration(self, topic: str, host: str) -> OwnRegistration | None:
        """Return one registration made with this agent, or None."""
        return self._node.registration(topic, host, self.now())
