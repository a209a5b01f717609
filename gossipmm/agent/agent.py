"""The agent: a node of the core, driven under Trio over real (or given) sockets.

    async with gossipmm.open_agent(config) as agent:
        agent.register("compute", "host-a")
        agent.queues("compute")            # [("compute.host-b", "host-b")]

Everything runs in one nursery, inside ``async with``. However the block ends (normally, by an
exception, by cancellation), the agent first leaves gracefully, for at most ``leave_timeout``
seconds. It survives and counts whatever the network does to it; a programming error ends it, and
the block, with that error. Call it from the Trio run that opened it; only ``table`` and
``matchmaker`` are for any thread.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from math import inf
from typing import TYPE_CHECKING

import trio

from gossipmm.agent.control import AgentMatchMaker
from gossipmm.agent.dialback import DialBack
from gossipmm.agent.driver import Driver, IoStats
from gossipmm.agent.extras import Extras
from gossipmm.agent.faults import Faults
from gossipmm.agent.identity import Credentials
from gossipmm.agent.queries import Queries
from gossipmm.agent.registering import Registering
from gossipmm.agent.seeds import SeedResolver
from gossipmm.agent.verdict import judge
from gossipmm.agent.watch import Wanted, Watch, Watchers
from gossipmm.answers import DistancesStatus, NodeStatus
from gossipmm.config import Config
from gossipmm.core.distances.coordinate import Coordinate
from gossipmm.core.table.table import Table
from gossipmm.core.values.events import Event, Joined, LeaveFinished
from gossipmm.core.values.stats import Stats
from gossipmm.core.values.types import (
    Address,
    Agreement,
    Evidence,
    Health,
    MemberView,
    PathFault,
    TopicView,
)
from gossipmm.core.values.user_events import UserEventStats
from gossipmm.errors import AgentClosedError
from gossipmm.text.paths import no_path, path_troubles
from gossipmm.text.picks import NO_DISTANCES, NO_ZONE
from gossipmm.version import installed_version

if TYPE_CHECKING:
    from gossipmm.matchmaker import Lookup, TableMatchMaker

__all__ = ("Agent",)

#: Seconds by which the core may be late in ending a leave before the shell ends it.
_LEAVE_GRACE = 0.5
#: Seconds between two checks of ``table.joined``.
_JOIN_LOOK = 1.0


class Agent(Registering, Queries):
    """One running agent. Built by ``open_agent``; times are core time in seconds (``now()``)."""

    def __init__(
        self,
        config: Config,
        driver: Driver,
        seeds: SeedResolver,
        credentials: Credentials,
        dial_back: DialBack,
        faults: Faults,
    ) -> None:
        #: The configuration in use, with the node's name filled in.
        self.config = config
        self._driver = driver
        self._node = driver.node
        self._seeds = seeds
        self._dial_back = dial_back
        self._faults = faults
        #: Its keys, and rotations of them.
        self.keys = credentials.keys
        #: Its key and certificate, and what stands behind the names of others.
        self.identity = credentials.identity
        self._watchers = Watchers(driver.stats)
        self._left = trio.Event()
        self._joined = trio.Event()
        self._leave: LeaveFinished | None = None
        self._closed = ""
        self._opened_at = driver.now()
        self.extras = Extras(driver, config, self.tell)
        self.answerers = self.extras.answerers
        self._matchmaker = AgentMatchMaker(self.table, self, config)
        self._node.questions.answering.health = self._health_told

    # -- who this is -----------------------------------------------------------------------

    @property
    def name(self) -> str:
        """This node's name."""
        return self._node.name

    @property
    def generation(self) -> int:
        """The current generation of this node; a higher one supersedes."""
        return self._node.generation

    @property
    def addresses(self) -> tuple[Address, ...]:
        """The addresses announced to others."""
        return self._node.addresses

    @property
    def bound(self) -> Address:
        """The address that the socket is bound to."""
        return self._driver.port.address

    @property
    def leaving(self) -> bool:
        """True once this node leaves, or has left."""
        return self._node.leaving or bool(self._closed)

    @property
    def conflict(self) -> tuple[Address, ...]:
        """Addresses of another live process with this node's name; empty without one."""
        return self._node.conflict

    def now(self) -> float:
        """Core time: the clock of every ``at``, ``since`` and ``heard``."""
        return self._driver.now()

    # -- what a caller learned -------------------------------------------------------------

    def ack_alive(self, topic: str, host: str) -> bool:
        """Report that a host answered: its owners are alive. False: unknown here."""
        return self._told(self._node.ack_alive(topic, host, now=self._open()))

    def report_failure(self, topic: str, host: str) -> bool:
        """Report that a host did not answer: its owners are probed now, others preferred."""
        return self._told(self._node.report_failure(topic, host, now=self._open()))

    def expire(self, topic: str, host: str) -> bool:
        """Hide a registration at its version, here, and ask its owner. False: unknown here."""
        return self._told(self._node.expire(topic, host, now=self._open()))

    def forget(self, name: str) -> bool:
        """Close the generation of a member that is gone, or was never alive; False: neither."""
        return self._told(self._node.forget(name, now=self._open()))

    # -- what it knows ---------------------------------------------------------------------

    @property
    def table(self) -> Table:
        """The readers' table: ``topics`` and ``joined``, from any thread, without a lock."""
        return self._node.table

    @property
    def stats(self) -> Stats:
        """The core's counters (``gossipmm.core.values.stats.Stats``)."""
        return self._node.stats

    @property
    def coordinate(self) -> Coordinate | None:
        """Where this node is by its round trips; None: it keeps none, or has measured nobody."""
        return self._node.distances.own

    @property
    def event_stats(self) -> UserEventStats:
        """Counters of user events."""
        return self._node.event_stats

    @property
    def io_stats(self) -> IoStats:
        """The socket's counters: send and receive errors by errno."""
        return self._driver.stats

    @property
    def seed_failures(self) -> int:
        """Number of failed resolutions of seeds so far."""
        return self._seeds.failures

    def seed_trouble(self) -> dict[str, str]:
        """Return what is wrong with seeds, or with this node as they see it, in words."""
        trouble = self._seeds.trouble()
        for seed, addresses in self._seeds.resolved().items():
            found = self._dial_back.found
            words = [found[address] for address in addresses if address in found]
            if seed not in trouble and words and all(words):
                trouble[seed] = words[0]
        return trouble

    def faults(self) -> dict[str, str]:
        """Return what is wrong with this node or its machine now: code -> words.

        The codes are ``gossipmm.agent.faults.CODES``.
        """
        found = self._faults.now()
        lost = [view.name for view in self._node.paths() if view.fault is PathFault.NO_PATH]
        if lost:
            found["no_path"] = no_path(lost)
        if self.config.prefer == "zone" and not self.table.zone:
            found["no_zone"] = NO_ZONE
        if self.config.prefer == "near" and not self.config.distances:
            found["no_distances"] = NO_DISTANCES
        return found

    def seeds_tried(self, *seeds: str) -> bool:
        """Return whether each seed was resolved (or cannot be), and asked about this node."""
        resolved = self._seeds.resolved()
        addresses = [address for seed in seeds for address in resolved.get(seed, ())]
        return self._seeds.tried(seeds) and self._dial_back.done(addresses)

    @property
    def matchmaker(self) -> TableMatchMaker:
        """The matchmaker over this agent's table, with the contract's calls; from any thread."""
        return self._matchmaker

    def queues(
        self, key: str, *, routing_key: str | bytes | None = None, prefer: str | None = None
    ) -> list[tuple[str, str | None]]:
        """Return the (queue key, host) tuples of a key: topic, ``topic.host``, ``fanout~topic``."""
        return self.matchmaker.queues(key, routing_key=routing_key, prefer=prefer)

    def lookup(self, key: str, *, prefer: str | None = None) -> Lookup:
        """Return the hosts of a key with state, age and source, and what "nobody" means."""
        return self.matchmaker.lookup(key, prefer=prefer)

    def is_alive(self, topic: str, host: str) -> bool:
        """Return whether the host is registered for the topic and held alive here."""
        return self.matchmaker.is_alive(topic, host)

    def topics(self) -> Mapping[str, TopicView]:
        """Return all known topics; each view is immutable, and replaced when it changes."""
        return self.table.topics

    def topic(self, topic: str) -> TopicView | None:
        """Return one topic, or None."""
        return self.table.topics.get(topic)

    def ring(self) -> dict[str, list[str]]:
        """Return the live hosts of each topic, as a classical ring."""
        return self.matchmaker.ring()

    def members(self) -> tuple[MemberView, ...]:
        """Return all known members, this one included, sorted by name."""
        return self._node.members()

    def member(self, name: str) -> MemberView | None:
        """Return one member, or None."""
        return self._node.member(name)

    def heard(self, names: Iterable[str]) -> dict[str, float]:
        """Return when each named member that is known was last heard of (core time)."""
        # From any thread, as lookups are: a dict and then one attribute is read, no view is made.
        table = self.table
        known = [(name, table.by_name.get(name)) for name in names]
        return {
            name: self.now() if member is table.me else member.heard
            for name, member in known
            if member is not None
        }

    def why(self, name: str) -> tuple[Evidence, ...]:
        """Return a member's evidence trail: who said what about it, and when."""
        return self._node.why(name)

    def agreement(self) -> Agreement:
        """Return the table's fingerprint, how many peers agree with it, and who does not."""
        return self._node.agreement()

    def health(self) -> Health:
        """Return the health of this node: slow, deaf, its loss, what waits to be broadcast."""
        return self._node.health(self.now())

    def status(self) -> NodeStatus:
        """Return how this agent is, and how far others agree with its table."""
        own, place = self.member(self.name), self.coordinate
        status = NodeStatus(
            name=self.name,
            cluster=self.config.cluster,
            version=installed_version(),
            generation=self.generation,
            addresses=self.addresses,
            uptime=self.now() - self._opened_at,
            joined=self.table.joined,
            leaving=self.leaving,
            conflict=self.conflict,
            trouble=self.seed_trouble(),
            faults=self.faults(),
            paths=path_troubles(self._node.paths()),
            agreement=self.agreement(),
            health=self.health(),
            members=Counter([member.status for member in self.table.by_name.values()]),
            topics=len(self.table.topics),
            registrations=own.registrations if own is not None else 0,
            process=os.getpid(),
            identity=self.identity.status(),
            user_events=self._node.event_status(self.now()),
            distances=DistancesStatus(self._node.distances.on, place and place.error),
        )
        return status._replace(verdict=judge(status, self.now(), alarmed=self._faults.alarmed))

    def watch(
        self,
        *kinds: type[Event] | str,
        topics: Collection[str] = (),
        members: Collection[str] = (),
        buffer: int = 1024,
    ) -> Watch:
        """Watch events from now on: an async iterator.

        ``kinds``: only those, as classes or as ``member_died``; ``topics`` and ``members``: only
        events of one of these. A watch that falls ``buffer`` events behind is dropped and told
        so. Raises ValueError for an unknown kind.
        """
        self._open()
        return self._watchers.open(Wanted.of(kinds, topics, members), buffer)

    # -- coming and going ------------------------------------------------------------------

    def join(self, *seeds: str) -> None:
        """Add seeds (``name:port``), beside those of the configuration. Raises SeedError."""
        self._open()
        self._seeds.add(seeds)

    async def wait_joined(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109
        """Wait until the table agreed with a peer's (at once when there is nobody to join).

        False when ``timeout`` seconds passed before.
        """
        self._open()
        with trio.move_on_after(inf if timeout is None else timeout):
            while not self.table.joined:
                # A node that turns out to have only itself to join has no event to tell it so.
                with trio.move_on_after(_JOIN_LOOK):
                    await self._joined.wait()
                self._open()
        return self.table.joined

    async def leave(self) -> LeaveFinished:
        """Leave gracefully: tell the live members, and return how many confirmed.

        Takes at most ``leave_timeout``. Afterwards only reading is possible. Leaving twice
        returns the first one's result.
        """
        if not self._left.is_set() and not self._closed:
            if not self._node.leaving:
                self._node.leave(self.now())
                self._driver.flush()
            with trio.move_on_after(self.config.leave_timeout + _LEAVE_GRACE):
                await self._left.wait()
        if self._leave is None:
            self._leave = LeaveFinished(self.now(), 0, 0)
        return self._leave

    # -- for the tasks that run it (gossipmm.agent.opening) ----------------------------------

    def tell(self, event: Event) -> None:
        """Take an event of the core, count it, and hand it on to all watchers."""
        counts, kind = self._driver.stats.events, type(event).__name__
        counts[kind] = counts.get(kind, 0) + 1
        if isinstance(event, LeaveFinished):
            self._leave = event
            self._left.set()
        elif isinstance(event, Joined):
            self._joined.set()
        self._watchers.tell(event)
        self.extras.tell(event)

    def end(self, how: str) -> None:
        """Refuse all further calls, saying how it ended; wake whoever waits. Idempotent."""
        self._closed = self._closed or how
        self._joined.set()
        self._left.set()
        self._watchers.end()

    def _open(self) -> float:
        """Return core time; raise AgentClosedError when nothing can be told any longer."""
        if self._closed or self._node.leaving:
            raise AgentClosedError(
                f"agent {self.name} {self._closed or 'is leaving'}: open another one"
            )
        return self.now()
