"""The keys of an agent in a child process: what is asked, and what the child makes of it.

JSON has no bytes: ids and secrets go to the child in hexadecimal, over the socket that these two
processes alone have.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any

from gossipmm.core.sealing.keyring import Key
from gossipmm.core.values.rotation_state import KEEP
from gossipmm.embed.plain import restored

if TYPE_CHECKING:
    from gossipmm.agent.keys import AgentKeys
    from gossipmm.answers import KeysStatus

__all__ = ("KEY_VERBS", "ChildKeys", "KeyCalls")

_VERBS = "status add use remove rotate rotate_out_of_band leave_behind cancel reload"
#: The calls that the child answers.
KEY_VERBS = frozenset(f"keys.{name}" for name in _VERBS.split())


class ChildKeys:
    """The keys of gossip of an agent in a child process; each call is one question.

    Changes return once the file is written; all raise KeyringError.
    """

    def __init__(self, ask: Callable[..., Any]) -> None:
        self._ask = ask

    def status(self) -> KeysStatus:
        """Return the keys by their ids, what the members tell of theirs, and the last rotation."""
        found: KeysStatus = restored(self._ask("keys.status"))
        return found

    def add(self, key: Key) -> None:
        """Accept one more key."""
        self._ask("keys.add", key.kid.hex(), key.secret.hex())

    def use(self, kid: bytes, *, force: bool = False) -> None:
        """Send with another key, here only."""
        self._ask("keys.use", kid.hex(), force=force)

    def remove(self, kid: bytes, *, force: bool = False) -> None:
        """Stop accepting a key, here only."""
        self._ask("keys.remove", kid.hex(), force=force)

    def rotate(self, *, keep: float = KEEP) -> None:
        """Begin to replace the sending key with a new one, everywhere, by gossip."""
        self._ask("keys.rotate", keep=keep)

    def rotate_out_of_band(self, kid: bytes = b"", *, keep: float = KEEP) -> None:
        """Begin to replace the sending key with one that each host has in its own file."""
        self._ask("keys.rotate_out_of_band", kid.hex(), keep=keep)

    def leave_behind(self, names: Iterable[str]) -> None:
        """Do not wait for these members in the rotation that is under way."""
        self._ask("keys.leave_behind", list(names))

    def cancel(self) -> None:
        """Go back to the key that is being replaced."""
        self._ask("keys.cancel")

    def reload(self) -> list[str]:
        """Read the file again; say in words what changed. A file that is wrong changes nothing."""
        return list(self._ask("keys.reload"))


class KeyCalls:
    """The child's side."""

    def __init__(self, keys: AgentKeys) -> None:
        self._keys = keys

    def __getattr__(self, name: str) -> Any:
        """Return a call that takes no bytes."""
        return getattr(self._keys, name)

    def add(self, kid: str, secret: str) -> Awaitable[None]:
        """Accept one more key."""
        return self._keys.add(Key(bytes.fromhex(kid), bytes.fromhex(secret)))

    def use(self, kid: str, *, force: bool) -> Awaitable[None]:
        """Send with another key."""
        return self._keys.use(bytes.fromhex(kid), force=force)

    def remove(self, kid: str, *, force: bool) -> Awaitable[None]:
        """Stop accepting a key."""
        return self._keys.remove(bytes.fromhex(kid), force=force)

    def rotate_out_of_band(self, kid: str, *, keep: float) -> Awaitable[None]:
        """Begin a rotation out of band."""
        return self._keys.rotate_out_of_band(bytes.fromhex(kid), keep=keep)
