"""Joins by the seeds, and finds the other halves of a split through them."""

from __future__ import annotations

from gossipmm.core.sealing.admission import Admission
from gossipmm.core.sending.seeds import AT_ONCE, Seeds
from gossipmm.core.sync.founding import Founding
from gossipmm.core.sync.transfer import Transfer
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.values.types import Address

__all__ = ("Joining",)


class Joining:
    """Asks the seeds, all of them while nobody is known, and pulls from whoever answers."""

    def __init__(
        self,
        local: LocalState,
        admission: Admission,
        seeds: Seeds,
        transfer: Transfer,
        founding: Founding,
    ) -> None:
        self._local = local
        self._admission = admission
        self._seeds = seeds
        self._transfer = transfer
        self._founding = founding

    def join(self, addresses: list[Address], *, complete: bool) -> None:
        """The seeds as they resolve now: those that are new are asked at once."""
        local = self._local
        before = self._seeds.addresses
        self._seeds.set(addresses, complete=complete)
        if not local.table.peers:
            if not local.table.agreed:
                local.table.joined = self._seeds.are_none
            if self._seeds.addresses != before:
                self.try_seeds()

    def try_seeds(self) -> None:
        """Ask all seeds while nobody is known; now and then one, so that splits heal [P78]."""
        local = self._local
        if not self._seeds.addresses:
            return
        peers = local.table.peers
        self._founding.review()
        if not peers:
            chosen = self._seeds.some()
        elif not local.table.joined:
            chosen = self._founding.silent_seeds()[:AT_ONCE]
        elif (seeds := self._seeds.others) and local.chance(1.0 / (len(peers) + 1)):
            chosen = [seeds[int(local.rng.random() * len(seeds))]]
            if any(chosen[0] in member.addresses for member in local.peers.all()):
                return  # a live member is there: no split to heal
        else:
            return
        for address in chosen:
            self._seeds.ask(address)

    def came_back(self, probe: int) -> None:
        """Take a datagram that this node sent itself: a seed may be this node [P78, P80].

        With no other seed there is nobody to ask, as with none at all.
        """
        table = self._local.table
        if self._seeds.came_back(probe) and not table.peers and self._seeds.are_none:
            table.joined = True

    def asked(self, probe: int) -> bool:
        """Return whether this names a join probe of this node."""
        return self._seeds.is_probe(probe)

    def answered(self, probe: int, sender: int, source: Address, *, joining: bool) -> bool:
        """Return True when an ACK answers a join probe; while not joined, all records follow."""
        if not self._seeds.is_probe(probe):
            return False
        local = self._local
        self._seeds.answered(probe)
        self._founding.answered(source, joining=joining)
        if source in self._seeds.addresses:
            self._admission.prove(source, local.now)
        if not local.table.joined:
            self._transfer.pull(source, sender)
        return True
