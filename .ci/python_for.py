"""Says in a sentence what a Python lacks for gossipmm; pip builds by it, which is hatchling then.

Python 3.10's pip tries every version of every package that gossipmm needs, for minutes, before it
looks at ``requires-python``. The backend is asked before that. Has to run on any Python 3.
"""

import importlib.util
import sys
from typing import Any

OLDEST = (3, 11)


def lacks(ensurepip: bool) -> str:
    """Return what is missing here; empty: nothing."""
    if sys.version_info[:2] < OLDEST:
        found, oldest = ("{}.{}".format(*each) for each in (sys.version_info, OLDEST))
        return (
            f"gossipmm needs Python {oldest} or later; this is {found}: "
            f"say python{oldest} for python3"
        )
    if not ensurepip:
        return "this Python makes no virtual environments (Debian: apt install python3-venv)"
    return ""


def __getattr__(name: str) -> Any:
    """Hand a hook of the build (PEP 517) on to hatchling, if it may be built here."""
    missing = lacks(ensurepip=True)
    if missing:
        sys.exit(missing)
    import hatchling.build

    return getattr(hatchling.build, name)


if __name__ == "__main__":
    sys.exit(lacks(importlib.util.find_spec("ensurepip") is not None) or 0)
