"""A real client of Consul's, py-consul, against an agent at its ``consul_port``."""

from __future__ import annotations

import http.client
import socket
import threading
import time

import consul
import pytest

from gossipmm.sidecar.consul import serve as serving
from gossipmm.sidecar.consul.catalog import Catalog
from tests.served import served


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@pytest.fixture(scope="module")
def agent(tmp_path_factory):
    port = free_port()
    path = tmp_path_factory.mktemp("agents") / "a.sock"
    made = []

    class Kept(Catalog):
        def __init__(self, agent):
            super().__init__(agent)
            made.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serving, "Catalog", Kept)
        with served(path, consul_port=port, metadata={"zone": "eu"}) as agent:
            agent.port = port
            (agent.catalog,) = made
            yield agent


@pytest.fixture
def client(agent):
    return consul.Consul(host="127.0.0.1", port=agent.port)


def test_what_is_registered_is_found(agent, client):
    agent.do(agent.agent.register, "web", "a", {"port": 8080, "tags": "v1"})
    index, found = client.health.service("web", passing=True)
    assert int(index) > 2**40
    assert [each["Service"]["Port"] for each in found] == [8080]
    assert client.catalog.services()[1]["web"] == ["v1"]
    assert client.catalog.service("web")[1][0]["ServiceAddress"] == "127.0.0.1"
    assert [node["Node"] for node in client.catalog.nodes()[1]] == ["a"]
    assert client.agent.self()["Config"]["NodeName"] == "a"
    assert client.catalog.datacenters() == ["gossipmm"]
    assert client.status.leader() == "127.0.0.1:8300"
    assert client.health.service("none")[1] == []


def test_a_blocking_query_returns_when_something_changed(agent, client):
    index, _ = client.health.service("db")
    found = []

    def ask():
        found.append(client.health.service("db", index=index, wait="60s"))

    asking = threading.Thread(target=ask)
    asking.start()
    waits(agent, 1)
    agent.do(agent.agent.register, "db", "a", {"port": 5432})
    asking.join(30)
    assert not asking.is_alive()
    ((higher, hosts),) = found
    assert int(higher) > int(index)
    assert [each["Service"]["ID"] for each in hosts] == ["db:a"]


def test_a_client_that_goes_away_waits_no_longer(agent, client):
    """A thousand that gave up would keep everybody else from waiting, for ten minutes."""
    index, _ = client.health.service("gone")
    connection = http.client.HTTPConnection("127.0.0.1", agent.port)
    connection.request("GET", f"/v1/health/service/gone?index={index}&wait=10m")
    waits(agent, 1)
    connection.close()
    waits(agent, 0)


def test_a_connection_is_used_again_behind_one_that_waited(agent, client):
    index, _ = client.health.service("kept")
    connection = http.client.HTTPConnection("127.0.0.1", agent.port)
    for _ in range(2):
        connection.request("GET", f"/v1/health/service/kept?index={index}&wait=10ms")
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b"[]")
    connection.close()


def waits(agent, number):
    """Wait until so many requests wait at the agent."""
    deadline = time.monotonic() + 30
    while agent.catalog.waiting != number:
        assert time.monotonic() < deadline
        time.sleep(0.01)
