"""Compiles with mypyc from two source folders: hatch-mypyc knows one only."""

from __future__ import annotations

from typing import Any

from hatch_mypyc import plugin

_ONE_FOLDER = "{'': '@'}"
_construct = plugin.construct_setup_file


def _setup(_package_source: str, *args: str, **options: Any) -> str:
    text: str = _construct("@", *args, **options)
    if _ONE_FOLDER not in text:
        raise RuntimeError(f"hatch-mypyc writes no {_ONE_FOLDER} any longer: {text}")
    return text.replace(_ONE_FOLDER, "{'gossipmm_sim': 'sim/gossipmm_sim'}")


plugin.construct_setup_file = _setup


class CustomBuildHook(plugin.MypycBuildHook):  # type: ignore[misc]
    """The hook of hatch-mypyc, for sources in the root and in ``sim``."""

    PLUGIN_NAME = "custom"
    package_source = ""
