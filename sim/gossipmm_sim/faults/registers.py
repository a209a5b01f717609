"""Insiders that forge registers of key rotations, and an honest rotation by gossip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gossipmm.core.sealing.keyring import Key
from gossipmm.core.values.rotation_state import Phase, RotationState, Told
from gossipmm.core.values.types import NodeState
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import encode_page_zero
from gossipmm.errors import KeyringError
from gossipmm_sim.faults.base import Context, Window, fault, select
from gossipmm_sim.faults.hostile import Insider, own_seal

if TYPE_CHECKING:
    from gossipmm_sim.engine.host import Host

__all__ = ("Registers", "Rotate")

#: The last epoch there is, nearly.
_LAST = (1 << 31) - 3
#: Seconds between two looks for keys that have to be written to a file, as an agent does.
_WRITTEN = 0.05
#: The key that nobody has, and the one of every host.
_NOBODYS, _EVERYBODYS = b"k9", b"k1"


def _register(what: str, epoch: int, phase: Phase) -> RotationState:
    """Return a forged register of a kind."""
    states = {
        "far": (0, _LAST, phase, _NOBODYS, _EVERYBODYS, False, 5, 1),
        "evictions": (_LAST, _LAST, phase, _NOBODYS, _EVERYBODYS, True, 5, 1),
        "next": (0, epoch + 1, phase, _NOBODYS, _EVERYBODYS, False, 1 << 30, 1),
        "evict": (1, epoch + 1, phase, _NOBODYS, _EVERYBODYS, True, 5, 1),
        "beside": (0, max(epoch, 1), phase, _NOBODYS, b"k2", False, 5, 1 << 30),
        "back": (0, epoch + 1, phase, _EVERYBODYS, b"k2", False, 5, 1),
    }
    return RotationState(*states[what])


_WHATS = ("far", "evictions", "next", "evict", "beside", "back")


@fault("registers")
@dataclass(frozen=True, slots=True, kw_only=True)
class Registers(Insider):
    """An insider's page 0 has a forged register, of each phase in turn.

    ``what``: far (the last epoch), evictions (the last eviction), next (one epoch on, to a key that
    nobody has), evict (the same out of band), beside (the present epoch, other keys), back (to the
    key that is being replaced).
    """

    what: str

    def __post_init__(self) -> None:
        super(Registers, self).__post_init__()
        if self.what not in _WHATS:
            raise ValueError(f"what={self.what!r} is none of {', '.join(_WHATS)}")

    def lie(self, run: Context, key: str, liar: Host) -> list[tuple[bytes, dict[int, Any]]]:
        """Tell it in a page 0 of its own."""
        core: Any = liar.core
        told = run.memory(f"{key}/{liar.label}", lambda: [100])
        told[0] += 1
        ring = core.keys.ring
        phase = list(Phase)[told[0] % len(Phase)]
        state = _register(self.what, ring.rotation.epoch, phase)
        keys = Told(tuple(one.kid for one in ring.keys), state)
        page = encode_page_zero(
            *(liar.node_name, core.generation, told[0], NodeState.UP, core.addresses, {}),
            keys=keys,
            seal=own_seal(run, liar),
        )
        return [(b"", {wire.OPT_PAGES: [page.raw]})]


@fault("rotate")
@dataclass(frozen=True, slots=True, kw_only=True)
class Rotate(Window):
    """The operator of host ``on`` begins a rotation to the key ``kid``, which goes by gossip.

    Where there is an authority, that orders it first.

    From ``at`` to ``until`` every host writes its keys to its file whenever they change; with
    ``start=0`` nothing else happens. ``keys_lost`` is how many hosts lack ``kid`` at ``until``, and
    ``keys_kept`` how many have any other key then.
    """

    on: str = "0"
    kid: str = "k2"
    start: float = 0.0

    def act(self, run: Context, key: str) -> None:
        """Write what has to be written; begin the rotation when it is time."""
        cluster = run.cluster
        if self.start and cluster.now >= run.zero + self.start:
            self._begin(run, run.memory(f"{key}/begun", list))
        for host in run.cast:
            if host.up:
                _write(host)
        if cluster.now < self.over(run):
            cluster.clock.at(cluster.now + _WRITTEN, self._act, run, key)

    def _begin(self, run: Context, begun: list[bool]) -> None:
        """Begin once; as an operator would, take back first what somebody else has begun."""
        (host,) = select(run, self.on)
        core: Any = host.core
        if begun or not host.up:
            return
        register = core.keys.ring.rotation
        try:
            if register.active:
                if core.keys.ring.find(register.old) is not None:  # else it is being taken back
                    core.keys.cancel(host.core_time())
            else:
                new = Key(self.kid.encode(), self.kid[-1:].encode() * 32)
                core.keys.start(new, host.core_time())
                begun.append(True)
        except KeyringError as exc:
            # The authority orders it, by what the refusal says; it is begun at the next look.
            word = str(exc).partition("ca rotate ")[2].partition(",")[0]
            ordered = run.memory("rotations ordered", list)
            ordered.append(word)
            raw = run.cluster.keys.order(word, len(ordered))
            core.identities.set_revocations(raw, host.core_time())
        host.pump()

    def end(self, run: Context, key: str) -> None:
        """Leave how many hosts have which keys."""
        held = [{one.kid for one in host.keyring.keys} for host in run.cast]
        kid = self.kid.encode()
        run.measured["keys_lost"] = sum(kid not in kids for kids in held)
        run.measured["keys_kept"] = sum(bool(kids - {kid}) for kids in held)


def _write(host: Host) -> None:
    core: Any = host.core
    if core.keys.unsaved:
        host.keyring = core.keys.ring
        core.keys.saved(core.keys.ring, host.core_time())
        host.pump()
