"""The blocking client, against an agent in another thread."""

import os
import socket
import subprocess
import sys
import threading
import time
from itertools import pairwise

import pytest

from gossipmm.answers import LookupStatus
from gossipmm.client import Client, calls
from gossipmm.client.place import Place
from gossipmm.core.values.types import EntryState, NodeState, Status
from gossipmm.errors import (
    AgentUnreachableError,
    ControlError,
    InvalidKeyError,
    LimitError,
    RegistrationError,
    SeedError,
)
from tests.served import served


@pytest.fixture
def agent(tmp_path):
    with served(tmp_path / "a.sock", register=("compute",)) as agent:
        yield agent


@pytest.fixture
def client(agent):
    with Client(agent.path) as client:
        yield client


def until(holds, what):
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, f"not {what}"
        time.sleep(0.01)


def test_lookups(client):
    assert client.queues("compute") == [("compute.a", "a")]
    assert client.queues("compute", routing_key="tenant 7/8") == [("compute.a", "a")]
    assert client.queues("nothing") == []
    assert client.lookup("nothing").status is LookupStatus.UNKNOWN_TOPIC
    assert client.queues("compute", routing_key=b"\xff\x00") == [("compute.a", "a")]
    assert list(client.topics()) == ["compute"]
    assert client.topic("compute").picks == ("a",)
    assert client.is_alive("compute", "a") is True
    assert client.ring() == {"compute": ["a"]}
    (member,) = client.members()
    assert (member.name, member.status, member.node_state) == ("a", Status.ALIVE, NodeState.UP)
    assert client.member("a").generation == member.generation == client.status().generation
    assert client.get("members", "a", "why")["summary"] == "a is this node itself"
    assert client.status().joined is True
    assert client.config()["register"] == ["compute"]
    assert client.stats()["sent_bytes"] >= 0


def test_times_in_answers_are_of_the_asking_side(agent, client):
    """An age is ``now() - at``, as for an agent in this process, although the clocks differ."""
    member = client.member("a")
    theirs = agent.do(agent.agent.member, "a")
    age = agent.do(agent.agent.now) - theirs.since
    assert client.now() - member.since == pytest.approx(age, abs=5)
    entry = client.topic("compute").entries["a"]
    assert 0 <= client.now() - entry.heard < 5


def test_answers_are_those_of_an_agent_in_this_process(agent, client):
    """But for the clocks: the same values, of the same types."""
    do, here = agent.do, agent.agent
    timeless = {"since": 0.0, "heard": 0.0, "heartbeat": 0}
    for ours, theirs in zip(client.members(), do(here.members), strict=True):
        assert ours._replace(**timeless) == theirs._replace(**timeless)
    theirs = do(here.status)._replace(uptime=0.0, health=client.health())
    assert client.status()._replace(uptime=0.0, health=theirs.health) == theirs
    assert client.agreement() == do(here.agreement)
    assert client.conflict() == here.conflict == ()
    assert client.health()._fields == do(here.health)._fields
    assert client.why("a") == do(here.why, "a") == ()
    client.register("web", "h", {"port": 80}, ttl=30, draining=True)
    ours, theirs = (
        sorted(one._replace(left=None) for one in found)
        for found in (client.registrations(), do(here.registrations))
    )
    assert ours == theirs


def test_what_is_unknown_is_an_answer(client):
    """It was None or False in this process, and ControlError 404 or 409 over the API."""
    assert client.member("zz") is None
    assert client.why("zz") == ()
    assert client.forget("zz") is False
    assert client.forget("a") is False  # which lives
    assert client.topic("zz") is None
    assert client.is_alive("zz", "a") is False
    assert client.is_alive("compute", "zz") is False
    assert client.unregister("zz") is False
    assert client.drain("zz") == 0
    assert client.ack_alive("zz", "a") is False
    assert client.report_failure("compute", "a") is False  # its own
    assert client.expire("zz", "a") is False


def test_a_path_that_the_agent_does_not_serve_is_no_answer(client):
    """Every 404 was taken for "no such registration", that of an older agent, too."""
    asked = calls.unregister("web", "h")._replace(target="/v1/elsewhere/web/h")
    with pytest.raises(ControlError, match="there is nothing at"):
        client.call(asked)


def test_a_host_that_is_left_out_is_the_node(client):
    client.register("web")
    assert client.queues("web") == [("web.a", "a")]
    assert client.unregister("web") is True


def test_registrations(client):
    client.register("web", "rack/7 größe", {"port": 80}, ttl=30)
    own = client.registrations()[-1]
    assert (own.host, own.ttl, own.metadata) == ("rack/7 größe", 30, {"port": 80})
    assert client.ack_alive("web", "rack/7 größe") is True
    assert client.drain("web", "rack/7 größe") == 1
    assert client.registrations()[-1].state is EntryState.DRAINING
    assert client.undrain("web", "rack/7 größe") == 1
    client.register("web", "another")
    assert client.drain("web") == 2
    assert client.undrain("web") == 2
    assert client.unregister("web", "another") is True
    assert client.expire("web", "rack/7 größe") is True
    assert len(client.registrations()) == 2
    assert client.unregister("web", "rack/7 größe") is True
    assert client.unregister("web", "rack/7 größe") is False
    assert client.ack_alive("web", "nobody") is False
    assert client.report_failure("web", "nobody") is False
    assert client.drain() == 1
    assert client.drain(draining=False) == 1
    client.register("dots", "..")
    assert client.queues("dots...") == [("dots...", "..")]


def test_errors_are_those_of_an_agent_in_this_process(client):
    with pytest.raises(InvalidKeyError, match="has no topic after its prefix"):
        client.queues("fanout~")
    with pytest.raises(RegistrationError, match="contains a dot"):
        client.register("a.b", "x")
    with pytest.raises(LimitError, match="more than the 800 allowed"):
        client.register("web", "x", {"a": "x" * 900})
    with pytest.raises(SeedError):
        client.join("a:b:c")
    with pytest.raises(ControlError, match="no member is called 'zz'") as caught:
        client.get("members", "zz")
    assert (caught.value.status, caught.value.kind) == (404, "unknown-member")
    with pytest.raises(ControlError, match="bytes; no more than 65536 are allowed"):
        client.register("web", "x", {"a": "x" * 100_000})
    assert client.queues("compute") == [("compute.a", "a")]  # and the connection is fine


def test_connections_are_used_again_and_found_dead_in_time(tmp_path):
    path = tmp_path / "a.sock"
    with Client(str(path)) as client:
        with served(path, register=("one",)):
            first = client.queues("one")
            assert len(client._idle) == 1
            connection = client._idle[0]
            assert client.queues("one") == first
            assert client._idle == [connection]
        with pytest.raises(AgentUnreachableError, match="there is no such socket"):
            client.queues("one")
        with served(path, register=("two",)):
            assert client.queues("two") == [("two.a", "a")]


def test_a_connection_that_died_while_idle_costs_nothing(tmp_path):
    path = tmp_path / "a.sock"
    with Client(str(path)) as client:
        with served(path, register=("one",)):
            client.queues("one")
        with served(path, register=("two",)):  # the old connection is still in the client
            assert client.queues("two") == [("two.a", "a")]


def test_many_threads_share_one_client(client):
    found = []

    def ask():
        found.extend(client.queues("compute") for _ in range(50))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[("compute.a", "a")]] * 400
    assert len(client._idle) <= 8


def test_a_forked_child_has_connections_of_its_own(client):
    client.queues("compute")
    before = list(client._idle)
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.write(writing, repr(client.queues("compute")).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading) as answer:
        assert answer.read() == "[('compute.a', 'a')]"
    os.waitpid(child, 0)
    assert client._idle == before
    assert client.queues("compute") == [("compute.a", "a")]


def test_over_the_loopback_port(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with served(tmp_path / "a.sock", control_port=port) as agent:
        assert agent.url == f"http://127.0.0.1:{port}"
        with Client(agent.url) as client:
            assert client.get("status")["control"] == [agent.path, agent.url]
        with Client(f"localhost:{port}") as client:
            assert client.status().name == "a"


def test_somebody_who_does_not_answer(tmp_path):
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "s"))
        silent.listen()
        with (
            Client(str(tmp_path / "s"), timeout=0.2) as client,
            pytest.raises(AgentUnreachableError, match="did not answer within 0.2 s"),
        ):
            client.members()


def test_somebody_who_hangs_up(tmp_path):
    with socket.socket(socket.AF_UNIX) as rude:
        rude.bind(str(tmp_path / "s"))
        rude.listen()

        def hang_up():
            for _ in range(1):
                rude.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with (
            Client(Place(str(tmp_path / "s"))) as client,
            pytest.raises(AgentUnreachableError, match="hung up"),
        ):
            client.members()
        thread.join()


def test_registered_for_as_long_as_the_block_runs(client):
    with client.registered("web", "h", {"port": 1}, ttl=0.3):
        assert client.queues("web.h") == [("web.h", "h")]
        expires = [client.registrations()[-1].left]

        def renewed():
            expires.append(client.registrations()[-1].left)
            return any(later > before for before, later in pairwise(expires))

        until(renewed, "renewed")
        client.unregister("web", "h")  # as when the agent was restarted
        until(lambda: client.queues("web.h"), "registered again")
    assert client.queues("web.h") == []


def test_watch(client):
    events = client.watch("host_changed", reconnect=False)
    assert next(events)["event"] == "hello"
    client.register("web", "h")
    event = next(events)
    assert (event["topic"], event["state"], event["text"]) == (
        "web",
        "live",
        "topic web: h is live",
    )
    events.close()
    with pytest.raises(ControlError, match="'birth' is not a kind of event"):
        next(client.watch("birth"))


def test_a_watch_goes_on_after_a_restart_and_says_that_something_is_missing(tmp_path):
    path = tmp_path / "a.sock"
    client = Client(str(path))
    events = client.watch("host_changed")
    with served(path):
        assert next(events)["resumed"] is False
        client.register("web", "h")
        assert next(events)["host"] == "h"
    assert next(events)["event"] == "closing"
    with served(path):
        hello = next(events)
        assert (hello["event"], hello["resumed"]) == ("hello", False)
        client.register("web", "again")
        assert next(events)["host"] == "again"
    events.close()
    client.close()


def test_a_watch_without_reconnecting_ends_with_the_agent(tmp_path):
    with served(tmp_path / "a.sock") as agent:
        events = Client(agent.path).watch(reconnect=False)
        next(events)
    assert [event["event"] for event in events][-1] == "closing"
    with pytest.raises(AgentUnreachableError):
        next(Client(agent.path).watch(reconnect=False))


def test_leave_ends_the_agent(tmp_path):
    with served(tmp_path / "a.sock") as agent, Client(agent.path) as client:
        left = client.leave()
        assert (left.confirmed, left.told) == (0, 0)
        agent._thread.join(10)
        with pytest.raises(AgentUnreachableError):
            client.status()
        assert not os.path.exists(agent.path)


def test_it_needs_the_standard_library_alone():
    code = (
        "import sys; before = set(sys.modules); import gossipmm.client;"
        "new = {m.partition('.')[0] for m in set(sys.modules) - before};"
        "print(sorted(new - set(sys.stdlib_module_names)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert result.stdout == "['gossipmm']\n"
