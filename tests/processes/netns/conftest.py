"""Fixtures of the tests on several hosts; without root they are skipped, and say why."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests import namespaces
from tests.processes.netns.site import Site


@cache
def _missing() -> str:
    return namespaces.missing()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A switch, to which a test connects hosts, and the agents on them."""
    if _missing():
        pytest.skip(_missing())
    with Site(tmp_path) as site:
        yield site
