"""The gossip keys of a node as values: the first one sends, all of them receive.

A rotation has three steps, and each may take as long as it likes: ``add`` the new key on every node
(now all can read it), ``use`` it on every node (now all send with it), ``remove`` the old one. A
removed key is kept as *retired*: nothing sealed with it is accepted, but a node that was down
during the rotation and comes back with it can be distinguished from an intruder.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from gossipmm.core.values.rotation_state import NEVER, Phase, RotationState
from gossipmm.errors import KeyringError

__all__ = ("KEY_SIZE", "MAX_KID", "Key", "Keyring")

#: Bytes of a key (AES-256).
KEY_SIZE: Final = 32
#: Bytes of a key id, at most: it travels in every datagram.
MAX_KID: Final = 4
#: Keys in use, at most: two during a rotation, more only by mistake.
MAX_KEYS: Final = 8
#: Removed keys remembered, the oldest forgotten first.
MAX_RETIRED: Final = 4


@dataclass(frozen=True, slots=True)
class Key:
    """A shared secret of 32 bytes, and the id of 1-4 bytes by which datagrams name it.

    Raises KeyringError for other sizes. The secret is not shown by ``repr``.
    """

    kid: bytes
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse a key that could never be used."""
        if not 1 <= len(self.kid) <= MAX_KID:
            raise KeyringError(f"a key id has 1 to {MAX_KID} bytes, but this has {len(self.kid)}")
        if len(self.secret) != KEY_SIZE:
            raise KeyringError(
                f"key {self.kid.hex()}: a key has {KEY_SIZE} bytes, but this has {len(self.secret)}"
            )
        if not any(self.secret):
            raise KeyringError(
                f"key {self.kid.hex()}: all zeros is not a secret: use gossipmm keygen"
            )


@dataclass(frozen=True, slots=True)
class Keyring:
    """Keys in use, the sending one first, and retired ones. Every change returns a new keyring.

    ``rotation`` is how far this node is with the cluster's last rotation (``rotation_state.py``).
    Raises KeyringError when there is no key, too many, or a kid twice.
    """

    keys: tuple[Key, ...]
    retired: tuple[Key, ...] = ()
    rotation: RotationState = NEVER

    def __post_init__(self) -> None:
        """Refuse a keyring that cannot work."""
        if not self.keys:
            raise KeyringError("a keyring needs at least one key that is not retired")
        if len(self.keys) > MAX_KEYS:
            raise KeyringError(f"{len(self.keys)} keys are more than the {MAX_KEYS} allowed")
        seen: set[bytes] = set()
        for key in (*self.keys, *self.retired):
            if key.kid in seen:
                raise KeyringError(f"key {key.kid.hex()} appears twice")
            seen.add(key.kid)

    @property
    def sending(self) -> Key:
        """The key that seals what this node sends."""
        return self.keys[0]

    def find(self, kid: bytes) -> Key | None:
        """Return the key in use with that id, or None."""
        return next((key for key in self.keys if key.kid == kid), None)

    def add(self, key: Key) -> Keyring:
        """Accept one more key. Adding the same one again changes nothing."""
        held = self.find(key.kid)
        if held is not None:
            if held.secret != key.secret:
                raise KeyringError(f"key {key.kid.hex()} is already there, with another secret")
            return self
        retired = tuple(old for old in self.retired if old.kid != key.kid)
        return replace(self, keys=(*self.keys, key), retired=retired)

    def use(self, kid: bytes) -> Keyring:
        """Send with that key from now on."""
        key = self._need(kid)
        return replace(self, keys=(key, *(other for other in self.keys if other is not key)))

    def remove(self, kid: bytes) -> Keyring:
        """Stop accepting that key. The sending key cannot be removed."""
        key = self._need(kid)
        if key is self.sending:
            raise KeyringError(f"key {kid.hex()} is the one that sends: use another one first")
        kept = tuple(other for other in self.keys if other is not key)
        return replace(self, keys=kept, retired=(key, *self.retired)[:MAX_RETIRED])

    def _need(self, kid: bytes) -> Key:
        key = self.find(kid)
        if key is None:
            known = ", ".join(one.kid.hex() for one in self.keys)
            raise KeyringError(f"there is no key {kid.hex() or '(empty)'}: there is {known}")
        return key


def applied(ring: Keyring, before: RotationState) -> Keyring:
    """Return a keyring as its register requires it; ``before`` is its previous one [P115]."""
    now = ring.rotation
    if not now.epoch or ring.find(now.new) is None or now.phase is Phase.ADD:
        return ring
    if now.phase is Phase.USE:
        return ring.use(now.new)
    took_part = before.active and before.is_same(now)
    if took_part or ring.sending.kid == now.old:
        ring = ring.use(now.new)
    # A node that hears of it only afterwards may have been given other keys since, by hand.
    going = {key.kid for key in ring.keys} - {now.new} if took_part else {now.old}
    for kid in sorted(going):
        if ring.find(kid) is not None and ring.sending.kid != kid:
            ring = ring.remove(kid)
    return ring


def merged(ring: Keyring, register: RotationState) -> Keyring:
    """Return the keyring after a register was heard: the same one if it knew that or a higher."""
    held = ring.rotation
    if register <= held:
        return ring
    if held.active and held.out_of_band and not register.out_of_band:
        return ring
    return applied(replace(ring, rotation=register), held)
