"""HeartbeatMatchMakerBase with a backend of one's own, in plain threads."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Callable, Iterator

import pytest

from gossipmm.errors import RegistrationError
from gossipmm.matchmaker import HeartbeatMatchMakerBase, MatchMakerException

SOON = 10.0


class Recorder(HeartbeatMatchMakerBase):
    """A backend that writes down what it is asked, and may run something on each call."""

    def __init__(self, heartbeat_interval: float | None = None) -> None:
        super().__init__(heartbeat_interval)
        self.calls: list[tuple[str, ...]] = []
        self.on_ack: Callable[[str, str], object] = lambda key, host: None
        self.called = threading.Condition()

    def _note(self, *call: str) -> None:
        with self.called:
            self.calls.append(call)
            self.called.notify_all()

    def wait_for(self, predicate: Callable[[list[tuple[str, ...]]], bool]) -> None:
        with self.called:
            assert self.called.wait_for(lambda: predicate(self.calls), SOON), self.calls

    def backend_register(self, key: str, key_host: str) -> None:
        self._note("register", key, key_host)

    def backend_unregister(self, key: str, key_host: str) -> None:
        self._note("unregister", key, key_host)

    def ack_alive(self, key: str, host: str) -> None:
        self._note("ack", key, host)
        self.on_ack(key, host)


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    matchmaker = Recorder(heartbeat_interval=0.001)
    yield matchmaker
    matchmaker.stop_heartbeat()


def test_register_registers_and_then_acknowledges(recorder: Recorder) -> None:
    recorder.register("compute", "host-a")
    assert recorder.calls == [
        ("register", "compute", "compute.host-a"),
        ("ack", "compute", "host-a"),
    ]
    assert recorder.hosts == {"host-a"}
    assert recorder.heartbeats == (("compute", "host-a"),)


def test_unregister_tells_the_backend(recorder: Recorder) -> None:
    recorder.register("compute", "host-a")
    recorder.unregister("compute", "host-a")
    assert recorder.calls[-1] == ("unregister", "compute", "compute.host-a")
    assert recorder.hosts == set()


def test_send_heartbeats_acknowledges_every_registration_once(recorder: Recorder) -> None:
    recorder.register("compute", "a")
    recorder.register("compute", "b")
    recorder.register("compute", "b")
    recorder.calls.clear()
    recorder.send_heartbeats()
    assert recorder.calls == [("ack", "compute", "a"), ("ack", "compute", "b")]


def test_start_heartbeat_before_any_registration_is_an_error(recorder: Recorder) -> None:
    with pytest.raises(MatchMakerException, match="register a host before"):
        recorder.start_heartbeat()
    recorder.register("compute", "a")
    recorder.unregister("compute", "a")
    with pytest.raises(MatchMakerException):
        recorder.start_heartbeat()


def test_the_heartbeat_repeats_until_it_is_stopped(recorder: Recorder) -> None:
    recorder.register("compute", "a")
    recorder.start_heartbeat()
    recorder.start_heartbeat()
    recorder.wait_for(lambda calls: calls.count(("ack", "compute", "a")) >= 5)
    hearts = [t for t in threading.enumerate() if t.name == "gossipmm-heartbeat"]
    assert len(hearts) == 1
    assert hearts[0].daemon
    recorder.stop_heartbeat()
    recorder.stop_heartbeat()
    assert not hearts[0].is_alive()


def test_the_heartbeat_can_be_started_again(recorder: Recorder) -> None:
    recorder.register("compute", "a")
    recorder.start_heartbeat()
    recorder.stop_heartbeat()
    recorder.calls.clear()
    recorder.start_heartbeat()
    recorder.wait_for(bool)


def test_the_heartbeat_can_be_stopped_from_within(recorder: Recorder) -> None:
    recorder.register("compute", "a")
    stopped = threading.Event()

    def stop(key: str, host: str) -> None:
        recorder.stop_heartbeat()
        stopped.set()

    recorder.on_ack = stop
    recorder.start_heartbeat()
    assert stopped.wait(SOON)


def test_a_failed_acknowledgement_does_not_end_the_heartbeat(
    recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    """When the Redis server was down for one round, no host was heard of again."""
    recorder.register("compute", "a")
    recorder.register("compute", "b")

    def fail(key: str, host: str) -> None:
        if host == "a":
            raise ConnectionError("the backend is down")

    recorder.on_ack = fail
    with caplog.at_level(logging.WARNING, "gossipmm"):
        recorder.start_heartbeat()
        recorder.wait_for(lambda calls: calls.count(("ack", "compute", "b")) >= 4)
        recorder.stop_heartbeat()
    assert "the backend is down" in caplog.text


def test_send_heartbeats_raises_the_first_error_behind_the_last_acknowledgement(
    recorder: Recorder,
) -> None:
    for host in "abc":
        recorder.register("compute", host)
    recorder.calls.clear()

    def fail(key: str, host: str) -> None:
        if host != "c":
            raise ConnectionError(f"{host} failed")

    recorder.on_ack = fail
    with pytest.raises(ConnectionError, match="a failed") as caught:
        recorder.send_heartbeats()
    assert recorder.calls[-1] == ("ack", "compute", "c")
    assert caught.value.__notes__ == [
        "while acknowledging compute.a",
        "1 other registrations also failed",
    ]


def test_a_backend_that_exits_does_not_end_the_heartbeat(
    recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    """SystemExit ends a thread in silence: nothing was renewed from then on."""
    recorder.register("compute", "a")
    recorder.calls.clear()

    def leave(key: str, host: str) -> None:
        raise SystemExit(1)

    recorder.on_ack = leave
    with caplog.at_level(logging.WARNING, "gossipmm"):
        recorder.start_heartbeat()
        recorder.wait_for(lambda calls: calls.count(("ack", "compute", "a")) >= 3)
        recorder.stop_heartbeat()
    assert "a heartbeat round failed" in caplog.text


def test_the_notes_on_an_error_that_is_raised_again_and_again_do_not_grow(
    recorder: Recorder,
) -> None:
    error = ConnectionError("the same object each time")

    def fail(key: str, host: str) -> None:
        raise error

    for host in "ab":
        recorder.register("compute", host)
    recorder.on_ack = fail
    for _ in range(3):
        with pytest.raises(ConnectionError):
            recorder.send_heartbeats()
    assert error.__notes__ == ["while acknowledging compute.b", "1 other registrations also failed"]


def test_a_matchmaker_that_is_dropped_takes_its_heartbeat_with_it() -> None:
    matchmaker = Recorder(heartbeat_interval=3600.0)
    matchmaker.register("compute", "a")
    matchmaker.start_heartbeat()
    heart = matchmaker._heart
    assert heart is not None
    matchmaker.wait_for(lambda calls: len(calls) >= 3)
    del matchmaker
    gc.collect()
    heart.join(SOON)
    assert not heart.is_alive()


def test_a_backend_that_refuses_leaves_nothing_registered(recorder: Recorder) -> None:
    def refuse(key: str, host: str) -> None:
        raise ConnectionError

    recorder.register("compute", "a")
    recorder.on_ack = refuse
    for host in ("a", "b"):
        with pytest.raises(ConnectionError):
            recorder.register("compute", host)
    assert recorder.heartbeats == (("compute", "a"),)


def test_an_unregistered_host_is_not_acknowledged_in_the_round_under_way(
    recorder: Recorder,
) -> None:
    recorder.register("compute", "a")
    recorder.register("compute", "b")
    recorder.calls.clear()
    recorder.on_ack = lambda key, host: recorder.unregister("compute", "b")
    recorder.send_heartbeats()
    assert ("ack", "compute", "b") not in recorder.calls


def test_unregister_waits_for_an_acknowledgement_under_way(recorder: Recorder) -> None:
    """Else the acknowledgement, which registers what the backend forgot, brings it back."""
    recorder.register("compute", "a")
    recorder.calls.clear()
    acknowledging, go_on = threading.Event(), threading.Event()

    def slow(key: str, host: str) -> None:
        acknowledging.set()
        assert go_on.wait(SOON)
        recorder._note("acknowledged", key, host)

    recorder.on_ack = slow
    recorder.start_heartbeat()
    assert acknowledging.wait(SOON)
    other = threading.Thread(target=recorder.unregister, args=("compute", "a"))
    other.start()
    go_on.set()
    other.join(SOON)
    recorder.stop_heartbeat()
    last = max(i for i, call in enumerate(recorder.calls) if call[0] == "acknowledged")
    assert last < recorder.calls.index(("unregister", "compute", "compute.a"))


@pytest.mark.parametrize("interval", [0, -1.0, float("nan")])
def test_an_interval_that_is_none_is_refused(interval: float) -> None:
    with pytest.raises(ValueError, match="heartbeat_interval"):
        Recorder(heartbeat_interval=interval)


@pytest.mark.parametrize(
    ("topic", "host"),
    [
        ("", "a"),
        ("compute", ""),
        ("com.pute", "a"),
        ("fanout", "a"),
        ("fanout~", "a"),
        ("fanout~com~pute", "a"),
        ("compute.b", "a"),
        ("fanout~compute.b", "a"),
        ("compute.", "a"),
        ("com\npute", "a"),
        ("compute", "a\x7f"),
        ("compute", "a\x85"),
        (None, "a"),
        ("compute", b"a"),
    ],
)
def test_a_bad_topic_or_host_is_refused_and_nothing_is_asked_of_the_backend(
    recorder: Recorder, topic: str, host: str
) -> None:
    for call in (recorder.register, recorder.unregister):
        with pytest.raises(RegistrationError) as caught:
            call(topic, host)
        assert isinstance(caught.value, MatchMakerException)
        assert isinstance(caught.value, ValueError)
    assert recorder.calls == []
    assert recorder.heartbeats == ()


def test_a_host_may_have_dots(recorder: Recorder) -> None:
    recorder.register("compute", "host-a.example.org")
    assert recorder.calls[0] == ("register", "compute", "compute.host-a.example.org")


def test_registering_from_many_threads_during_heartbeats_loses_nothing(
    recorder: Recorder,
) -> None:
    recorder.register("t", "first")
    recorder.start_heartbeat()

    def work(number: int) -> None:
        for i in range(50):
            recorder.register("t", f"{number}-{i}")
            if i % 2:
                recorder.unregister("t", f"{number}-{i}")

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SOON)
    assert len(recorder.heartbeats) == 1 + 4 * 25
