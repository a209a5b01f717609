"""The blocking client, against an agent in another thread."""

import os
import socket
import subprocess
import sys
import threading
import time
from itertools import pairwise

import pytest

from gossipmm.client import Client
from gossipmm.client.place import Place
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
    assert client.lookup("nothing")["status"] == "unknown_topic"
    assert [topic["topic"] for topic in client.topics()] == ["compute"]
    assert client.topic("compute")["picks"] == ["a"]
    assert client.ring() == {"compute": ["a"]}
    assert [member["name"] for member in client.members()] == ["a"]
    assert client.member("a")["self"] is True
    assert client.why("a")["summary"] == "a is this node itself"
    assert client.status()["joined"] is True
    assert client.config()["register"] == ["compute"]


def test_registrations(client):
    own = client.register("web", "rack/7 größe", {"port": 80}, ttl=30)
    assert (own["host"], own["ttl"]) == ("rack/7 größe", 30)
    assert client.ack("web", "rack/7 größe") is True
    assert client.drain("web", "rack/7 größe") == 1
    assert client.drain("web", "rack/7 größe", draining=False) == 1
    assert client.expire("web", "rack/7 größe") is True
    assert len(client.registrations()) == 2
    assert client.unregister("web", "rack/7 größe") is True
    assert client.unregister("web", "rack/7 größe") is False
    assert client.ack("web", "nobody") is False
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
    with pytest.raises(RegistrationError, match="a topic and its host, or neither"):
        client.drain("web")
    with pytest.raises(ControlError, match="no member is called 'zz'") as caught:
        client.member("zz")
    assert (caught.value.status, caught.value.kind) == (404, "unknown-member")
    with pytest.raises(ControlError, match="a is alive: only who is dead"):
        client.forget("a")
    with pytest.raises(ControlError, match="bytes; 65536 are allowed"):
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
            assert client.status()["control"] == [agent.path, agent.url]
        with Client(f"localhost:{port}") as client:
            assert client.status()["name"] == "a"


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
        expires = [client.registrations()[-1]["expires_in"]]

        def renewed():
            expires.append(client.registrations()[-1]["expires_in"])
            return any(later > before for before, later in pairwise(expires))

        until(renewed, "renewed")
        client.unregister("web", "h")  # as when the agent was restarted
        until(lambda: client.queues("web.h"), "registered again")
    assert client.queues("web.h") == []


def test_watch(client):
    events = client.watch(kinds=("host_changed",), reconnect=False)
    assert next(events)["event"] == "hello"
    client.register("web", "h")
    event = next(events)
    assert (event["topic"], event["state"], event["text"]) == (
        "web",
        "live",
        "topic web: h is live",
    )
    events.close()
    with pytest.raises(ControlError, match="'birth' is no kind of event"):
        next(client.watch(kinds=("birth",)))


def test_a_watch_goes_on_after_a_restart_and_says_that_something_is_missing(tmp_path):
    path = tmp_path / "a.sock"
    client = Client(str(path))
    events = client.watch(kinds=("host_changed",))
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
        assert client.leave() == {"confirmed": 0, "told": 0, "share": 1.0}
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
