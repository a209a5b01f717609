"""Single keys of a terminal, as they are pressed."""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ("keyboard",)


@contextmanager
def keyboard() -> Iterator[Callable[[float], str]]:
    """Read single keys while the block runs.

    Gives a function that waits so many seconds for a key and returns it, or "". Where standard
    input is not a terminal, or cannot be read so (Windows), it only waits.
    """
    try:
        import termios
        import tty
    except ModuleNotFoundError:
        yield _none
        return
    if not sys.stdin.isatty():
        yield _none
        return
    file = sys.stdin.fileno()
    before = termios.tcgetattr(file)
    tty.setcbreak(file)
    try:
        yield lambda seconds: _pressed(file, seconds)
    finally:
        termios.tcsetattr(file, termios.TCSADRAIN, before)


def _pressed(file: int, seconds: float) -> str:
    ready, _, _ = select.select([file], [], [], seconds)
    # An arrow or a function key is several bytes at once: that is none of ours.
    data = os.read(file, 32) if ready else b""
    return data.decode(errors="replace") if len(data) == 1 else ""


def _none(seconds: float) -> str:
    time.sleep(seconds)
    return ""
