"""An opt-in for programs that have no handler of SIGTERM: leave first, then end as before.

Without one, SIGTERM ends a program at once, and ``atexit`` is not asked: the others hold its hosts
alive for the seconds that a death takes to be noticed. And as process 1 of a container a program
without a handler is not ended at all, until it is killed.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

from gossipmm.embed import running

__all__ = ("leave_on_sigterm",)


def _is_process_1() -> bool:
    return os.getpid() == 1


def leave_on_sigterm() -> None:
    """Have SIGTERM make all agents of this process leave, and then do what it did before.

    Call it in the main thread, before or after agents are opened; a server that sets a handler of
    its own does that later, or is asked to (gunicorn: ``worker_exit``). A handler that was set
    before is called afterwards. Without one the process ends: by the signal, or as process 1, which
    no signal ends, by ``sys.exit(143)``. A program with an event loop should rather stop that.
    """
    before = signal.getsignal(signal.SIGTERM)

    def leave(number: int, frame: FrameType | None) -> None:
        running.leave_all()
        if callable(before):
            before(number, frame)
        elif before == signal.SIG_DFL:
            if _is_process_1():
                sys.exit(128 + number)
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    signal.signal(signal.SIGTERM, leave)
