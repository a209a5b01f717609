"""What an agent in a child process is asked for again and again: topics, and events."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple, Protocol, Self

from gossipmm.core.values.events import Event
from gossipmm.core.values.types import TopicView
from gossipmm.embed.lost import stale
from gossipmm.embed.pipe import view_from
from gossipmm.embed.plain import restored
from gossipmm.errors import AgentClosedError, AgentLostError

__all__ = ("ChildTable", "ChildWatch")

#: Seconds between two checks for new events.
_WATCH_LOOK = 0.05


class _Child(Protocol):
    """Whatever asks the child."""

    def _ask(self, call: str, *args: Any, **options: Any) -> Any:
        """Ask the child. Raises AgentLostError while there is none."""


class ChildTable:
    """What readers see. While there is no child: the topics that were looked up before, stale."""

    def __init__(self, agent: _Child) -> None:
        self._agent = agent
        self.topics = _Topics(agent)
        self.round_trips = _RoundTrips(agent)

    @property
    def joined(self) -> bool:
        """True once the table agreed with a peer's."""
        try:
            return bool(self._agent._ask("joined"))
        except AgentLostError:
            return False

    @property
    def zone(self) -> str:
        """The node's own zone, as it was told with the last view."""
        return self.topics.zone

    def is_up(self, name: str) -> bool:
        """Return whether a host is up in any topic, or a member of that name is."""
        try:
            return bool(self._agent._ask("is_up", name))
        except AgentLostError:
            return self.topics.knew(name)


class _RoundTrips:
    """How far other members are, as the child knows it; nothing while there is no child."""

    def __init__(self, agent: _Child) -> None:
        self._agent = agent

    @property
    def changed_at(self) -> float:
        """Now: when the last news was is not worth a question of its own."""
        return time.monotonic()

    def of(self, names: Iterable[str]) -> dict[str, float]:
        """Return the estimated seconds to those of these nodes whose distance is known."""
        try:
            return dict(self._agent._ask("round_trips", list(names)))
        except AgentLostError:
            return {}


class _Held(NamedTuple):
    """A view, its number at the child, and what is answered while there is no child."""

    number: int
    view: TopicView
    stale: TopicView | None = None


class _Topics(Mapping[str, TopicView]):
    """Topic -> its view: the same object as last time if nothing in it changed."""

    def __init__(self, agent: _Child) -> None:
        self._agent = agent
        self._held: dict[str, _Held] = {}
        #: The node's own zone.
        self.zone = ""

    def __getitem__(self, topic: str) -> TopicView:
        held = self._held.get(topic)
        number = held.number if held is not None else 0
        try:
            answer = self._agent._ask("view", topic, number)
        except AgentLostError:
            return self._stale(topic)
        if answer is None:
            self._held.pop(topic, None)
            raise KeyError(topic)
        if answer[2] != self.zone:
            self.zone = answer[2]
        if held is not None and answer[0] == number:
            return held.view
        view = view_from(answer[1])
        self._held[topic] = _Held(answer[0], view)
        return view

    def _stale(self, topic: str) -> TopicView:
        held = self._held[topic]
        if held.stale is None:
            self._held[topic] = held = held._replace(stale=stale(held.view))
            assert held.stale is not None
        return held.stale

    def knew(self, host: str) -> bool:
        """Return whether a topic that was looked up had the host."""
        return any(host in held.view.entries for held in list(self._held.values()))

    def __iter__(self) -> Iterator[str]:
        try:
            return iter(self._agent._ask("topics"))
        except AgentLostError:
            return iter(list(self._held))

    def __len__(self) -> int:
        return sum(1 for _ in self)


class ChildWatch(Iterator[Event]):
    """The events of an agent in a child process. Ends when the agent closes.

    For one thread at a time. Ends with WatchOverflowError when its reader was too slow, and with
    AgentLostError when the process ended: events are missing from then on.
    """

    def __init__(self, agent: _Child, number: int) -> None:
        self._agent = agent
        self._number = number
        self._found: deque[Event] = deque()
        self._over = False

    def __next__(self) -> Event:
        while not self._found:
            if self._over:
                raise StopIteration
            try:
                events, self._over = self._agent._ask("watched", self._number)
            except AgentLostError:
                raise
            except AgentClosedError:
                raise StopIteration from None
            self._found.extend(map(restored, events))
            if not self._found and not self._over:
                time.sleep(_WATCH_LOOK)
        return self._found.popleft()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop watching. Idempotent."""
        self._over = True
        with suppress(AgentClosedError):
            self._agent._ask("unwatch", self._number)
