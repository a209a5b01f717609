"""Founds a cluster: newcomers among themselves, where nobody has joined before [P80]."""

from __future__ import annotations

from typing import Final

from gossipmm.core.sending.seeds import Seeds
from gossipmm.core.sync.pace import Pace
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.values.types import Address

__all__ = ("Founding",)

#: Seconds for which a table stands still before newcomers take it for all there is, and at most so
#: many where new ones keep coming.
_QUIET: Final = 0.5
_AT_MOST: Final = 2.0
#: Seconds after which a seed that does not answer counts as one that is down.
_SILENT: Final = 5.0


class Founding:
    """Decides when newcomers that know only newcomers have joined."""

    def __init__(self, local: LocalState, seeds: Seeds, pace: Pace) -> None:
        self._local = local
        self._seeds = seeds
        self._pace = pace
        #: When this node last knew nobody.
        self._began = local.now
        #: Seeds that answered as newcomers.
        self._newcomers: set[Address] = set()
        #: Since when nothing but time is wanting; None: something is.
        self._complete_since: float | None = None
        #: When this table last agreed with another newcomer's.
        self._agreed_at: float | None = None

    def answered(self, seed: Address, *, joining: bool) -> None:
        """Note that somebody at a seed's address answered."""
        if joining:
            self._newcomers.add(seed)
        else:
            self._newcomers.discard(seed)

    def agreed(self) -> None:
        """Note that another newcomer's table agrees with this one."""
        self._agreed_at = self._local.now
        if not self._local.table.joined:
            self._pace.found_others()

    def review(self) -> None:
        """Join if all that is there are newcomers, and nothing new is heard of them."""
        local = self._local
        if local.table.joined:
            return
        if not local.table.peers:
            self._began = local.now
            self._newcomers.clear()
            self._agreed_at = None
        if not self._only_newcomers():
            self._complete_since = None
            return
        if self._complete_since is None:
            self._complete_since = local.now
        quiet = local.now - max(self._complete_since, local.table.changed_at)
        if quiet >= _QUIET or local.now - self._complete_since >= _AT_MOST:
            local.table.knows_gone = True  # there is nobody who could remember more
            self._pace.joined()

    def _only_newcomers(self) -> bool:
        """Return whether this node agreed with one, knows of nobody else, and asked all seeds."""
        local = self._local
        heard = [member.joining for member in local.table.peers.values()]
        if self._agreed_at is None or not any(heard) or False in heard:
            return False
        return local.now - self._began >= _SILENT or not self.silent_seeds()

    def silent_seeds(self) -> list[Address]:
        """Return the seeds that were not heard of: no answer, and no record of a live member.

        Those are asked on while this node has not joined: somebody there may know the others.
        """
        peers = self._local.table.peers.values()
        heard = self._newcomers.union(*(member.addresses for member in peers))
        return [seed for seed in self._seeds.others if seed not in heard]
