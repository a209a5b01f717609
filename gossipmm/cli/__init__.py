"""The command line: ``gossipmm agent``, ``gossipmm demo``, ``gossipmm config check``.

Exit status: 0 fine; 1 it ran and something was not as it should be; 2 wrong use (a flag, a
configuration, an address), said in one line on stderr.
"""

from __future__ import annotations

import sys
from typing import NoReturn

from gossipmm.errors import GossipError

__all__ = ("main",)


def main() -> NoReturn:
    """Run the command line of this process, and exit."""
    try:
        import click  # noqa: F401
    except ModuleNotFoundError:
        _fail("the command line needs click: pip install 'gossipmm[sidecar]'")
    from gossipmm.cli.app import cli

    try:
        cli(prog_name="gossipmm")
    except GossipError as exc:
        _fail(str(exc))
    raise AssertionError("click ends the process itself")


def _fail(message: str) -> NoReturn:
    print("gossipmm:", " ".join(message.splitlines()), file=sys.stderr)
    sys.exit(2)
