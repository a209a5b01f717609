"""Running the simulator's command line inside a test."""

from __future__ import annotations

import pytest

from gossipmm_sim.cli import main


def end(*args: str) -> int:
    """Run the command line; its exit status."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["gossipmm-sim", *args])
        try:
            main()
        except SystemExit as exit_:
            return int(exit_.code or 0)
    return 0
