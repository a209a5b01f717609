"""What a node believes of a rotation that others tell of: one step at a time, and by what it sees.

Whoever has a key that is still accepted can write a register. So what one node tells moves another
by a step at most, no step removes a key of whoever took no part in the steps before, and an
eviction that is under way here is ended by this node itself alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from gossipmm.core.life.rotation_progress import has_majority, left_since, standings
from gossipmm.core.sealing.keyring import Keyring, applied
from gossipmm.core.table.table import Table
from gossipmm.core.values.rotation_state import Phase, RotationState
from gossipmm.core.values.types import NodeId

__all__ = ("WAITS", "believed", "higher", "one_step", "told_by_most")


class _Waits:
    """Stands for a register that may be believed later, as this node sees more."""


#: The answer about a register that is higher, and not believed yet.
WAITS = _Waits()


def one_step(ring: Keyring, told: RotationState) -> RotationState | _Waits | None:
    """Return the step that one node's word may have this one take towards a register [P130].

    None: it is known, or is never believed. ``WAITS``: not on the word of one.
    """
    held = ring.rotation
    if told <= held:
        return None
    if told.is_same(held):
        return held._replace(phase=Phase(held.phase + 1)) if told.phase > held.phase else None
    evicts = held.active and held.out_of_band and ring.find(held.new) is not None
    if evicts:
        return None
    beside = told[:2] == held[:2]
    after = told[:2] == (held.evictions + told.out_of_band, held.epoch + 1)
    if not beside and (not after or (held.active and not told.out_of_band)):
        return WAITS
    if told.out_of_band and ring.find(told.new) is None:
        return WAITS  # its key comes by this node's own file, or it is a forgery
    takes_back = held.active and (told.new, told.old) == (held.old, held.new)
    if ring.find(told.old) is None and not takes_back:
        return WAITS  # to replace a key that is not held here: nobody could take that back
    if ring.sending.kid == told.new and not takes_back:
        return WAITS  # this node sends with that key already: no news, or to retire another one
    step = told._replace(phase=Phase.ADD)
    return step if step > held else WAITS


def believed(
    table: Table, ring: Keyring, step: RotationState, without: frozenset[NodeId]
) -> Keyring | None:
    """Return the keyring after a step; None while too few are seen to be ready for it.

    A further phase needs what brings one about (P117): more than half of the members. So nobody's
    word cuts off more than those that lag behind.
    """
    held = ring.rotation
    if step.is_same(held):
        members = standings(table, held)
        if not has_majority(members, held, without, left_since(table, held)):
            return None
        if step.phase is Phase.DONE and ring.sending.kid != held.new:
            return None
    return applied(replace(ring, rotation=step), held)


def higher(table: Table, ring: Keyring) -> list[RotationState]:
    """Return the registers above this node's own that members tell, the lowest first."""
    return sorted({register for register in _told(table) if register > ring.rotation})


def told_by_most(table: Table, ring: Keyring) -> Keyring | None:
    """Return the keyring with the register that more than half of the live members tell, if higher.

    So whoever missed several rotations, or is new, comes to know where the cluster is [P130].
    """
    held = ring.rotation
    if held.active and held.out_of_band and ring.find(held.new) is not None:
        return None
    counts = Counter((told[:2], told.new) for told in _told(table))
    if not counts:
        return None
    (rotation, times), *_ = counts.most_common(1)
    if 2 * times <= len(table.peers) + 1:
        return None
    register = max(told for told in _told(table) if (told[:2], told.new) == rotation)
    if register <= held or (register.out_of_band and ring.find(register.new) is None):
        return None
    if register.is_same(held):
        return None
    changed = replace(ring, rotation=register)
    if applied(changed, held).keys != ring.keys:
        # What it removes, this node removes by itself in due course.
        register = register._replace(phase=min(register.phase, Phase.USE))
        changed = applied(replace(ring, rotation=register), held)
    return changed if register > held else None


def _told(table: Table) -> Iterable[RotationState]:
    for member in table.peers.values():
        told = member.pages[0].keys
        if told is not None and told.register.epoch:
            yield told.register
