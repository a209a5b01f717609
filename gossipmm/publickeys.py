"""Public keys as text: ``ed25519:`` and 32 bytes in base64, as people copy them."""

from __future__ import annotations

import base64

from gossipmm.errors import ConfigError

__all__ = ("parse_public_key", "public_key_text")

_PREFIX = "ed25519:"
_SIZE = 32


def public_key_text(public: bytes) -> str:
    """Write a public key."""
    return _PREFIX + base64.b64encode(public).decode()


def parse_public_key(text: str, *, path: str = "") -> bytes:
    """Read a public key. Raises ConfigError, which names ``path`` and shows how one looks."""
    looks = f"{_PREFIX}, and 44 characters after it"
    if not text.startswith(_PREFIX):
        raise ConfigError(f"{text[:80]!r} is not a public key, which looks like {looks}", path=path)
    try:
        public = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except ValueError:
        raise ConfigError(f"{text[:80]!r} is not base64 after {_PREFIX}", path=path) from None
    if len(public) != _SIZE or public_key_text(public) != text:
        why = f"{text[:80]!r} is cut off, or has too much: a public key looks like {looks}"
        raise ConfigError(why, path=path)
    return public
