"""Fixtures of the process tests."""

from collections.abc import Callable, Iterator

import pytest

from tests.processes.program import Program, programs, until


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
