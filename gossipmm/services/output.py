"""What a program printed, or a server answered: bounded, and as text that can be shown."""

from __future__ import annotations

from typing import Final

from gossipmm.text.terminal import printable

__all__ = ("MAX_READ", "MAX_SHOWN", "tail")

#: Bytes of output that are read; the rest is thrown away. Consul reads as much.
MAX_READ: Final = 4096
#: Bytes of it that are kept, the last ones: where programs say what went wrong.
MAX_SHOWN: Final = 1024


def tail(output: bytes) -> str:
    """Return the end of an output, without what a terminal would obey."""
    text = output[-MAX_SHOWN:].decode(errors="replace").strip()
    return "\n".join(printable(line) for line in text.splitlines())


def bounded(text: str) -> str:
    """Return the end of a text that a program gave."""
    return tail(text.encode(errors="replace"))
