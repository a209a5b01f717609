"""Compiles with mypyc from two source folders: hatch-mypyc knows one only.

``MYPYC_OPT_LEVEL`` (3 unless told otherwise), ``MYPYC_DEBUG_LEVEL`` (1) and ``MYPYC_MULTI_FILE=1``
are mypy's own names for how much the C compiler optimises and tells debuggers, and for a C file of
each module instead of one of 96 MB; two are then compiled at once. They are for whoever wants to
know only that what is compiled does the same, as .ci/run does: the largest takes 1.5 s, not 8.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatch_mypyc import plugin

_ONE_FOLDER = "{'': '@'}"
_CALL = "setup(\n"
_construct = plugin.construct_setup_file


def _setup(_package_source: str, *args: str, **options: Any) -> str:
    options["opt_level"] = os.environ.get("MYPYC_OPT_LEVEL", "3")
    options["debug_level"] = os.environ.get("MYPYC_DEBUG_LEVEL", "1")
    options["multi_file"] = multi = os.environ.get("MYPYC_MULTI_FILE") == "1"
    text: str = _construct("@", *args, **options)
    if _ONE_FOLDER not in text or text.count(_CALL) != 1:
        raise RuntimeError(f"hatch-mypyc writes no {_ONE_FOLDER} or no {_CALL} any longer: {text}")
    if multi:
        text = text.replace(_CALL, f"{_CALL}    options={{'build_ext': {{'parallel': 2}}}},\n")
    return text.replace(_ONE_FOLDER, "{'gossipmm_sim': 'sim/gossipmm_sim'}")


plugin.construct_setup_file = _setup


class CustomBuildHook(plugin.MypycBuildHook):  # type: ignore[misc]
    """The hook of hatch-mypyc, for sources in the root and in ``sim``."""

    PLUGIN_NAME = "custom"
    package_source = ""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, but not for an editable install: there it would hide the sources."""
        if version == "editable":
            self.app.display_warning("an editable install is not compiled: its sources count")
            return
        self._found_before = set(self._compiled())
        super().initialize(version, build_data)

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Take away what was compiled beside the sources, where Python would prefer it to them."""
        super().finalize(version, build_data, artifact_path)
        if version != "editable":
            for path in set(self._compiled()) - self._found_before:
                path.unlink()

    def _compiled(self) -> Iterator[Path]:
        root = Path(self.root)
        for folder in (root / "gossipmm", root / "sim"):
            for pattern in ("*.so", "*.pyd"):
                yield from folder.rglob(pattern)
        for pattern in ("*__mypyc*.so", "*__mypyc*.pyd"):
            yield from root.glob(pattern)
