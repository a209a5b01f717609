"""What the checks of services found: told in the record, to those who read it.

Two bits of an entry, draining and unhealthy, have two masters: a drain is somebody's wish, and a
host that was drained stays so when its checks pass again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from gossipmm.core.life.generation import OwnGenerations
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.self_record import latest
from gossipmm.core.values.types import Status
from gossipmm.core.wire.pages import Page
from gossipmm.errors import LimitError

__all__ = ("ServiceHealth",)

#: The first wire version of those that read states above draining [P123].
_READS_STATES: Final = 2
_GONE: Final = frozenset({Status.DEAD, Status.LEFT})


class ServiceHealth:
    """Which registrations of this node fail their checks."""

    def __init__(
        self, local: LocalState, own_generations: OwnGenerations, enter: Callable[[float], None]
    ) -> None:
        self._local = local
        self._own = own_generations
        self._enter = enter
        #: What fails, by the last that was told.
        self._failing: set[tuple[str, str]] = set()

    def tell(self, healthy: Mapping[tuple[str, str], bool], now: float) -> int:
        """Announce which (topic, host) pass their checks; how many that changed [P10].

        What is not registered here is left out. Those of one page are told in one version of it.
        """
        self._enter(now)
        local = self._local
        pages: list[Page] = []
        changed = 0
        for (topic, host), passes in healthy.items():
            entry = local.own.find(topic, host)
            if entry is None or entry.state.unhealthy is not passes:
                continue
            if not passes and not local.own.plainly:
                # Before it is written for the first time: some may not read it.
                local.own.plainly = self._some_read_less()
            changed += 1
            if passes:
                self._failing.discard((topic, host))
            else:
                self._failing.add((topic, host))
            state = entry.state.but(unhealthy=not passes)
            try:
                pages += local.own.set(topic, host, entry.metadata, state)
            except LimitError:
                # The state takes one byte, which the longest names have no room for.
                removed = local.own.remove(topic, host)
                pages += [removed] if removed is not None else []
        self._own.write(latest(pages))
        local.publish()
        return changed

    def watch(self) -> None:
        """Write states as those read them who are here now; once an interval [P123]."""
        if not self._failing:
            return
        own = self._local.own
        known = [(name, own.find(*name)) for name in self._failing]
        self._failing = {name for name, one in known if one is not None and one.state.unhealthy}
        plainly = self._some_read_less()
        if plainly is not own.plainly:
            self._own.write(own.speak(plainly=plainly))

    def _some_read_less(self) -> bool:
        return any(
            member.reads < _READS_STATES and member.complete and member.status not in _GONE
            for member in self._local.table.by_name.values()
        )
