"""The verbs of an agent for programs that block: those of its thread, or its process.

``ThreadAgent`` and ``ChildAgent`` have them, and ``MatchMakerGossip.agent`` is one of these.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from gossipmm.answers import (
    Drained,
    KeysStatus,
    MemberHealth,
    NodeStatus,
    QueryResult,
    Rtt,
    ServiceStatus,
)
from gossipmm.config import Config
from gossipmm.core.values.events import Event, LeaveFinished
from gossipmm.core.values.rotation_state import KEEP
from gossipmm.core.values.types import (
    Address,
    Agreement,
    Evidence,
    Health,
    MemberView,
    TopicView,
)
from gossipmm.matchmaker import OwnedAgent

if TYPE_CHECKING:
    from gossipmm.core.sealing.keyring import Key

__all__ = ("BlockingAgent", "BlockingKeys", "EventIterator")


class EventIterator(Iterator[Event], Protocol):
    """The events since it was created; ends when the agent closes."""

    def close(self) -> None:
        """Stop watching. Idempotent."""


class BlockingKeys(Protocol):
    """The keys of gossip of an agent. Changes return once the file is written, or KeyringError."""

    def status(self) -> KeysStatus:
        """Return the keys by their ids, what the members tell of theirs, and the last rotation."""

    def add(self, key: Key) -> None:
        """Accept one more key."""

    def use(self, kid: bytes, *, force: bool = False) -> None:
        """Send with another key, here only."""

    def remove(self, kid: bytes, *, force: bool = False) -> None:
        """Stop accepting a key, here only."""

    def rotate(self, *, keep: float = KEEP) -> None:
        """Begin to replace the sending key with a new one, everywhere, by gossip."""

    def rotate_out_of_band(self, kid: bytes = b"", *, keep: float = KEEP) -> None:
        """Begin to replace the sending key with one that each host has in its own file."""

    def leave_behind(self, names: Iterable[str]) -> None:
        """Do not wait for these members in the rotation that is under way."""

    def cancel(self) -> None:
        """Go back to the key that is being replaced."""

    def reload(self) -> list[str]:
        """Read the file again; say in words what changed."""


class BlockingAgent(OwnedAgent, Protocol):
    """Everything that an agent can be asked, from any thread that its kind allows."""

    #: The configuration in use.
    config: Config

    @property
    def keys(self) -> BlockingKeys:
        """Its keys, and rotations of them."""

    def ask_to_close(self) -> None:
        """Begin to close. Idempotent; never waits, never raises."""

    def topics(self) -> Mapping[str, TopicView]:
        """Return all known topics; each view is immutable, and replaced when it changes."""

    def topic(self, topic: str) -> TopicView | None:
        """Return one topic, or None."""

    def services(self) -> tuple[ServiceStatus, ...]:
        """Return the services of this agent's configuration, and what their checks found."""

    def check(
        self, result: str, topic: str, host: str | None = None, *, output: str = "", name: str = ""
    ) -> bool:
        """Say how a service is that has a check of kind ttl: ``pass``, ``warn`` or ``fail``."""

    def send_event(
        self,
        name: str,
        payload: bytes | str = b"",
        *,
        topic: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> int:
        """Send a user event to all live members, this one included, once; return its number."""

    def members(self) -> tuple[MemberView, ...]:
        """Return all known members, this one included, sorted by name."""

    def member(self, name: str) -> MemberView | None:
        """Return one member, or None."""

    def why(self, name: str) -> tuple[Evidence, ...]:
        """Return a member's evidence trail: who said what about it, and when."""

    def forget(self, name: str) -> bool:
        """Close a dead member's generation by hand; False: not known, or not dead."""

    def agreement(self) -> Agreement:
        """Return the table's fingerprint, how many peers agree with it, and who does not."""

    def health(self) -> Health:
        """Return the health of this node: slow, deaf, its loss, what waits to be broadcast."""

    @property
    def conflict(self) -> tuple[Address, ...]:
        """Addresses of another live process with this node's name; empty without one."""

    @property
    def stats(self) -> Any:
        """The core's counters."""

    def status(self) -> NodeStatus:
        """Return how this agent is, and how far others agree with its table."""

    def status_all(self, timeout: float = 2.0) -> tuple[MemberHealth, ...]:
        """Ask each member how it is, and return what they say, this one first, by name."""

    def drain_member(
        self,
        name: str,
        topic: str | None = None,
        host: str | None = None,
        *,
        draining: bool = True,
        timeout: float = 2.0,
    ) -> Drained:
        """Have another member drained, or registrations of it; or put back into new picks."""

    def query(
        self,
        name: str,
        payload: bytes | str = b"",
        *,
        topic: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        timeout: float = 2.0,
    ) -> QueryResult:
        """Ask all members, or those of a topic or of some metadata, and return what they say."""

    def rtt(self, name: str, to: str | None = None, timeout: float = 2.0) -> Rtt:
        """Return the estimated round trip between a member and another one; None: this node."""

    def watch(
        self,
        *kinds: type[Event] | str,
        topics: Collection[str] = (),
        members: Collection[str] = (),
        buffer: int = 1024,
    ) -> EventIterator:
        """Watch events from now on, in an iterator that blocks."""

    def join(self, *seeds: str) -> None:
        """Add seeds (``name:port``), beside those of the configuration. Raises SeedError."""

    def leave(self) -> LeaveFinished:
        """Leave gracefully: tell the live members, and return how many confirmed."""
