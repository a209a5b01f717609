"""The file of gossip keys: a JSON list of ``{"kid": hex, "key": base64}``, the first one sends.

    [
      {"kid": "9f3a", "key": "vS8Rk...="},
      {"kid": "07c1", "key": "q0Xn2...=", "retired": true}
    ]

A key marked as retired is no longer accepted, only recognised. A last entry ``{"rotation": {...}}``
says how far the cluster's last rotation has come here. The file is a secret: it is refused if
anybody but its owner may read or write it.
"""

from __future__ import annotations

import base64
import json
import os
import random
import secrets
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from gossipmm import secretfile
from gossipmm.core.sealing.keyring import KEY_SIZE, Key, Keyring
from gossipmm.core.values.rotation_state import NEVER, Phase, RotationState, register_of
from gossipmm.errors import KeyringError
from gossipmm.secretfile import Kind

if TYPE_CHECKING:
    from gossipmm.config import Config
    from gossipmm.core.sealing.envelope import CoseEnvelope, Envelope

__all__ = (
    "create",
    "dump",
    "generate",
    "load",
    "open_envelope",
    "parse",
    "save",
    "take_seed",
    "why_not_writable",
)

_KIND = Kind("the keys", "gossipmm keygen", KeyringError)
#: Two bytes tell the few keys of one cluster apart, and cost two in each datagram.
_KID_SIZE = 2
_FIELDS = {"kid", "key", "retired"}


def generate(*beside: Key, kids: Iterable[bytes] = ()) -> Key:
    """Make a new random key whose id differs from those."""
    taken = {*kids, *(key.kid for key in beside)}
    while (kid := secrets.token_bytes(_KID_SIZE)) in taken:
        pass
    return Key(kid, secrets.token_bytes(KEY_SIZE))


def open_envelope(config: Config, rng: random.Random) -> Envelope:
    """Return the envelope that the configuration asks for: sealed with its keys, or plain.

    Raises KeyringError. ``rng`` gives boot ids: a ``random.SystemRandom`` in production.
    """
    from gossipmm.core.sealing.envelope import CoseEnvelope, PlainEnvelope

    if not config.keyring:
        return PlainEnvelope()
    envelope = CoseEnvelope(
        load(config.keyring),
        config.cluster,
        rng,
        limit=config.max_datagram,
        most=config.max_members,
    )
    _sealed.add(envelope)
    return envelope


#: Envelopes of this process that are in use. A forked child is a copy with the same boot ids and
#: counters, and what it seals must not use an IV a second time.
_sealed: WeakSet[CoseEnvelope] = WeakSet()


def _renew_in_child() -> None:
    for envelope in list(_sealed):
        envelope.new_boot()


if hasattr(os, "register_at_fork"):  # where there is fork
    os.register_at_fork(after_in_child=_renew_in_child)


# -- files -------------------------------------------------------------------------------------


def load(path: str | os.PathLike[str], *, anybodys: bool = False, handed: bool = False) -> Keyring:
    """Read a file of keys. Raises KeyringError, which says what to do about it.

    It has to belong to this user or to root: its owner could change the keys. ``anybodys`` is for
    root, who prepares the file of a service's user; ``handed`` is for one that the system hands to
    a service, which its group may read.
    """
    path = os.fspath(path)
    return parse(secretfile.read(path, _KIND, anybodys=anybodys, handed=handed), path)


def save(path: str | os.PathLike[str], keyring: Keyring) -> None:
    """Replace a file of keys as a whole, or leave it as it is. Raises KeyringError.

    The file keeps its owner (when root writes it for a service's user); its mode becomes 0600.
    """
    secretfile.replace(os.fspath(path), dump(keyring), _KIND)


def take_seed(path: str, seed: str) -> str:
    """Copy a file of keys to ``path`` where that is missing or the seed has a key new to it.

    Returns in words what was done, empty for nothing. Raises KeyringError. A rotation since then
    stays: the keys that it put aside are known.
    """
    given = load(seed, handed=True)
    if not os.path.exists(path):
        save(path, given)
        return f"keyring {path}: made from {seed}"
    held = load(path)
    known = {key.kid for key in (*held.keys, *held.retired)}
    new = sorted(key.kid.hex() for key in given.keys if key.kid not in known)
    if not new:
        return ""
    save(path, given)
    return f"keyring {path}: replaced by {seed}, whose key {', '.join(new)} it did not have"


def why_not_writable(path: str) -> str:
    """Return why a file of keys could not be replaced in its folder; empty: it could."""
    probe = f"{os.path.realpath(path)}.{os.getpid()}.probe"
    try:
        os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        os.unlink(probe)
    except OSError as exc:
        return exc.strerror or str(exc)
    return ""


def create(path: str | os.PathLike[str], keyring: Keyring) -> None:
    """Write a new file of keys. Raises KeyringError, also when one exists already."""
    secretfile.create(os.fspath(path), dump(keyring), _KIND)


# -- text --------------------------------------------------------------------------------------


def dump(keyring: Keyring) -> str:
    """Return the text of a file with these keys."""
    rows = [_row(key) for key in keyring.keys]
    rows += [{**_row(key), "retired": True} for key in keyring.retired]
    if keyring.rotation.epoch:
        rows.append({"rotation": _rotation(keyring.rotation)})
    return "[\n" + ",\n".join(f"  {json.dumps(row)}" for row in rows) + "\n]\n"


def _row(key: Key) -> dict[str, Any]:
    return {"kid": key.kid.hex(), "key": base64.b64encode(key.secret).decode()}


def _rotation(register: RotationState) -> dict[str, Any]:
    plain = register._asdict()
    return {
        **plain,
        "phase": register.phase.name.lower(),
        "new": register.new.hex(),
        "old": register.old.hex(),
    }


def parse(data: bytes | str, source: str) -> Keyring:
    """Read the text of a file of keys. Raises KeyringError, naming the entry, never its secret."""
    try:
        rows = json.loads(data)
    except (ValueError, RecursionError):
        # Without the parser's own message: it may quote what it could not read.
        raise KeyringError(f"{source}: is not JSON") from None
    if not isinstance(rows, list):
        raise KeyringError(f"{source}: is not a list of {{kid, key}}")
    keys: list[Key] = []
    retired: list[Key] = []
    rotation = NEVER
    for index, row in enumerate(rows):
        where = f"{source}: entry {index + 1}"
        try:
            if isinstance(row, dict) and set(row) == {"rotation"}:
                rotation = _register(row["rotation"])
                continue
            key = _key(row)
            aside = row.get("retired", False)
            if not isinstance(aside, bool):
                raise KeyringError("retired is not true or false")
        except KeyringError as exc:
            raise KeyringError(f"{where}: {exc}") from None
        (retired if aside else keys).append(key)
    try:
        return Keyring(tuple(keys), tuple(retired), rotation)
    except KeyringError as exc:
        raise KeyringError(f"{source}: {exc}") from None


def _register(value: object) -> RotationState:
    try:
        assert isinstance(value, dict)
        fields = {**value, "phase": int(Phase[value["phase"].upper()])}
        fields |= {name: bytes.fromhex(value[name]) for name in ("new", "old")}
        register = register_of([fields[name] for name in RotationState._fields])
    except (AssertionError, KeyError, AttributeError, TypeError, ValueError):
        register = None
    if register is None:
        raise KeyringError(
            "is not a rotation: remove this entry (the last rotation is then forgotten)"
        )
    return register


def _key(row: object) -> Key:
    if not isinstance(row, dict):
        raise KeyringError("is not an object with kid and key")
    unknown = sorted(set(row) - _FIELDS)
    if unknown:
        # In ASCII: half of a surrogate pair, which JSON can name, cannot be told in UTF-8.
        shown = ", ".join(ascii(name)[1:-1] for name in unknown)
        raise KeyringError(f"has unknown fields: {shown}")
    kid, secret = row.get("kid"), row.get("key")
    if not isinstance(kid, str) or not isinstance(secret, str):
        raise KeyringError("needs a kid and a key, both text")
    try:
        raw_kid = bytes.fromhex(kid)
    except ValueError:
        raise KeyringError("the kid is not 2 to 8 hexadecimal digits") from None
    try:
        raw = base64.b64decode(secret, validate=True)
    except ValueError:
        raise KeyringError(f"the key of kid {kid} is not base64") from None
    return Key(raw_kid, raw)
