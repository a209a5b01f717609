"""A real RPC over ZeroMQ: hosts die, hang, drain and come while calls go on. Counted, not timed."""

import json
import subprocess
import sys

import pytest
import zmq

from gossipmm import HostState
from tests.processes.program import DEADLINE, environment, until
from tests.processes.zmq_rpc.__main__ import PATIENCE
from tests.processes.zmq_rpc.cluster import cluster
from tests.processes.zmq_rpc.rpc import LostError, NobodyError

THREADS = 4
A, B, C, D = "host-a", "host-b", "host-c", "host-d"


def work(numbers):
    return sorted(numbers, key=lambda text: [int(part) for part in text.split("-")])


def test_call_cast_and_fanout_cast_go_where_their_keys_say():
    with cluster(A, B, C) as hosts, hosts.rpc() as rpc:
        answers = [rpc.call("compute", "work", number=str(number)) for number in range(6)]
        assert sorted(answer["host"] for answer in answers) == [A, A, B, B, C, C]
        assert rpc.call(f"compute.{B}", "work", number="7") == {"host": B, "number": "7"}
        told = [rpc.cast("compute", "note", text="cast") for _ in range(3)]
        assert sorted(told) == [A, B, C]
        assert rpc.fanout_cast("compute", "note", text="fanout") == [A, B, C]
        for name in (A, B, C):
            # An answer to the same caller is behind what it cast before: one connection, in order.
            assert rpc.call(f"compute.{name}", "counts")["notes"] == ["cast", "fanout"]
        for key, status in (("nothing", "unknown_topic"), (f"compute.{D}", "nobody_alive")):
            with pytest.raises(NobodyError, match=f"{key}: {status}"):
                rpc.call(key, "work", number="8")


def test_a_killed_host_takes_with_it_at_most_the_calls_in_flight_to_it():
    with cluster(A, B, C) as hosts:
        with hosts.load(THREADS) as load:
            load.wait_answered(B)
            hosts.kill(B)
            known = hosts.wait_state(B, None)
            load.wait_all_beyond(known)
            with hosts.rpc() as rpc:
                assert rpc.fanout_cast("compute", "note", text="after") == [A, C]
        assert len(load.attempts("lost", B)) <= THREADS
        assert_nothing_else_was_lost(load, B)
        assert load.attempts(host=B, after=known) == []
        assert_no_call_after_the_first_report(load, B)


@pytest.mark.parametrize(
    ("polled", "error", "outcome"),
    [(zmq.POLLOUT, NobodyError, "refused"), (zmq.POLLIN, LostError, "lost")],
    ids=["before_the_send", "before_the_answer_is_read"],
)
def test_a_host_that_dies_behind_a_poll_leaves_no_call_waiting(polled, error, outcome):
    """A host was killed between a poll that found its socket ready and the send, or the read.

    Either then waited for ever, since nobody listens at that address again: the thread never
    ended, its sockets were never closed, and the run of the tests hung at its end.
    """
    with cluster(A) as hosts, hosts.rpc() as rpc:
        assert rpc.call("compute", "work", number="1")["host"] == A
        (socket,) = rpc._sockets.values()
        poll = socket.poll

        def poll_and_kill(timeout, flags):
            found = poll(timeout, flags)
            if flags == polled:
                hosts.kill(A)
                until(lambda: not poll(0, zmq.POLLOUT), "the connection's end is seen")
            return found

        socket.poll = poll_and_kill
        with pytest.raises(error):
            rpc.call("compute", "work", number="2")
        assert [attempt.outcome for attempt in rpc.attempts] == ["answered", outcome]


def test_a_host_that_hangs_with_calls_in_flight_loses_those_and_no_more():
    """The kernel of a frozen host takes requests for it; without a report they go on coming.

    The agents look slowly here, so that only ``report_failure`` can be what keeps them away:
    without it each thread loses several calls, one after the other.
    """
    with cluster(A, B, C, gossip_interval=2.0) as hosts:
        with hosts.load(THREADS) as load:
            load.wait_answered(B)
            hosts.freeze(B)
            load.wait_answered(A, 200)
            hosts.kill(B)
            known = hosts.wait_state(B, None)
            load.wait_all_beyond(known)
        assert 1 <= len(load.attempts("lost", B)) <= THREADS
        assert_nothing_else_was_lost(load, B)
        assert load.attempts(host=B, after=known) == []
        assert_no_call_after_the_first_report(load, B)


def test_a_drained_host_finishes_what_it_has_and_gets_nothing_new():
    with cluster(A, B, C) as hosts:
        with hosts.load(THREADS) as load:
            load.wait_answered(B)
            hosts.drain(B)
            known = hosts.wait_state(B, HostState.DRAINING, None)
            left = hosts.hosts[B].told("left")
            load.wait_all_beyond(hosts.wait_state(B, None))
        assert hosts.hosts[B].process.wait(DEADLINE) == 0
        assert load.attempts(host=B, after=known) == []
        assert left["worked"] == load.answered()[B]
        assert_nothing_else_was_lost(load)


def test_an_added_host_and_a_restarted_one_get_their_share():
    with cluster(A, B) as hosts:
        with hosts.load(THREADS) as load:
            load.wait_answered(B)
            hosts.start(C)
            load.wait_answered(C)
            hosts.kill(B)
            hosts.start(B)
            load.wait_answered(B)
        assert_nothing_else_was_lost(load, B)
        done = [answer["number"] for answer in load.answers]
        assert len(done) == len(set(done))
        with hosts.rpc() as rpc:
            kept = {name: rpc.call(f"compute.{name}", "counts")["worked"] for name in (A, C)}
        for name, numbers in kept.items():
            answered = [a["number"] for a in load.answers if a["host"] == name]
            assert work(numbers) == work(answered)


def assert_nothing_else_was_lost(load, host=""):
    """No call but those to the dead host went wrong, and every one has one answer or one loss."""
    lost = [attempt for attempt in load.attempts("lost") if attempt.host != host]
    refused = [attempt for attempt in load.attempts("refused") if attempt.host != host]
    assert (lost, refused, load.nobody) == ([], [], 0)
    assert len(load.answers) == len(load.attempts("answered"))


def assert_no_call_after_the_first_report(load, host):
    """As soon as one thread has reported a host, no other one is sent there."""
    failed = load.attempts("lost", host) + load.attempts("refused", host)
    if failed:
        reported = min(attempt.ended for attempt in failed)
        assert load.attempts(host=host, after=reported) == []


def test_the_story_tells_what_happened():
    result = subprocess.run(
        [sys.executable, "-m", "tests.processes.zmq_rpc", "--json"],
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE + 10,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    summary = json.loads(result.stdout.splitlines()[-1])
    assert summary["calls"] == summary["answered"] + sum(summary["lost"].values())
    assert set(summary["lost"]) <= {A, B}
    assert 0 < summary["lost"][A] <= summary["threads"]
    assert summary["lost"].get(B, 0) <= summary["threads"]
    assert summary["misrouted"] == 0
