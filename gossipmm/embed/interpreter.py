"""Finds a Python to run the agent's process with: ``sys.executable`` is not always one.

Inside uWSGI, mod_wsgi and programs that embed Python it is the server's binary, or empty.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator

from gossipmm.errors import StartError

__all__ = ("find_python",)

_PYTHON = re.compile(r"(python|pypy)[0-9.]*(t|d|-dbg)?(\.exe)?", re.I)


def find_python() -> str:
    """Return the path of a Python like this one. Raises StartError when there is none."""
    tried = []
    for path in _candidates():
        if os.access(path, os.X_OK):
            return path
        tried.append(path)
    raise StartError(
        f"no Python found to run the agent with (this program is {sys.executable or 'unnamed'}; "
        f"tried {', '.join(dict.fromkeys(tried)) or 'nothing'}): give one as "
        "ChildMatchMaker(python=...), of this version and with gossipmm installed"
    )


def _candidates() -> Iterator[str]:
    """Yield paths, the environment's own first. Of another version the packages do not load."""
    if sys.executable and _PYTHON.fullmatch(os.path.basename(sys.executable)):
        yield sys.executable
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for prefix in (sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix):
        yield os.path.join(prefix, "bin", version)
    yield os.path.join(sys.prefix, "python.exe")
    if found := shutil.which(version):
        yield found
