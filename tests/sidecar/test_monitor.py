"""What an agent logs, for readers with a level of their own: nothing else is logged for that."""

import json
import logging

import pytest
import trio

from gossipmm.sidecar.api import monitors
from gossipmm.sidecar.http.messages import Stream
from gossipmm.sidecar.ops.logs import handler
from gossipmm.sidecar.ops.tap import TAP, Tap
from tests.sidecar.api import apis
from tests.sidecar.test_watch import Reader


@pytest.fixture
def log():
    """A logger at its own level, with a handler that keeps what is written."""
    logger = logging.getLogger("gossipmm.test")
    logger.setLevel(logging.INFO)
    logger.written = []
    handling = handler(logger.written.append)
    logger.addHandler(handling)
    yield logger
    logger.removeHandler(handling)
    logger.setLevel(logging.NOTSET)


def lines(reader):
    return [data for _, _, data in reader.messages]


async def begin(api, nursery, target="/v1/monitor?level=debug", reader=None):
    """Start reading; returns what takes the lines."""
    reader = reader or Reader()
    answer = await api.answer("GET", target)
    assert isinstance(answer, Stream)
    assert ("x-accel-buffering", "no") in answer.headers
    nursery.start_soon(answer.run, reader.send)
    await trio.sleep(0.1)
    return reader


async def test_a_reader_sees_more_than_the_log_has_and_the_log_stays_as_it_is(log):
    """To see debug lines the level of the agent had to be changed, for its log file as well."""
    tap = Tap(log)
    with tap.open(logging.DEBUG) as reader:
        log.debug("in detail")
        log.getChild("below").info("as ever")
        assert tap.level == logging.INFO
        found, left_out = reader.take()
        assert [line["message"] for line in found] == ["in detail", "as ever"]
        assert left_out == 0
    assert [line.rpartition("  ")[2] for line in log.written] == ["as ever"]
    log.debug("nobody reads")
    assert (log.level, len(log.handlers), log.handlers[0].filters) == (logging.INFO, 1, [])


async def test_each_reader_has_a_level_of_its_own(log):
    tap = Tap(log)
    with tap.open(logging.ERROR) as few, tap.open(logging.DEBUG) as all_of_it:
        log.debug("a")
        log.error("b")
        assert [line["message"] for line in few.take()[0]] == ["b"]
        assert [line["message"] for line in all_of_it.take()[0]] == ["a", "b"]
    with tap.open(logging.WARNING) as reader:
        log.debug("c")
        assert (log.level, reader.take()[0]) == (logging.INFO, [])


async def test_a_level_that_is_set_meanwhile_is_the_logs_own(log):
    tap = Tap(log)
    with tap.open(logging.DEBUG) as reader:
        tap.set_level(logging.WARNING)
        log.info("hidden there")
        assert (tap.level, len(reader.take()[0]), log.written) == (logging.WARNING, 1, [])
    assert log.level == logging.WARNING
    with tap.open(logging.DEBUG):
        log.setLevel(logging.ERROR)  # by the program itself
    assert log.level == logging.ERROR


async def test_a_child_with_a_level_of_its_own_is_written_as_before(log):
    child = log.getChild("chatty")
    child.setLevel(logging.DEBUG)
    try:
        with Tap(log).open(logging.DEBUG):
            child.debug("wanted")
    finally:
        child.setLevel(logging.NOTSET)
    assert len(log.written) == 1


async def test_what_does_not_fit_is_counted_and_said_in_its_place(autojump_clock, nursery, log):
    async with apis("a") as (a,):
        reader = Reader()
        nursery.start_soon(lambda: a.state.monitors.serve(reader.send, logging.INFO, room=10))
        await trio.sleep(0.1)
        reader.stuck = True
        log.info("before")
        await trio.sleep(0.1)
        for number in range(25):
            log.info("line %d", number)
        reader.release()
        await trio.sleep(0.1)
        log.info("behind")
        await trio.sleep(0.1)
        told = [line["message"] for line in lines(reader)]
        assert told[1:3] == ["before", "line 0"]
        assert told[11:] == ["line 9", told[12], "behind"]
        assert told[12] == "15 lines were left out here: their reader was too slow"
        assert lines(reader)[12]["left_out"] == 15


async def test_threads_may_log(autojump_clock, nursery, log):
    async with apis("a") as (a,):
        reader = await begin(a, nursery)
        await trio.to_thread.run_sync(log.info, "from a thread")
        with trio.fail_after(5):
            while "from a thread" not in [line["message"] for line in lines(reader)]:
                await trio.sleep(0.01)


async def test_events_of_the_agent_are_lines_also_where_nobody_logs_them(autojump_clock, nursery):
    """An agent with ``-o json``, or one that a program embeds, logs no events."""
    async with apis("a") as (a,):
        reader = await begin(a, nursery, "/v1/monitor")
        a.agent.register("compute", "h")
        await trio.sleep(1)
        first, told = lines(reader)
        assert first["message"] == "monitoring a at info; its log is at warning"
        assert told["message"] == "topic compute: h is live"
        assert (told["event"], told["node"], told["host"]) == ("host_changed", "a", "h")
        assert (told["logger"], told["level"]) == ("gossipmm.events", "info")


async def test_the_end_of_the_agent_ends_the_stream_and_is_said(autojump_clock, nursery):
    async with apis("a") as (a,):
        reader = await begin(a, nursery)
        a.state.monitors.close("agent a ends")
        await trio.sleep(0.1)
        assert lines(reader)[-1]["message"] == "agent a ends"
        assert (a.state.monitors.count, TAP.readers) == (0, 0)


async def test_a_quiet_log_shows_that_the_connection_lives(autojump_clock, nursery):
    async with apis("a") as (a,):
        reader = await begin(a, nursery, "/v1/monitor?level=error")
        await trio.sleep(monitors.KEEP_ALIVE + 1)
        assert reader.data.endswith(b": nothing new\n\n")


async def test_readers_are_limited_and_unknown_levels_refused(autojump_clock, nursery):
    async with apis("a") as (a,):
        status, problem = await a.ask("GET", "/v1/monitor?level=loud")
        assert status == 400
        assert "'loud' is not a level of the log; known: debug, info" in problem["detail"]
        for _ in range(monitors.MOST):
            await begin(a, nursery)
        assert (await a.ask("GET", "/v1/monitor"))[0] == 503


async def test_what_others_sent_is_one_line_of_json(autojump_clock, nursery, log):
    async with apis("a") as (a,):
        reader = await begin(a, nursery)
        log.warning("evil %s", "\n\ndata: {}\x1b[2J")
        await trio.sleep(0.1)
        found = [line for line in bytes(reader.data).split(b"\n") if b"evil" in line]
        assert json.loads(found[0].removeprefix(b"data: "))["message"].startswith("evil \n\ndata")
