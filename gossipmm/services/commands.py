"""Checks that are programs: few at a time, because each costs as much as five of the others."""

from __future__ import annotations

from typing import Final

import trio

from gossipmm.config_services import Check
from gossipmm.services import programs
from gossipmm.services.health import Outcome
from gossipmm.services.output import tail

__all__ = ("Commands",)

#: Commands that run at once. One takes 0.7 ms of this process (measured), and more of another one:
#: a hundred at once would make the gossip late.
_AT_ONCE: Final = 8
#: The exit status of Nagios' plugins, and of Consul's checks, for a warning.
_WARNING: Final = 1


class Commands:
    """Runs commands of checks, of all services of an agent."""

    def __init__(self) -> None:
        self._room = trio.Semaphore(_AT_ONCE)

    async def check(self, check: Check) -> Outcome | None:
        """Pass if the program ends with 0 or 1 in time; None: others took all the room."""
        acquired = False
        try:
            with trio.move_on_after(check.timeout):
                await self._room.acquire()
                acquired = True
            if not acquired:
                return None
            ended = await programs.run(check.command, within=check.timeout)
        finally:
            if acquired:
                self._room.release()
        warns = ended.status == _WARNING and not (ended.late or ended.endless)
        return Outcome(not ended.reason or warns, ended.reason, tail(ended.output))
