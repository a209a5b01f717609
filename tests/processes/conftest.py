"""Fixtures of the process tests."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.namespaces import missing, own_network
from tests.processes.program import Program, programs, until

#: Seconds for a test here, on a machine that does many other things, too; most take two. One runs
#: command after command: 40 s of a processor, and 184 s beside a dozen other programs.
TIMEOUT = 360


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give processes more time than the time limit of all other tests."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(TIMEOUT))


@pytest.fixture(scope="session", autouse=True)
def network() -> Iterator[None]:
    """Give each of several workers of pytest a loopback of its own, where the system makes one.

    A port that one test found free, or that its agent left and comes back to, is not taken by a
    test of another worker meanwhile.
    """
    if "PYTEST_XDIST_WORKER" not in os.environ or missing():
        yield
        return
    with own_network():
        yield


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
