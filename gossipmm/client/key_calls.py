"""The calls about the keys of gossip: methods of ``keys`` in both clients.

Through the agent's Unix socket only. Each returns once the agent has written its file of keys.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from gossipmm.client.asked import Asked, Late, path

if TYPE_CHECKING:
    from gossipmm.answers import KeysStatus
    from gossipmm.client import answers
    from gossipmm.core.sealing.keyring import Key
else:
    answers = Late("gossipmm.client.answers")

__all__ = ("KEEP",)

#: Seconds that the old key is kept for members that are down.
KEEP = 3600.0
#: A key is written to disk before a change is answered.
_PATIENCE = 15.0


def _changed(*parts: str, **body: Any) -> Asked[None]:
    return Asked("POST", path("keys", *parts), lambda _: None, body or None, _PATIENCE)


def status() -> Asked[KeysStatus]:
    """Return the keys by their ids, what the members tell of theirs, and the last rotation."""
    return Asked("GET", path("keys"), answers.keys_status)


def add(key: Key) -> Asked[None]:
    """Receive with one more key. Raises KeyringError, as all changes do."""
    secret = b2a_base64(key.secret, newline=False).decode()
    return _changed(kid=key.kid.hex(), key=secret)


def use(kid: bytes, *, force: bool = False) -> Asked[None]:
    """Send with another key, there only."""
    return _changed(kid.hex(), "use", force=force)


def remove(kid: bytes, *, force: bool = False) -> Asked[None]:
    """Accept a key no longer, there only."""
    return _changed(kid.hex(), "remove", force=force)


def rotate(*, keep: float = KEEP) -> Asked[None]:
    """Begin to replace the sending key by a new one, everywhere, by gossip."""
    return _changed("rotation", keep=keep)


def rotate_out_of_band(kid: bytes = b"", *, keep: float = KEEP) -> Asked[None]:
    """Begin to replace the sending key by one that each host has in its own file.

    ``kid`` may be left out when there is only one other key in the agent's file.
    """
    chosen = {"kid": kid.hex()} if kid else {}
    return _changed("rotation", out_of_band=True, keep=keep, **chosen)


def leave_behind(names: Iterable[str]) -> Asked[None]:
    """Do not wait for these members in the rotation that is under way."""
    return _changed("rotation", "without", names=list(names))


def cancel() -> Asked[None]:
    """Go back to the key that is being replaced."""
    return _changed("rotation", "cancel")


def reload() -> Asked[list[str]]:
    """Read the file again; return in words what changed. Nothing does if it is wrong."""
    return Asked(
        "POST", path("keys", "reload"), lambda value: list(value["changes"]), None, _PATIENCE
    )
