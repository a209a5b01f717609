"""How large files and functions may be, and which still are larger.

Each exception has a bound of its own; a test fails when it is no longer needed.
"""

from __future__ import annotations

__all__ = ("FILES", "FUNCTIONS", "LONG_FILES", "LONG_FUNCTIONS")

#: Lines of a file.
FILES = 450
#: Lines of a function or method, docstring included.
FUNCTIONS = 60

LONG_FILES: dict[str, int] = {}
LONG_FUNCTIONS: dict[str, int] = {}
