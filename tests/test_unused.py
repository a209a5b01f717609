"""No code is unused: vulture over both packages, with the excuses in ``pyproject.toml``."""

import tomllib

import vulture

from tests.house.source import ROOT

CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["vulture"]


def unused(ignore_names=()):
    scavenger = vulture.Vulture(
        ignore_names=list(ignore_names), ignore_decorators=CONFIG["ignore_decorators"]
    )
    scavenger.scavenge([str(ROOT / path) for path in CONFIG["paths"]])
    assert scavenger.exit_code == 0, "a file could not be read"
    return scavenger.get_unused_code(min_confidence=CONFIG["min_confidence"])


def test_nothing_is_defined_that_nothing_uses():
    """Used by a test does not count. Remove it, or say in ``ignore_names`` who asks for it."""
    found = [item.get_report() for item in unused(CONFIG["ignore_names"])]
    assert not found, "\n".join(found)


def test_every_name_that_is_excused_is_unused():
    found = {item.name for item in unused()}
    assert len(found) > 10, "vulture has found next to nothing: does it read the sources?"
    stale = sorted(set(CONFIG["ignore_names"]) - found)
    assert not stale, f"used, or gone: strike out of tool.vulture in pyproject.toml: {stale}"
