"""Keeps what this node announces equal to what its machine has.

A machine's address changes under a running agent: a lease of DHCP ends, a laptop moves, a virtual
machine is migrated. An agent bound to every address announces the new one at once. One that was
told its address (``bind``) can only say that it is gone. What ``advertise`` names belongs to
somebody else, such as a router, and is not looked at.
"""

from __future__ import annotations

import logging

from gossipmm.addresses import format_address
from gossipmm.agent.binding import WILDCARDS, machine_addresses
from gossipmm.agent.driver import Driver
from gossipmm.agent.faults import Faults
from gossipmm.agent.network import Network
from gossipmm.agent.seeds import SeedResolver
from gossipmm.core.values.types import Address
from gossipmm.errors import GossipError

__all__ = ("OwnAddresses",)

#: Members and seeds to which a route is looked for, at most.
_MOST = 32

_log = logging.getLogger(__name__)


class OwnAddresses:
    """Watches the addresses of the machine for one agent.

    Where there is no default route, the address that leads to a member or a seed is announced.
    """

    def __init__(
        self,
        network: Network,
        driver: Driver,
        faults: Faults,
        seeds: SeedResolver,
    ) -> None:
        self._network = network
        self._driver = driver
        self._faults = faults
        self._seeds = seeds

    async def run(self) -> None:
        """Look whenever something may have changed, for ever."""
        with self._network.watch_addresses() as watch:
            while True:
                self.look()
                await watch.wait()

    def look(self) -> None:
        """Compare what is announced with what the machine has now."""
        node = self._driver.node
        host, _ = bound = self._driver.port.address
        if host in WILDCARDS:
            found = machine_addresses(
                self._network, bound, keep=node.addresses, towards=self._others()
            )
        else:
            found = (bound,) if self._network.has_address(host) else ()
        shown = ", ".join(format_address(address) for address in node.addresses)
        if not found:
            self._faults.set(
                "address_gone",
                f"{shown}, which this node announces, is gone from this machine: "
                + (
                    "it is announced until there is another one"
                    if host in WILDCARDS
                    else f"give it back, or start the agent with another bind than {host}"
                ),
            )
            return
        self._faults.clear("address_gone", "this machine has an address again to announce")
        if host in WILDCARDS and found != node.addresses:
            try:
                node.set_addresses(found, self._driver.now())
            except GossipError as exc:
                _log.warning("addresses changed, and cannot be announced: %s", exc)
            self._driver.flush()

    def _others(self) -> list[Address]:
        """Return where members and seeds are, other than this node."""
        node = self._driver.node
        known = [address for view in node.members() for address in view.addresses]
        resolved = [address for found in self._seeds.resolved().values() for address in found]
        others = [address for address in (*known, *resolved) if address not in node.addresses]
        return others[:_MOST]
