"""Output never holds up the agent: what cannot be written is dropped."""

import logging
import os
import time
from contextlib import suppress

import pytest

from gossipmm.cli import output
from gossipmm.cli.output import Output


@pytest.fixture
def pipe():
    """Give both ends of a pipe."""
    reading, writing = os.pipe()
    yield reading, writing
    os.close(writing)
    os.close(reading)


def test_lines_are_written_whole_and_in_order(pipe):
    reading, writing = pipe
    out = Output(writing, writing)
    out.answer("one")
    out.log("two")
    logger = logging.Logger("test")
    logger.addHandler(out.handler())
    logger.warning("three %d", 3)
    out.close()
    first, second, third = os.read(reading, 65536).decode().splitlines()
    assert first == "one"
    assert second.endswith("  two")
    assert third.endswith("  warning: three 3")


def test_a_reader_that_does_not_read_costs_lines_not_time(pipe, monkeypatch):
    monkeypatch.setattr(output, "_PATIENCE", 0.01)
    reading, writing = pipe
    out = Output(writing, writing)
    began = time.monotonic()
    for _ in range(11_000):
        out.answer("x" * 1000)
    out.close()
    assert time.monotonic() - began < 10
    assert out.dropped > 0
    # Let the thread go before its pipe does. The last of its queue may be the mark of the end, for
    # which nothing comes through the pipe: a blocking read waited for ever.
    os.set_blocking(reading, False)
    while not out._lines.empty():
        with suppress(BlockingIOError):
            os.read(reading, 1 << 20)


def test_a_reader_that_is_gone_is_noticed(pipe):
    reading, writing = os.pipe()
    os.close(reading)
    out = Output(writing, pipe[1])
    out.answer("x")
    out.close()
    os.close(writing)
    assert out.broken
