"""Which events a watcher wants."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple, Self

from gossipmm.core.values.events import Event, kinds_of

__all__ = ("Wanted",)


class Wanted(NamedTuple):
    """Which events a watcher wants; empty: all."""

    kinds: tuple[type[Event], ...] = ()
    topics: frozenset[str] = frozenset()
    members: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        kinds: Collection[type[Event] | str],
        topics: Collection[str] = (),
        members: Collection[str] = (),
    ) -> Self:
        """Take kinds by class or by name. Raises ValueError for one that there is not."""
        return cls(kinds_of(kinds), frozenset(topics), frozenset(members))

    def takes(self, event: Event) -> bool:
        """Return whether an event is wanted; it has to be about one of the topics or members."""
        if self.kinds and not isinstance(event, self.kinds):
            return False
        if self.topics or self.members:
            topic, name = getattr(event, "topic", None), getattr(event, "name", None)
            return topic in self.topics or name in self.members
        return True
