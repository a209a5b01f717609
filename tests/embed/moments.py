"""Interrupts a call at a chosen moment, as a signal does: between two steps of the interpreter."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

__all__ = ("interrupted",)


def interrupted(
    call: Callable[[], object],
    handler: Callable[[], object],
    at: int,
    files: Callable[[str], bool],
    *,
    opcodes: bool = False,
) -> bool:
    """Run ``call``, and ``handler`` in its thread at its step number ``at``.

    Steps are lines (or bytecodes) of those files. False: it has not so many steps.
    """
    steps = 0
    done = False

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal steps, done
        if not files(frame.f_code.co_filename):
            return None
        frame.f_trace_opcodes = opcodes
        if event == ("opcode" if opcodes else "line"):
            steps += 1
            if steps == at + 1:
                done = True
                sys.settrace(None)  # the handler is not traced, and nothing is after it
                handler()
        return trace if not done else None

    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(None)
    return done
