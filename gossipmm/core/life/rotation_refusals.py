"""Why a change of keys by hand is refused: who would be cut off, and what does not fit."""

from __future__ import annotations

from typing import Final

from gossipmm.core.life.rotation_progress import standings
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.table import Table
from gossipmm.core.values.rotation_state import MAX_TOLD, NEVER
from gossipmm.core.values.types import NodeId
from gossipmm.errors import KeyringError, LimitError

__all__ = ("check_room", "refuse_deaf", "refuse_unheard", "some")

_MAX_PAGE_ZERO: Final = 400


def refuse_deaf(table: Table, kid: bytes) -> None:
    """Raise KeyringError when live members could not read what is sealed with a key."""
    members = standings(table, NEVER)
    deaf = [one.name for one in members if one.live and one.holds and kid not in one.holds]
    if deaf:
        raise KeyringError(
            f"{some(deaf)} would not understand this node: key {kid.hex()} is not there; "
            "add it there first (or force it)"
        )


def refuse_unheard(table: Table, kid: bytes) -> None:
    """Raise KeyringError when live members still send with a key."""
    using = [one.name for one in standings(table, NEVER) if one.live and one.holds[:1] == (kid,)]
    if using:
        raise KeyringError(
            f"this node would no longer hear {some(using)}: key {kid.hex()} still sends "
            "there; use another one there first (or force it)"
        )


def check_room(local: LocalState) -> None:
    """Refuse at the start what would not fit later in a rotation. Raises LimitError."""
    own = local.own
    size = len(own.page_zero().raw) + MAX_TOLD
    if size > _MAX_PAGE_ZERO:
        raise LimitError(
            f"node {own.name!r}: addresses, metadata and the ids of its keys take up to {size} "
            f"bytes, more than the {_MAX_PAGE_ZERO} allowed: shorten the metadata"
        )


def some(names: list[NodeId]) -> str:
    """Name the first five, and count the rest."""
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
