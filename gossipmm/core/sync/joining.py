"""Joining by the seeds, and finding other halves of a split through them."""

from __future__ import annotations

from gossipmm.core.sending.outbox import Context
from gossipmm.core.sending.seeds import Seeds
from gossipmm.core.sync.transfer import Transfer
from gossipmm.core.values.types import Address

__all__ = ("Joining",)


class Joining:
    """Asks the seeds, all of them while nobody is known; whoever answers is pulled from."""

    def __init__(self, context: Context, seeds: Seeds, transfer: Transfer) -> None:
        self._c = context
        self._seeds = seeds
        self._transfer = transfer

    def join(self, addresses: list[Address]) -> None:
        """The seeds as they resolve now."""
        c = self._c
        self._seeds.set(addresses)
        if not c.table.peers:
            if not c.table.agreed:
                c.table.joined = not self._seeds.addresses
            self.try_seeds()

    def try_seeds(self) -> None:
        """Ask all seeds while nobody is known; now and then one, so that splits heal [P78]."""
        c = self._c
        seeds = self._seeds.addresses
        if not seeds:
            return
        peers = c.table.peers
        if not peers:
            chosen = self._seeds.some()
        elif c.chance(1.0 / (len(peers) + 1)):
            chosen = [seeds[int(c.rng.random() * len(seeds))]]
            if any(chosen[0] in member.addresses for member in c.peers.all()):
                return  # a live member is there: nothing to heal
        else:
            return
        for address in chosen:
            self._seeds.ask(address)

    def answered(self, probe: int, sender: int, source: Address) -> bool:
        """True when an ACK answers a question to a seed; while not joined, all records follow."""
        if probe != self._seeds.probe:
            return False
        c = self._c
        if source in self._seeds.addresses:
            c.admission.prove(source, c.now)
        if not c.table.joined:
            self._transfer.pull(source, sender)
        return True
