"""Signal handlers that close, and forks, at every moment: nothing of ours may be waited for."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

import pytest

from gossipmm.config import Config
from gossipmm.embed.matchmaker import MatchMakerGossip
from gossipmm.embed.outcome import Outcome
from gossipmm.errors import AgentClosedError, ForkedError, MatchMakerException
from gossipmm.matchmaker import HeartbeatMatchMakerBase, OwnedAgent
from tests.embed.helpers import SOON, config
from tests.embed.moments import interrupted
from tests.matchmaker.helpers import OwnFake

#: Seconds within which a handler must have returned: a leave of an agent that is alone takes none.
AT_ONCE = 5.0


def ours(path: str) -> bool:
    return "/gossipmm/embed/" in path or "/gossipmm/matchmaker/" in path


def ours_and_trios(path: str) -> bool:
    """Return whether it is ours, or what hands a call over to Trio's thread."""
    return ours(path) or path.endswith(("trio/_core/_entry_queue.py", "/threading.py"))


CALLS: dict[str, Callable[[MatchMakerGossip], object]] = {
    "open": lambda mm: mm.open(),
    "register": lambda mm: mm.register("compute", "a", ttl=5.0),
    "start_heartbeat": lambda mm: mm.start_heartbeat(),
    "register again": lambda mm: mm.register("compute", "b", ttl=1.0),
    "ack_alive": lambda mm: mm.ack_alive("compute", "a"),
    "stop_heartbeat": lambda mm: mm.stop_heartbeat(),
    "close": lambda mm: mm.close(),
}


def all_at_once(mm: MatchMakerGossip) -> None:
    for call in CALLS.values():
        call(mm)


def test_a_handler_that_closes_a_matchmaker_returns_at_every_moment_of_its_life() -> None:
    """It waited for ever: for a lock that the code which it had interrupted held."""
    for at in count():
        mm = OwnFake(name="x")
        took: list[float] = []

        def handler(mm: OwnFake = mm, took: list[float] = took) -> None:
            began = time.monotonic()
            mm.close()
            took.append(time.monotonic() - began)

        try:
            reached = interrupted(lambda mm=mm: all_at_once(mm), handler, at, ours, opcodes=True)
        except AgentClosedError:
            reached = True
        if not reached:
            break
        assert took[0] < AT_ONCE, f"step {at}: {took[0]:g} s"
        opened = getattr(mm, "opened", [])
        assert all(agent.closed.is_set() for agent in opened), f"step {at}: left open"
        with pytest.raises(AgentClosedError):
            mm.queues("compute")
        mm.close()
    assert at > 500


def test_a_handler_that_closes_an_agent_in_a_thread_returns_at_every_line_of_its_life() -> None:
    for at in count():
        mm = MatchMakerGossip(config=config("x", leave_timeout=0.1))
        took: list[float] = []

        def handler(mm: MatchMakerGossip = mm, took: list[float] = took) -> None:
            began = time.monotonic()
            mm.close()
            took.append(time.monotonic() - began)

        try:
            reached = interrupted(lambda mm=mm: all_at_once(mm), handler, at, ours_and_trios)
        except AgentClosedError:
            reached = True
        mm.close()
        if not reached:
            break
        assert took[0] < AT_ONCE, f"line {at}: {took[0]:g} s"
    assert at > 150
    agents = [one.name for one in threading.enumerate() if one.name == "gossipmm-x"]
    assert not agents


@contextmanager
def handled(handler: Callable[[], object]) -> Iterator[None]:
    before = signal.signal(signal.SIGVTALRM, lambda *_: handler())
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
        signal.signal(signal.SIGVTALRM, before)


@pytest.mark.parametrize("milliseconds", [0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0])
def test_a_real_signal_that_closes_while_it_opens(milliseconds: float) -> None:
    mm = MatchMakerGossip(config=config("x", leave_timeout=0.1))
    with handled(mm.close):
        signal.setitimer(signal.ITIMER_VIRTUAL, milliseconds / 1000)
        with pytest.raises(AgentClosedError):
            end = time.monotonic() + SOON
            while time.monotonic() < end:
                mm.register("compute", "a")
    mm.close()


def test_a_handler_that_asks_what_it_would_wait_for_is_refused() -> None:
    mm = OwnFake(name="x")
    refused: list[str] = []

    class Asking(OwnFake):
        def open_agent(self, config: Config) -> OwnedAgent:
            try:
                self.queues("compute")
            except MatchMakerException as exc:
                refused.append(str(exc))
            return super().open_agent(config)

    mm = Asking(name="x")
    assert mm.queues("compute") == []
    assert refused == [
        "this call interrupted the one that opens the agent, and would wait for it: in a signal "
        "handler call close() only"
    ]
    mm.close()


# -- forks -----------------------------------------------------------------------------------------


def in_a_fork(call: Callable[[], object]) -> str:
    """Run something in a forked child; what it returned or raised, or "hangs"."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            try:
                said = str(call())
            except BaseException as exc:
                said = f"{type(exc).__name__}: {exc}"
            os.write(writing, said.encode())
        finally:
            os._exit(0)
    os.close(writing)
    end = time.monotonic() + AT_ONCE
    while os.waitpid(pid, os.WNOHANG) == (0, 0):
        if time.monotonic() > end:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(reading)
            return "hangs"
        time.sleep(0.01)
    said = os.read(reading, 4096).decode()
    os.close(reading)
    return said


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_a_fork_while_another_thread_opens_is_told_so_in_the_child() -> None:
    """The child waited for a lock that a thread held which it does not have."""
    opening, go_on = threading.Event(), threading.Event()

    class Slow(OwnFake):
        def open_agent(self, config: Config) -> OwnedAgent:
            opening.set()
            assert go_on.wait(SOON)
            return super().open_agent(config)

    mm = Slow(name="x")
    thread = threading.Thread(target=mm.open)
    thread.start()
    assert opening.wait(SOON)
    try:
        assert in_a_fork(lambda: mm.queues("compute")).startswith(
            f"{ForkedError.__name__}: this matchmaker was being opened in process {os.getpid()}"
        )
        assert in_a_fork(mm.close) == "None"
    finally:
        go_on.set()
        thread.join(SOON)
    assert mm.queues("compute") == []
    assert "before the fork" in in_a_fork(lambda: mm.queues("compute"))
    mm.close()


class Slow(HeartbeatMatchMakerBase):
    """A backend of a program, that takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.go_on = threading.Event(), threading.Event()

    def backend_register(self, key: str, host: str) -> None:
        self.asked.set()
        assert self.go_on.wait(SOON)

    def ack_alive(self, key: str, host: str) -> None:
        pass


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_a_fork_while_another_thread_registers_leaves_a_matchmaker_that_works() -> None:
    mm = Slow()
    thread = threading.Thread(target=mm.register, args=["compute", "a"])
    thread.start()
    assert mm.asked.wait(SOON)

    def child() -> object:
        mm.go_on = threading.Event()
        mm.go_on.set()
        mm.register("compute", "b")
        return sorted(mm.heartbeats)

    try:
        assert in_a_fork(child) == "[('compute', 'a'), ('compute', 'b')]"
    finally:
        mm.go_on.set()
        thread.join(SOON)
    assert mm.heartbeats == (("compute", "a"),)


# -- outcomes --------------------------------------------------------------------------------------


def test_an_outcome_ends_once_and_wakes_all_who_wait() -> None:
    outcome: Outcome[int] = Outcome()
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(outcome.result())) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert outcome.wait(0.0) is False
    with pytest.raises(TimeoutError):
        outcome.result(0.0)
    assert outcome.begin()
    assert not outcome.cancel()
    assert outcome.set_result(7)
    assert not outcome.set_exception(ValueError("too late"))
    for thread in threads:
        thread.join(SOON)
    assert found == [7] * 4
    assert outcome.exception() is None
    called: list[object] = []
    outcome.add_done_callback(called.append)
    assert called == [outcome]


def test_a_callback_of_an_outcome_that_fails_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    outcome: Outcome[int] = Outcome()
    called: list[object] = []
    outcome.add_done_callback(called.append)
    outcome.add_done_callback(lambda _: 1 / 0)
    outcome.set_result(1)
    assert called == [outcome]
    assert "ZeroDivisionError" in caplog.text
