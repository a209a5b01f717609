"""The version of this package, wherever it is told: commands, control API, metrics, health."""

from __future__ import annotations

from functools import cache
from typing import Final

__all__ = ("UNKNOWN", "installed_version")

#: Told by a copy that was not installed: vendored, frozen into a program, or a folder on the path.
#: It is a version by PEP 440, below all others, so that whoever compares versions can read it.
UNKNOWN: Final = "0+unknown"


@cache
def installed_version() -> str:
    """Return the version of this package, as its metadata has it; without metadata, 0+unknown."""
    # Imported where it is used: importlib.metadata takes a tenth of a start.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("gossipmm")
    except PackageNotFoundError:
        return UNKNOWN
