"""``gossipmm-sim`` and ``python -m gossipmm_sim``: everything that the simulator can be asked for.

Results go to stdout, progress and errors to stderr. Exit status: 0 all promises kept, 1 at least
one broken, 2 a wrong command line or file (one line, with the nearest match).
"""

from __future__ import annotations

import sys
from typing import NoReturn

from gossipmm_sim.errors import UsageError

__all__ = ("main",)


def main() -> None:
    """Run the command line; wrong input ends in one clear line and exit status 2."""
    try:
        import click
    except ModuleNotFoundError:
        _end("the command line needs click: pip install 'gossipmm[sim]'")
    from gossipmm_sim.cli import many, one, papers  # noqa: F401 - they add their commands
    from gossipmm_sim.cli.base import cli

    try:
        cli(standalone_mode=False)
    except UsageError as error:
        _end(str(error))
    except click.exceptions.Abort:
        print("interrupted; every finished run is kept", file=sys.stderr)
        sys.exit(130)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.UsageError as error:
        _end(error.format_message())
    except click.ClickException as error:
        _end(error.format_message())


def _end(message: str) -> NoReturn:
    print(f"gossipmm-sim: {message}", file=sys.stderr)
    sys.exit(2)
