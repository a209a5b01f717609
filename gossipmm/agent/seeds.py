"""Seeds are names: resolved at the start and again for as long as the agent lives.

Every second while the agent is alone, else every ``seed_interval``, so that a name that moves, or a
name service that comes late, needs no restart. Between two resolutions nothing runs: an agent that
loses its last peer is told so (``look``). The last addresses of a name are kept while it
cannot be resolved. A seed that cannot be resolved is logged once per change, counted, and never
fatal; a malformed one is refused when it is given (SeedError).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial
from math import inf

import trio

from gossipmm.addresses import Seed, format_address, parse_seed
from gossipmm.agent.network import Network
from gossipmm.core.values.types import Address
from gossipmm.errors import SeedError

__all__ = ("SeedResolver",)

#: Seconds between two resolutions while alone.
ALONE_INTERVAL = 1.0
#: Seconds that one resolution may take; a dead name server must not hold up the other seeds.
RESOLVE_TIMEOUT = 5.0
#: Seeds, at most: each is resolved again and again.
MAX_SEEDS = 256
#: Addresses used of all seeds together.
MAX_ADDRESSES = 1024
_UNRESOLVED = "cannot be resolved"

_log = logging.getLogger(__name__)


class SeedResolver:
    """The seeds of one agent, and what they resolved to last.

    ``usable`` says which addresses the agent's socket can send to, ``alone`` whether it knows no
    live member, and ``found`` takes each resolution (the agent's own address may be in it).
    ``remembered`` are addresses of an earlier life, tried beside the seeds while alone.
    """

    def __init__(
        self,
        seeds: Iterable[str],
        network: Network,
        *,
        remembered: Iterable[Address] = (),
        usable: Callable[[Address], bool],
        alone: Callable[[], bool],
        found: Callable[[tuple[Address, ...]], None],
    ) -> None:
        self._seeds: dict[str, Seed] = {}
        self._network = network
        self._remembered = tuple(remembered)
        self._usable = usable
        self._alone = alone
        self._found = found
        self._last: dict[str, tuple[Address, ...]] = {}
        self._said: dict[str, str] = {}
        self._again = trio.Event()
        self._was_alone = True
        #: Resolutions that failed.
        self.failures = 0
        self.add(seeds)

    def add(self, seeds: Iterable[str]) -> None:
        """Add seeds and resolve all again, soon. Raises SeedError; then none was added."""
        added = {seed: parse_seed(seed) for seed in list(seeds)}
        if len({*self._seeds, *added}) > MAX_SEEDS:
            raise SeedError(f"more than {MAX_SEEDS} seeds: name a few that live long")
        self._seeds.update(added)
        self._again.set()

    def trouble(self) -> dict[str, str]:
        """Return the seeds that could not be resolved the last time, and why."""
        return {seed: said for seed, said in self._said.items() if said.startswith(_UNRESOLVED)}

    def resolved(self) -> dict[str, tuple[Address, ...]]:
        """Return the addresses of each resolved seed that the socket can send to."""
        return {
            seed: tuple(filter(self._usable, addresses)) for seed, addresses in self._last.items()
        }

    def tried(self, seeds: Iterable[str]) -> bool:
        """Return whether each of these seeds has been resolved, or could not be, at least once."""
        return all(seed in self._said for seed in seeds)

    async def run(self, interval: float) -> None:
        """Resolve for ever; ``interval`` seconds apart once others are known."""
        while True:
            self._again = trio.Event()
            if self._seeds or self._remembered:
                self._found(await self.resolve())
            due = trio.current_time() + interval
            while not self._again.is_set():
                self._was_alone = self._alone()
                # With nobody to ask there is nothing to wake up for.
                asks = self._was_alone and (self._seeds or self._remembered)
                pause = ALONE_INTERVAL if asks else inf
                with trio.move_on_at(min(due, trio.current_time() + pause)):
                    await self._again.wait()
                if (asks and self._alone()) or trio.current_time() >= due:
                    break

    def look(self) -> None:
        """Look whether the agent has become alone; then all are resolved again, at once.

        To be called whenever that may have changed.
        """
        alone = self._alone()
        if alone and not self._was_alone:
            self._again.set()
        self._was_alone = alone

    async def resolve(self) -> tuple[Address, ...]:
        """Return the addresses of all seeds; of one that cannot be resolved, its last ones."""
        async with trio.open_nursery() as nursery:
            for seed in self._seeds.values():
                nursery.start_soon(self._resolve_one, seed)
        addresses = [address for text in self._seeds for address in self._last.get(text, ())]
        if self._alone():
            addresses.extend(self._remembered)
        unique = dict.fromkeys(address for address in addresses if self._usable(address))
        return tuple(unique)[:MAX_ADDRESSES]

    async def _resolve_one(self, seed: Seed) -> None:
        try:
            with trio.fail_after(RESOLVE_TIMEOUT):
                addresses = await self._ask(seed)
            if not addresses:
                raise OSError("the name has no address")
            if not any(self._usable(address) for address in addresses):
                shown = ", ".join(format_address(address) for address in addresses)
                raise OSError(f"{shown} cannot be reached from the family of addresses bound here")
        except trio.TooSlowError:
            self._failed(seed, f"no answer within {RESOLVE_TIMEOUT:g} s")
        except OSError as exc:
            self._failed(seed, exc.strerror or str(exc))
        else:
            self._last[seed.text] = addresses
            shown = ", ".join(format_address(address) for address in sorted(addresses))
            # A literal that resolves to itself is not worth a line.
            log = partial(_log.debug if shown == seed.text else _log.info, "seed %s %s")
            self._say(seed, f"is {shown}", log)

    async def _ask(self, seed: Seed) -> tuple[Address, ...]:
        if not seed.srv:
            return tuple(await self._network.resolve(seed.host, seed.port))
        addresses: list[Address] = []
        failure: OSError | None = None
        for host, port in await self._network.resolve_srv(seed.host):
            try:
                addresses.extend(await self._network.resolve(host, port))
            except OSError as exc:
                failure = exc
        if failure is not None and not addresses:
            raise failure
        return tuple(addresses)

    def _failed(self, seed: Seed, reason: str) -> None:
        self.failures += 1
        warn = partial(_log.warning, "seed %s %s; it is tried again for as long as the agent lives")
        self._say(seed, f"{_UNRESOLVED}: {reason}", warn)

    def _say(self, seed: Seed, text: str, log: Callable[[str, str], None]) -> None:
        """Log what became of a seed, if that differs from last time."""
        if self._said.get(seed.text) != text:
            self._said[seed.text] = text
            log(seed.text, text)
