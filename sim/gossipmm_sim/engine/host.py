"""A host of a cluster: what a script can do to it and ask it (see ``gossipmm_sim.engine.cluster``).

A host is a machine with an address; each ``start`` runs a new core on it, like a new process. The
shell that runs the core is ``gossipmm_sim.engine.shell``.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from gossipmm.core.sealing.keyring import Key, Keyring
from gossipmm_sim.engine.shell import Core, Shell
from gossipmm_sim.engine.sockets import BINDS, Socket, family_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gossipmm.config import Config
    from gossipmm.core.sealing.envelope import CoseEnvelope
    from gossipmm.core.values.types import Address, Evidence, MemberView, OwnRegistration
    from gossipmm.matchmaker import Lookup, TableMatchMaker
    from gossipmm_sim.engine.streams import Streams
    from gossipmm_sim.engine.world import World

__all__ = ("FIRST_KEY", "Host", "Startup")

#: Seconds after which a process that found no address to bind is started again, and until a stopped
#: one that has a change to see is looked at again.
_RETRY: Final = 1.0
#: The keyring that every host of an encrypted cluster begins with.
FIRST_KEY: Final = Key(b"k1", b"\x01" * 32)


class Startup(NamedTuple):
    """What the start of a process takes, in seconds."""

    #: Until its loop runs: datagrams wait.
    cold: float
    #: For each datagram and timer, for the first ``lasts`` seconds.
    service: float
    lasts: float


class Host(Shell):
    """One host of a cluster; made by ``Cluster``."""

    def __init__(
        self,
        cluster: World,
        label: str,
        index: int,
        address: Address,
        config: Config,
        node_name: str,
    ) -> None:
        super().__init__(cluster, label, index, address, config, node_name)
        #: Registrations that the host's program makes again at each start.
        self.wanted: dict[tuple[str, str], dict[str, Any]] = {}
        self.seeds: tuple[Address, ...] | None = None
        self.stopped_at = 0.0
        #: What the next start of a process takes.
        self.startup: Callable[[], Startup] = _at_once
        #: Keys of an encrypted cluster; kept over restarts, as a file is.
        self.keyring: Keyring = Keyring((FIRST_KEY,))
        self.envelope: CoseEnvelope | None = None
        #: How far its processes go with identities, and what they keep of them in the state file.
        self.identity = cluster.identity
        self.pins: Mapping[str, bytes] = {}
        self.revocations: bytes | None = None
        self._matchmaker: tuple[int, TableMatchMaker] | None = None

    def new_envelope(self, streams: Streams) -> CoseEnvelope:
        """Build the envelope of the next process, from this host's keyring."""
        from gossipmm.core.sealing.envelope import CoseEnvelope

        rng = streams(f"envelope/{self.label}/{self.boots}")
        limit = self.config.max_datagram
        self.envelope = CoseEnvelope(self.keyring, self.config.cluster, rng, limit=limit)
        return self.envelope

    def set_keyring(self, keyring: Keyring) -> None:
        """Change the keys of this host, and of its running process (as a reload would)."""
        self.keyring = keyring
        if self.envelope is not None:
            self.envelope.keyring = keyring

    def __repr__(self) -> str:
        state = "paused" if self.paused else "up" if self.up else "down"
        return f"<host {self.label} {state} {self.address[0]}:{self.address[1]}>"

    # -- asking ------------------------------------------------------------------------------

    @property
    def core(self) -> Core:
        """The running core. Raises ValueError when the host was never started."""
        if not self.boots:
            raise ValueError(f"{self.label} was never started")
        return self._core

    @property
    def table(self) -> Any:
        """The readers' view of this host's table."""
        return self.core.table

    @property
    def fingerprint(self) -> int:
        """Fingerprint of this host's view; equal for equal views."""
        return self.core.table.fingerprint  # type: ignore[no-any-return]

    def members(self) -> tuple[MemberView, ...]:
        """All members as this host holds them, itself included."""
        return self.core.members()

    def member(self, name: str) -> MemberView | None:
        """One member as this host holds it, or None."""
        return self.core.member(name)

    def why(self, name: str) -> tuple[Evidence, ...]:
        """Return what this host knows of a member's past."""
        return self.core.why(name)

    @property
    def matchmaker(self) -> TableMatchMaker:
        """The matchmaker of this host's present process: a new one after each start."""
        if self._matchmaker is None or self._matchmaker[0] != self.boots:
            from gossipmm_sim.engine.matchmaker import matchmaker

            self._matchmaker = (self.boots, matchmaker(self))
        return self._matchmaker[1]

    def queues(
        self, key: str, *, routing_key: str | bytes | None = None, prefer: str | None = None
    ) -> list[tuple[str, str | None]]:
        """Answer what a program on this host would get: (queue key, host) pairs."""
        return self.matchmaker.queues(key, routing_key=routing_key, prefer=prefer)

    def lookup(self, key: str, *, prefer: str | None = None) -> Lookup:
        """Answer a key at length: hosts with state and age, and what "nobody" means."""
        return self.matchmaker.lookup(key, prefer=prefer)

    def is_alive(self, topic: str, host: str) -> bool:
        """Tell whether a host is registered for the topic and held alive here."""
        return self.matchmaker.is_alive(topic, host)

    def registrations(self) -> tuple[OwnRegistration, ...]:
        """List what was registered with this host's process, and when it ends."""
        return self.core.registrations(self.core_time())

    def down_for(self) -> float:
        """Virtual seconds since its process ended; 0 while it runs."""
        return 0.0 if self.up else self.clock.now - self.stopped_at

    # -- what its program does -----------------------------------------------------------------

    def register(
        self,
        topic: str,
        host: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        *,
        ttl: float | None = None,
        draining: bool = False,
    ) -> None:
        """Register a host (this one by default) for a topic, now and after each restart."""
        host = self.node_name if host is None else host
        keywords: dict[str, Any] = {"metadata": metadata, "ttl": ttl, "draining": draining}
        self.wanted[topic, host] = keywords
        for call in self.cluster.on_register:
            call(self, topic, host, True)
        if self.up:
            self.core.register(topic, host, now=self.core_time(), **keywords)
            self.pump()

    def unregister(self, topic: str, host: str | None = None) -> bool:
        """Take a registration back; False when it was not made here."""
        host = self.node_name if host is None else host
        self.wanted.pop((topic, host), None)
        for call in self.cluster.on_register:
            call(self, topic, host, False)
        done = self.core.unregister(topic, host, now=self.core_time())
        self.pump()
        return done

    def drain(
        self, topic: str | None = None, host: str | None = None, *, draining: bool = True
    ) -> int:
        """Mark a registration, or the node, as draining (or no longer); how many changed."""
        done = self.core.drain(topic, host, draining=draining, now=self.core_time())
        self.pump()
        return done

    def undrain(self, topic: str | None = None, host: str | None = None) -> int:
        """Take a registration, or the node, back into picks; how many changed."""
        return self.drain(topic, host, draining=False)

    def set_metadata(
        self, changes: Mapping[str, Any], topic: str | None = None, host: str | None = None
    ) -> int:
        """Change metadata of registrations, or of the node, of this life; how many changed."""
        return int(self.call("set_metadata", changes, topic, host))

    def renew(self, topic: str, host: str) -> bool:
        """Begin the time to live of a registration here again; False: not registered."""
        return bool(self.call("renew", topic, host))

    def ack_alive(self, topic: str, host: str) -> bool:
        """Tell that a message was delivered to a host; False: nobody registers it."""
        return bool(self.call("ack_alive", topic, host))

    def report_failure(self, topic: str, host: str) -> bool:
        """Tell that a message could not be delivered; False: nobody registers it."""
        return bool(self.call("report_failure", topic, host))

    def expire(self, topic: str, host: str) -> bool:
        """Hide a registration here, and ask its owner; False: nobody registers it."""
        return bool(self.call("expire", topic, host))

    def forget(self, name: str) -> bool:
        """Close a dead member's generation by hand; False: not known, or not dead."""
        return bool(self.call("forget", name))

    def send_event(
        self,
        name: str,
        payload: bytes | str = b"",
        *,
        topic: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> int:
        """Send a user event to all members; its number in this life."""
        chosen = {"topic": topic, "metadata": metadata}
        return int(self.call("send_event", name, payload, **chosen))

    def call(self, verb: str, *args: Any, **keywords: Any) -> Any:
        """Call any other verb of the core with this host's time: ``call("forget", "n07")``."""
        result = getattr(self.core, verb)(*args, now=self.core_time(), **keywords)
        self.pump()
        return result

    def leave(self) -> None:
        """Leave gracefully; the host goes down when the core says that it has finished."""
        self.call("leave")

    # -- addresses ---------------------------------------------------------------------------

    def bind(self, bind: str, *, v4: int = 0, v6: int = 0) -> None:
        """Give the machine so many addresses of each family, and its next process that socket.

        ``bind`` is one of ``engine.sockets.BINDS``; without numbers the machine has one address of
        each family that it needs. The first IPv4 address is the one that the host had. A running
        process has that socket from now on.
        """
        if not v4 and not v6:
            v4, v6 = (int(family in BINDS[bind]) for family in (4, 6))
        had = [one for one in (self.address[0],) if v4 and family_of(one) == 4]
        new = self.cluster.new_literal
        addresses = [*had, *(new(4) for _ in range(v4 - len(had))), *(new(6) for _ in range(v6))]
        self.socket = Socket(bind, addresses, self.address[1])
        self._moved()

    def lose_address(self, family: int) -> str | None:
        """Take the machine's first address of a family away; None: it has none."""
        socket = self._own_socket()
        literal = socket.first(family)
        if literal is not None:
            socket.addresses.remove(literal)
            self._moved()
        return literal

    def gain_address(self, family: int, literal: str = "") -> str:
        """Give the machine one more address: a new one, or the given one."""
        literal = literal or self.cluster.new_literal(family)
        self._own_socket().addresses.append(literal)
        self._moved()
        return literal

    def route(self, family: int, *, there: bool) -> None:
        """Take the machine's route for a family away, or give it back."""
        unrouted = self._own_socket().unrouted
        (unrouted.discard if there else unrouted.add)(family)
        self._moved()

    def _own_socket(self) -> Socket:
        """Give its socket: that of a plain host is a wildcard's, which nobody could tell before."""
        if self.socket is None:
            bind = "any4" if family_of(self.address[0]) == 4 else "any"
            self.socket = Socket(bind, [self.address[0]], self.address[1])
        return self.socket

    def _move(self) -> None:
        """Give the machine new addresses, as many of each family as it has."""
        if self.socket is None:
            self.address = self.cluster.new_address()
            return
        old = self.socket
        if not old.addresses:
            return  # the machine has lost all that it had, and gets none others for them
        fresh = [self.cluster.new_literal(family_of(one)) for one in old.addresses]
        self.socket = Socket(old.bind, fresh, old.port)
        self._moved()

    def _moved(self) -> None:
        """Note that the machine's addresses have changed; a running process sees it at once."""
        network = self.cluster.network
        network.begin_routing()
        self.address = next(iter(self.announced()), self.address)
        network.moved(self)
        if self.up:
            self.clock.at(self.clock.now, self._look, self.boots)

    def _look(self, boots: int, _: object = None) -> None:
        """Announce what the machine has now, as ``gossipmm.agent.own_addresses`` does."""
        socket = self.socket
        if boots != self.boots or not self.up or socket is None or socket.bound:
            return
        if self.paused or self.cold:
            self.clock.at(self.clock.now + _RETRY, self._look, boots)
            return
        found = socket.announced(self._core.addresses)
        if found and found != self._core.addresses:
            self._core.set_addresses(found, self.core_time())
            self.pump()

    # -- life --------------------------------------------------------------------------------

    def crash(self) -> None:
        """End the process at once, without a word to the others."""
        self.stop("crash")

    def restart(
        self,
        *,
        new_address: bool | Address = False,
        lose_state: bool = False,
        wall: float = 0.0,
    ) -> None:
        """Start again (after a crash, when still up) at the same or another address.

        ``lose_state``: the last generation used is forgotten, as without a state file. ``wall``:
        seconds by which the wall clock was stepped meanwhile. If another process has bound the
        address since, the host starts at a new one.
        """
        self.stop("crash")
        # Two processes cannot bind one address: the second one takes another.
        taken = self.cluster.taken(self.address)
        if isinstance(new_address, tuple):
            self.address, self.socket = new_address, None
        elif new_address or taken:
            self._move()
        if lose_state:
            self.last_generation, self.pins, self.revocations = 0, {}, None
        self.wall_offset += wall
        self.start()

    def start(self) -> None:
        """Boot: a new core, its registrations made again, its seeds resolved."""
        if self.up:
            raise ValueError(f"{self.label} is already up")
        if not self.announced():
            self.cluster.note(self, "cannot bind")
            self.clock.at(self.clock.now + _RETRY, self._start_again)
            return
        self.boots += 1
        self.booted_at = self.clock.now
        self._core = core = self.cluster.new_core(self)
        self.last_generation = core.generation
        self.up = True
        self.paused = self.blocked = False
        startup = self.startup()
        if startup.cold > 0:
            self.cold = True
            self.clock.at(self.clock.now + startup.cold, self.warm_up, self.boots)
        if startup.service > 0:
            self.slow(startup.service)
            self.clock.at(self.clock.now + startup.lasts, self._started, self.boots)
        self.mode()
        self._timer = inf
        self.cluster.network.attach(self)
        self.cluster.note(self, "boot")
        now = self.core_time()
        for (topic, host), keywords in self.wanted.items():
            core.register(topic, host, now=now, **keywords)
        self.resolve(self.boots)
        if self.up:
            self.pump()

    def _started(self, boots: int, _: object) -> None:
        """End the slowness of a start."""
        if boots == self.boots:
            self.slow(0.0)

    def _start_again(self, _: object, __: object) -> None:
        if not self.up:
            self.start()

    def stop(self, why: str = "crash") -> None:
        """End the process at once, without a word to the others."""
        if not self.up:
            return
        self.last_generation = max(self.last_generation, self._core.generation)
        if self.identity != "off":
            known: Any = self._core
            self.pins = dict(known.identities.pins())
            self.revocations = known.identities.revocations()
        self.up = self.cold = False
        self.stopped_at = self.clock.now
        self.mode()
        self._serving = self._timer_waits = False
        self._inbox.clear()
        self._outbox.clear()
        self.unsent.clear()
        self.cluster.network.detach(self)
        self.cluster.note(self, why)

    def left(self, boots: int, _: object) -> None:
        """End the process: its graceful leave has finished."""
        if boots == self.boots:
            self.stop("left")

    def resolve(self, boots: int, _: object = None) -> None:
        """Resolve the seeds as the shell does: every second while alone, otherwise rarely."""
        if boots != self.boots or not self.up:
            return
        addresses = self.cluster.resolve_seeds(self)
        if addresses is not None and not self.paused:
            self._core.join(addresses, self.core_time())
            self.pump()
        wait = 1.0 if self.alone() else self.config.seed_interval
        self.clock.at(self.clock.now + wait, self.resolve, boots)

    def alone(self) -> bool:
        """Return whether the core knows no live member but itself."""
        return self._core.table.live_count() <= 1  # type: ignore[no-any-return]


def _at_once() -> Startup:
    return Startup(0.0, 0.0, 0.0)
