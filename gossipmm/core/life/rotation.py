"""Key rotation: what this node does about its keys, and about others' (``rotation_state.py``).

Sans-IO: the keys are values, and what must outlive a restart is handed out (``ring``, announced by
a KeysChanged event) and reported back once it is written (``saved``). Only what is written is
announced to the others, given to them, or counted for the next phase, so that a crash at any point
takes nothing back on which somebody relied.

The new key goes straight from a member that holds it to one that announces that it does not, in
option 12 of a sealed datagram. It is in no page, event or trail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Final

from gossipmm.core.life.generation import OwnGenerations
from gossipmm.core.life.rotation_hearsay import believed, higher, one_step, told_by_most
from gossipmm.core.life.rotation_orders import RotationOrders
from gossipmm.core.life.rotation_progress import (
    Progress,
    Straggler,
    has_majority,
    left_since,
    missing,
    not_back,
    obstacles,
    standings,
)
from gossipmm.core.life.rotation_refusals import check_room, refuse_deaf, refuse_unheard, some
from gossipmm.core.sealing.envelope import CoseEnvelope, Envelope
from gossipmm.core.sealing.keyring import Key, Keyring, applied, merged
from gossipmm.core.sending.outbox import Outbox
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.values import events
from gossipmm.core.values.rotation_order import RotationOrder
from gossipmm.core.values.rotation_state import (
    NEVER,
    Phase,
    RotationState,
    Told,
    register_of,
)
from gossipmm.core.values.timers import Token
from gossipmm.core.values.types import NodeId
from gossipmm.core.wire import frame as wire
from gossipmm.errors import KeyringError

__all__ = ("Rotation",)

#: Members that give the key to one without it in an interval, on average; and members to which one
#: node gives the key in an interval, at most.
_GIVERS: Final = 4
_AT_ONCE: Final = 32
#: Epochs end long before a state would be refused.
_LAST_EPOCH: Final = (1 << 31) - 2


class Rotation:
    """The keys of one node, and its part in rotations. ``enter`` takes the clock reading."""

    def __init__(
        self,
        local: LocalState,
        outbox: Outbox,
        envelope: Envelope,
        enter: Callable[[float], None],
        own_generations: OwnGenerations,
        order: Callable[[], RotationOrder | None] | None,
    ) -> None:
        """``order``: gives the last rotation that was ordered; None: none has to be."""
        self._local = local
        self._outbox = outbox
        self._orders = RotationOrders(local, order)
        self._envelope = envelope
        self._own = own_generations
        self._enter = enter
        #: The keyring as it was last written by the shell.
        self._saved = envelope.keyring
        self._since = local.now
        self._without: frozenset[NodeId] = frozenset()
        #: True while a member tells a higher register that this node does not believe yet.
        self._doubts = False
        #: The key that a rotation out of band needs which is not begun here for want of it.
        self._lacks = b""
        self._timer: Token | None = None
        if self._saved is not None:
            check_room(local)
            outbox.several_keys = len(self._saved.keys) > 1
            self._tell()
            self._wake(local.now)

    # -- what others say -----------------------------------------------------------------------

    def hear_told(self, told: Told) -> None:
        """Take a member's page 0, whose rotation state may be higher."""
        if self.ring is not None:
            self._hear(told.register)
            if self._timer is None:
                self._wake(self._local.now)

    def hear_key(self, value: Any) -> None:
        """Take the key of a rotation by gossip, from a member that holds it."""
        ring, register, secret = self.ring, register_of(value[0]), value[1]
        if ring is None or register is None:
            return
        self._hear(register)
        ring = self.ring
        assert ring is not None
        now = ring.rotation
        wanted = now.active and not now.out_of_band and now.is_same(register)
        if wanted and ring.find(now.new) is None:
            try:
                ring = ring.add(Key(now.new, secret))
            except KeyringError:
                return  # no room for it, or not a key at all: this node stays behind, and is named
            self._change(applied(ring, now))

    def _hear(self, told: RotationState) -> None:
        """Take what a member tells, one step at most, or doubt it until more is seen [P130]."""
        ring = self.ring
        assert ring is not None
        step = one_step(ring, told)
        if step is None:
            return
        self._doubts = True
        if isinstance(step, RotationState):
            if not (step.is_same(ring.rotation) or self._orders.allows(step)):
                return
            new = believed(self._local.table, ring, step, self._without)
            if new is not None:
                self._adopt(new)
        elif told.active and told.out_of_band and ring.find(told.new) is None:
            self._lack(told.new)

    def _lack(self, kid: bytes) -> None:
        if kid != self._lacks:
            self._lacks = kid
            self._local.events.append(events.KeyWanted(self._local.now, kid.hex()))

    def _review(self, ring: Keyring) -> None:
        """Look again at the registers that were doubted."""
        table = self._local.table
        told = higher(table, ring)
        self._doubts = bool(told)
        self._orders.watch(ring.rotation, told)
        if not told:
            self._lacks = b""
            return
        before = self.ring
        for register in told:
            self._hear(register)
        if self.ring == before and table.joined and (most := told_by_most(table, ring)):
            self._adopt(most)

    def _adopt(self, ring: Keyring, behind: tuple[NodeId, ...] = ()) -> None:
        """Take a keyring whose rotation state is higher."""
        local = self._local
        register = ring.rotation
        before = self.ring
        if before is not None and not before.rotation.is_same(register):
            self._without = frozenset()
        self._since = local.now
        local.events.append(
            events.KeyRotation(
                local.now,
                register.phase.name.lower(),
                register.new.hex(),
                register.old.hex(),
                register.out_of_band,
                behind,
            )
        )
        self._change(ring)

    # -- this node's keys ----------------------------------------------------------------------

    @property
    def ring(self) -> Keyring | None:
        """The keys in use, and the rotation state; None: this node does not encrypt."""
        return self._envelope.keyring

    @property
    def unsaved(self) -> bool:
        """True while the shell still has to write ``ring`` (and then to call ``saved``)."""
        return self.ring != self._saved

    @property
    def wanted(self) -> bytes:
        """Kid of a key that this node's own file should have, and does not hold; else empty."""
        ring = self.ring
        return self._lacks if ring is not None and ring.find(self._lacks) is None else b""

    def _change(self, ring: Keyring) -> None:
        local = self._local
        if not isinstance(self._envelope, CoseEnvelope) or ring == self.ring:
            return
        self._envelope.keyring = ring
        self._outbox.several_keys = len(ring.keys) > 1
        local.events.append(
            events.KeysChanged(
                local.now,
                ring.sending.kid.hex(),
                tuple(key.kid.hex() for key in ring.keys),
                tuple(key.kid.hex() for key in ring.retired),
            )
        )

    def saved(self, ring: Keyring, now: float) -> None:
        """Note that the shell wrote this keyring: from now on others may rely on it [P116]."""
        self._enter(now)
        local = self._local
        self._saved = ring
        before = local.own.keys
        self._tell()
        if local.own.keys != before and not local.own.leaving:
            self._own.write([local.own.page_zero()])
        self._wake(local.now)

    def _tell(self) -> None:
        ring = self._saved
        assert ring is not None
        self._local.own.keys = Told(tuple(key.kid for key in ring.keys), ring.rotation)

    # -- what the operator says ----------------------------------------------------------------

    def add(self, key: Key, now: float) -> None:
        """Accept one more key. Raises KeyringError."""
        self._enter(now)
        ring = self._need().add(key)
        self._change(applied(ring, ring.rotation))
        self._wake(self._local.now)

    def use(self, kid: bytes, now: float, *, force: bool = False) -> None:
        """Send with another key, on this node only. Raises KeyringError: who cannot read it."""
        self._enter(now)
        ring = self._at_rest().use(kid)
        if not force:
            refuse_deaf(self._local.table, kid)
        self._change(ring)

    def remove(self, kid: bytes, now: float, *, force: bool = False) -> None:
        """Stop accepting a key, on this node only. Raises KeyringError: who still uses it."""
        self._enter(now)
        ring = self._at_rest().remove(kid)
        if not force:
            refuse_unheard(self._local.table, kid)
        self._change(ring)

    def replace(self, ring: Keyring, now: float) -> None:
        """Take a keyring from a file that was changed by hand; the higher rotation state counts."""
        self._enter(now)
        held = self._need()
        if ring.rotation > held.rotation:
            before, self._since = held.rotation, self._local.now
            self._change(applied(ring, before))
        else:
            self._change(applied(replace(ring, rotation=held.rotation), held.rotation))

    def start(
        self, key: Key | bytes, now: float, *, out_of_band: bool = False, keep: float = 3600.0
    ) -> None:
        """Begin to replace the sending key everywhere. Raises KeyringError.

        ``key`` is the new one, or (out of band) the id of one that this node holds already.
        """
        self._enter(now)
        ring = self._need()
        register = ring.rotation
        if register.active and not (out_of_band and not register.out_of_band):
            raise KeyringError(
                f"a rotation from {register.old.hex()} to {register.new.hex()} is under way: "
                "let it end, or cancel it"
            )
        if isinstance(key, Key):
            ring = ring.add(key)
            kid = key.kid
        else:
            kid = key
            if ring.find(kid) is None:
                ring.use(kid)  # names the keys there are
        if kid == ring.sending.kid:
            raise KeyringError(f"key {kid.hex()} is already the one that sends")
        self._begin(ring, kid, ring.sending.kid, out_of_band=out_of_band, keep=keep)

    def cancel(self, now: float) -> None:
        """Rotate back to the key that was to be replaced, which all still hold."""
        self._enter(now)
        ring = self._need()
        register = ring.rotation
        if not register.active:
            raise KeyringError("no rotation is under way")
        if ring.find(register.old) is None:
            raise KeyringError(f"key {register.old.hex()} is no longer held here")
        self._begin(ring, register.old, register.new, out_of_band=True, keep=register.keep)

    def _begin(
        self, ring: Keyring, new: bytes, old: bytes, *, out_of_band: bool, keep: float
    ) -> None:
        before = ring.rotation
        if before.epoch >= _LAST_EPOCH or before.evictions >= _LAST_EPOCH:
            raise KeyringError("there were too many rotations: stop the cluster and start over")
        members = len(standings(self._local.table, NEVER))
        register = RotationState(
            before.evictions + out_of_band,
            before.epoch + 1,
            Phase.ADD,
            new,
            old,
            out_of_band,
            members,
            int(keep),
        )
        register = self._orders.ordered(register)
        self._adopt(replace(ring, rotation=register))

    def leave_behind(self, names: Iterable[NodeId], now: float) -> None:
        """Do not wait for these members, here, in the rotation that is under way."""
        self._enter(now)
        if not self._need().rotation.active:
            raise KeyringError("no rotation is under way")
        wanted = frozenset(names)
        known = {member.name for member in standings(self._local.table, NEVER)}
        if unknown := sorted(wanted - known):
            raise KeyringError(f"no member is called {some(unknown)}")
        if self._local.own.name in wanted:
            raise KeyringError(
                f"{self._local.own.name} is this node: ask another one not to wait for it"
            )
        self._without |= wanted
        self._wake(self._local.now)

    def kids(self) -> frozenset[bytes]:
        """Ids of keys that some member holds: a new one needs another."""
        return frozenset(
            kid for member in standings(self._local.table, NEVER) for kid in member.holds
        )

    def _need(self) -> Keyring:
        ring = self.ring
        if ring is None:
            raise KeyringError("this node does not encrypt: it was started without a keyring")
        return ring

    def _at_rest(self) -> Keyring:
        ring = self._need()
        if ring.rotation.active:
            raise KeyringError("a rotation is under way, and will do this on all nodes in due time")
        return ring

    # -- how far it is -------------------------------------------------------------------------

    def progress(self, now: float) -> Progress | None:
        """Return how far the last rotation has come; None: this node does not encrypt."""
        ring = self.ring
        if ring is None:
            return None
        register = ring.rotation
        members = standings(self._local.table, register)
        left = left_since(self._local.table, register)
        return Progress(
            register,
            self._since,
            members,
            obstacles(members, register, self._without, expired=self._expired(register, now)),
            missing(members, register, self._without, left),
            has_majority(members, register, self._without, left),
            tuple(sorted(self._without)),
            not self.unsaved,
        )

    def stragglers(self) -> tuple[Straggler, ...]:
        """Return the senders that used a retired key and are not back since, by address."""
        if not isinstance(self._envelope, CoseEnvelope):
            return ()
        return not_back(self._local.table, self._envelope.stragglers)

    def _expired(self, register: RotationState, now: float) -> bool:
        return register.phase is Phase.USE and now - self._since >= register.keep

    # -- going on ------------------------------------------------------------------------------

    def _wake(self, when: float) -> None:
        if (
            self._timer is None
            and self.ring is not None
            and (self._doubts or self.ring.rotation.active)
        ):
            self._timer = self._local.timers.at(when, self._go_on)

    def _go_on(self, _: object) -> None:
        """Go on with the rotation; called once an interval while one is under way."""
        local = self._local
        self._timer = None
        ring = self.ring
        if ring is not None and ring == self._saved and not local.own.leaving:
            register = ring.rotation
            if register.active and not register.out_of_band:
                self._give(ring, register)
            if register.active and local.table.joined:
                self._next_phase(ring, register)
            if self._doubts and self.ring == ring:
                self._review(ring)
        self._wake(local.now + local.config.gossip_interval)

    def _give(self, ring: Keyring, register: RotationState) -> None:
        """Give the new key to live members that announce that they do not have it [P118]."""
        local = self._local
        key = ring.find(register.new)
        if key is None:
            return
        lack = []
        for member in local.table.peers.values():
            told = member.pages[0].keys
            if told is not None and key.kid not in told.holds:
                lack.append(member)
        if not lack:
            return
        holders = 1 + len(local.table.peers) - len(lack)
        chosen = [member for member in lack if local.chance(_GIVERS / holders)]
        if len(chosen) > _AT_ONCE:
            chosen = local.rng.sample(chosen, _AT_ONCE)
        options = {wire.OPT_KEY: [register.row(), key.secret]}
        for member in chosen:
            self._outbox.send(wire.NEWS, member, options=options)

    def _next_phase(self, ring: Keyring, register: RotationState) -> None:
        table, without = self._local.table, self._without
        members = standings(self._local.table, register)
        left = left_since(self._local.table, register)
        if not has_majority(members, register, without, left):
            return
        expired = self._expired(register, self._local.now)
        if obstacles(members, register, without, expired=expired):
            return
        if register.phase is Phase.USE and not expired:
            # After a restart, a member that is down may not be known here again.
            if table.peers and not table.knows_gone:
                return
            if missing(members, register, without, left):
                return
        behind = tuple(member.name for member in members if not member.covered)
        further = register._replace(phase=Phase(register.phase + 1))
        self._adopt(merged(ring, further), behind)
