"""What an authority signs so that a rotation of keys may begin: the whole of its register.

It travels in the authority's list (``identity/revocations.py``), which has one order at most: the
last. As a word, which an operator carries from an agent to the authority::

    EVICTIONS.EPOCH.MEMBERS.KEEP.OLD.NEW      0.5.12.3600.1a2b3c4d.any

``any``: a new key is made where the rotation begins, and gossiped. Else NEW is the id of the key
that all hosts have in their files, or, to take a rotation back, of the one that it was to replace.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from gossipmm.core.values.rotation_state import Phase, RotationState, register_of

__all__ = ("RotationOrder", "order_of", "order_of_text")

_ANY: Final = "any"


class RotationOrder(NamedTuple):
    """One rotation that may begin: its fields are those of its register [P185]."""

    evictions: int
    epoch: int
    members: int
    keep: int
    old: bytes
    #: Empty: any key, made where the rotation begins. Else it is a rotation out of band.
    new: bytes

    @classmethod
    def for_register(cls, register: RotationState) -> RotationOrder:
        """Return the order that a register needs."""
        new = register.new if register.out_of_band else b""
        return cls(
            register.evictions,
            register.epoch,
            register.members,
            register.keep,
            register.old,
            new,
        )

    def allows(self, register: RotationState) -> bool:
        """Return whether a register is of the rotation that was ordered, in whatever phase."""
        return self == RotationOrder.for_register(register)

    def text(self) -> str:
        """Return the word that an operator carries to the authority."""
        new = self.new.hex() or _ANY
        return f"{'.'.join(map(str, self[:4]))}.{self.old.hex()}.{new}"


def order_of(value: Any) -> RotationOrder | None:
    """Read an order from an authority's list; None when it is malformed."""
    if type(value) is not list or len(value) != len(RotationOrder._fields):
        return None
    evictions, epoch, members, keep, old, new = value
    if type(new) is not bytes:
        return None
    row = [evictions, epoch, Phase.ADD.value, new or old, old, new != b"", members, keep]
    register = register_of(row)
    return None if register is None else RotationOrder.for_register(register)


def order_of_text(text: str) -> RotationOrder:
    """Read the word for an order. Raises ValueError for anything else."""
    *counters, old, new = text.strip().split(".")
    if len(counters) != 4 or not all(one.isascii() and one.isdigit() for one in counters):
        raise ValueError(text)
    fields = [bytes.fromhex(old), b"" if new == _ANY else bytes.fromhex(new)]
    order = order_of([*map(int, counters), *fields])
    if order is None or order.text() != text.strip():
        raise ValueError(text)
    return order
