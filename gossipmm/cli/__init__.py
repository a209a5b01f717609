"""The command line: running agents, and talking to them.

Exit status: 0 fine; 1 it ran, and what was asked for is not there, or not as it should be; 2 wrong
use (a flag, a configuration, an address); 3 no agent answers. Each said in one line on stderr.
"""

from __future__ import annotations

import gc
import sys
from typing import NoReturn

from gossipmm.errors import (
    AgentClosedError,
    AgentUnreachableError,
    ControlError,
    GossipError,
)

__all__ = ("main", "started")


#: Allocations between two looks for garbage while a program starts. Imports leave none, and looking
#: for it after every 700 takes a tenth of the start of an agent; hardly a command makes so many.
_START = 200_000
_USUAL = gc.get_threshold()


def started() -> None:
    """Look for garbage as often as Python does, from now on, but not in what was imported."""
    if gc.get_threshold()[0] == _START:
        gc.freeze()
        gc.set_threshold(*_USUAL)


def main() -> NoReturn:
    """Run the command line of this process, and exit."""
    gc.set_threshold(_START)
    try:
        import click  # noqa: F401
    except ModuleNotFoundError:
        _fail("the command line needs click: pip install 'gossipmm[sidecar]'")
    from gossipmm.cli.app import cli

    try:
        cli(prog_name="gossipmm")
    except (AgentUnreachableError, AgentClosedError) as exc:
        _fail(str(exc), 3)
    except ControlError as exc:
        # What is not there, or not in that state, is 1; what made no sense to the agent is 2.
        _fail(str(exc), {404: 1, 409: 1, 503: 3}.get(exc.status, 2))
    except GossipError as exc:
        _fail(str(exc))
    raise AssertionError("click ends the process itself")


def _fail(message: str, status: int = 2) -> NoReturn:
    from gossipmm.text.terminal import printable

    print("gossipmm:", printable(" ".join(message.splitlines())), file=sys.stderr)
    sys.exit(status)
