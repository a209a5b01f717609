"""Fixtures of the process tests."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.processes.program import Program, programs, until

#: Seconds for a test here, on a machine that does many other things, too; most take two.
TIMEOUT = 180


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give processes more time than the time limit of all other tests."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(TIMEOUT))


@pytest.fixture
def start() -> Iterator[Callable[..., Program]]:
    """Start an agent; all are killed after the test."""
    with programs() as start:
        yield start


@pytest.fixture
def three(start: Callable[..., Program]) -> tuple[Program, Program, Program]:
    """Agents a, b and c, each with the topic compute, all knowing all."""
    a = start("a", "--register", "compute")
    b = start("b", "--register", "compute", "--join", a.address)
    c = start("c", "--register", "compute", "--join", a.address)
    for program in (a, b, c):
        until(
            lambda program=program: program.hosts("fanout~compute") == ["a", "b", "c"],
            f"all known to {program.name}",
        )
    return a, b, c
