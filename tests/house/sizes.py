"""How large files and functions may be, and which still are larger.

Each exception has a bound of its own; a test fails when it is no longer needed.
"""

from __future__ import annotations

__all__ = ("FILES", "FUNCTIONS", "LONG_FILES", "LONG_FUNCTIONS")

#: Lines of a file.
FILES = 450
#: Lines of a function or method, docstring included.
FUNCTIONS = 60

LONG_FILES = {
    "gossipmm/core/life/rotation.py": 454,
}
#: A command's options are its parameters and its decorators; ``Node.__init__`` composes the parts.
LONG_FUNCTIONS = {
    "gossipmm/core/node.py:Node.__init__": 98,
}
