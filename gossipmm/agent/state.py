"""The state file: the last generation, peers to try beside the seeds, and the keys of names.

One small JSON object, replaced atomically. A file that is missing, damaged or of another cluster
only means a start without memory; one that cannot be written is a fault, never fatal.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import stat
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from gossipmm.addresses import format_address, parse_address
from gossipmm.core.values.types import MAX_GENERATION, Address, Generation, NodeId
from gossipmm.errors import ConfigError

__all__ = ("Memory", "load", "save")

#: Peers remembered: enough that one of them still lives, few enough to try all at once.
MAX_PEERS = 32
#: Bytes read, at most: usually one or two thousand, and 100 for each key of a name. Members
#: that are held or remembered have one each, and names of up to 64 bytes.
_MAX_FILE = 16 * 1024 * 1024
#: Bytes of a public key.
_KEY = 32

_log = logging.getLogger(__name__)


class Memory(NamedTuple):
    """What an agent remembers of its last life."""

    generation: Generation = 0
    peers: tuple[Address, ...] = ()
    #: The keys that names are bound to here, and the list of revocations that it held.
    pins: Mapping[NodeId, bytes] = MappingProxyType({})
    revocations: bytes | None = None


def load(path: str, *, name: str, cluster: str) -> Memory:
    """Read the file; one of another node or cluster, or a damaged one, counts as empty."""
    try:
        # Neither through a link, which may have been put there to have another file overwritten,
        # nor from a pipe, which would be waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ValueError("it is not a regular file")
            state = json.loads(file.read(_MAX_FILE))
        generation = state["generation"]
        if not isinstance(generation, int) or not 0 <= generation < MAX_GENERATION:
            raise ValueError(f"generation {generation!r} is out of range")
        if (state["name"], state["cluster"]) != (name, cluster):
            return Memory()
        return Memory(
            generation,
            tuple(_peers(state["peers"])),
            _pins(state.get("pins", {})),
            bytes.fromhex(state["revocations"]) if "revocations" in state else None,
        )
    except FileNotFoundError:
        return Memory()
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as exc:
        _log.warning("state_file %s: not used: %s", path, _words(exc))
        return Memory()


def save(path: str, memory: Memory, *, name: str, cluster: str) -> str:
    """Replace the file; return why that failed, in words, or an empty string."""
    state: dict[str, Any] = {
        "name": name,
        "cluster": cluster,
        "generation": memory.generation,
        "peers": [format_address(address) for address in memory.peers[:MAX_PEERS]],
    }
    if memory.pins:
        state["pins"] = {known: key.hex() for known, key in memory.pins.items()}
    if memory.revocations is not None:
        state["revocations"] = memory.revocations.hex()
    temporary = f"{path}.{os.getpid()}.new"
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(state, file)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as exc:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        return _words(exc)
    return ""


def _peers(texts: Iterable[object]) -> Iterable[Address]:
    for text in texts:
        with contextlib.suppress(ConfigError):
            yield parse_address(str(text))


def _pins(rows: object) -> Mapping[NodeId, bytes]:
    """Read the keys of names. Raises ValueError: half of them would be worse than a warning."""
    if not isinstance(rows, dict):
        raise ValueError("pins are not a map of names to keys")
    pins = {str(name): bytes.fromhex(key) for name, key in rows.items()}
    if any(len(key) != _KEY for key in pins.values()):
        raise ValueError("a pin is not the key of a name")
    return pins


def _words(exc: Exception) -> str:
    return (isinstance(exc, OSError) and exc.strerror) or f"{type(exc).__name__}: {exc}"
