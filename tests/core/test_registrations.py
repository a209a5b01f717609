"""The door: what a program may register, and what it is told when it may not."""

from __future__ import annotations

import random
from typing import Any

import pytest

from gossipmm.config import Config
from gossipmm.core.node import Node
from gossipmm.core.wire.pages import MAX_ENTRY
from gossipmm.errors import ConfigError, LimitError, MatchMakerException, RegistrationError
from gossipmm.names import MAX_METADATA_ITEMS, MAX_NAME
from tests.helpers import Mesh

#: What is refused -> what the message must say: the reason, and the number where there is one.
REFUSED: dict[str, tuple[Any, Any, Any, tuple[str, ...]]] = {
    "topic empty": ("", "h", None, ("topic must not be empty",)),
    "topic with a dot": ("a.b", "h", None, ("'a.b'", "dot")),
    "topic with a tilde": ("a~b", "h", None, ("'a~b'", "~")),
    "topic fanout": ("fanout", "h", None, ("'fanout'", "reserved")),
    "topic with a newline": ("a\nb", "h", None, ("control",)),
    "topic with DEL": ("a\x7f", "h", None, ("control",)),
    "topic with C1": ("a\x85", "h", None, ("control",)),
    "topic with a lone surrogate": ("a\ud800", "h", None, ("UTF-8",)),
    "topic not text": (b"a", "h", None, ("b'a'", "must be a string")),
    "topic a number": (5, "h", None, ("5", "must be a string")),
    "host empty": ("t", "", None, ("host must not be empty",)),
    "host with NUL": ("t", "h\0", None, ("control",)),
    "host not text": ("t", None, None, ("None", "must be a string")),
    "metadata with a float": ("t", "h", {"a": 0.5}, ("'a'", "0.5")),
    "metadata with None": ("t", "h", {"a": None}, ("'a'", "None")),
    "metadata with a list": ("t", "h", {"a": [1]}, ("'a'", "[1]")),
    "metadata with a key that is no text": ("t", "h", {1: 2}, ("1",)),
    "metadata beyond 64 bits": ("t", "h", {"a": 2**63}, ("64 bits", str(2**63))),
    "weight that is text": ("t", "h", {"weight": "abc"}, ("weight 'abc'", "0 to 1,000,000")),
    "weight below 0": ("t", "h", {"weight": -1}, ("weight -1", "0 to 1,000,000")),
    "weight of a thousand million": ("t", "h", {"weight": 10**9}, ("10", "0 to 1,000,000")),
    "metadata not UTF-8": ("t", "h", {"a": "\ud800"}, ("'a'", "UTF-8")),
}
TOO_MUCH: dict[str, tuple[str, str, Any, tuple[str, ...]]] = {
    "long topic": ("t" * 800, "h", None, ("806", str(MAX_ENTRY))),
    "long host": ("t", "h" * 797, None, ("803", str(MAX_ENTRY))),
    "much metadata": ("t", "h", {"a": "x" * 800}, ("812", str(MAX_ENTRY))),
    "many items": (
        "t",
        "h",
        {str(n): 1 for n in range(MAX_METADATA_ITEMS + 1)},
        (str(MAX_METADATA_ITEMS + 1), str(MAX_METADATA_ITEMS)),
    ),
}


@pytest.mark.parametrize("what", [*REFUSED, *TOO_MUCH])
def test_what_is_refused_says_why_and_changes_nothing(what: str) -> None:
    """Issue 2, "Bad input": refused at register with the reason and the number [P104]."""
    topic, host, metadata, words = {**REFUSED, **TOO_MUCH}[what]
    mesh = Mesh("a", "b")
    mesh.settle()
    node = mesh["a"]
    node.register("t", "h0", now=mesh.now)
    mesh.run(1)
    before = node.registrations(0.0), node.table.fingerprint, dict(node.table.topics)
    with pytest.raises(RegistrationError) as refused:
        node.register(topic, host, metadata, now=mesh.now)
    assert isinstance(refused.value, LimitError) == (what in TOO_MUCH)
    assert isinstance(refused.value, MatchMakerException)
    for word in words:
        assert word in str(refused.value)
    assert (node.registrations(0.0), node.table.fingerprint, dict(node.table.topics)) == before
    mesh.sent.clear()
    mesh.run(0.1)
    assert not [packet for packet in mesh.sent if packet.pages]


@pytest.mark.parametrize(
    ("topic", "host"),
    [
        ("t", "h"),
        ("compute_v1", "host.with.dots:8080"),
        ("Größe", "hôte ~ 7"),
        ("任务", "机器一"),
        ("a b", "x" * 700),
        ("Fanout", "fanout"),
        ("0", "0"),
    ],
)
def test_what_is_allowed_arrives_as_it_was_given(topic: str, host: str) -> None:
    mesh = Mesh("a", "b")
    mesh.settle()
    mesh["a"].register(topic, host, {"k": "v", "n": -1, "on": True}, now=mesh.now)
    mesh.run(0.1)
    view = mesh["b"].table.topic(topic)
    assert view is not None
    assert view.picks == (host,)
    assert dict(view.entries[host].metadata) == {"k": "v", "n": -1, "on": True}


def test_an_entry_of_exactly_the_limit_is_allowed() -> None:
    """[P104]."""
    node = Mesh("a")["a"]
    host = "h" * (MAX_ENTRY - 1 - 2 - 3)  # array head, topic, head of the host
    node.register("t", host, now=1000.0)
    with pytest.raises(LimitError):
        node.register("t", host + "h", now=1000.0)
    assert len(node.registrations(0.0)) == 1


def test_one_registration_more_than_allowed_is_refused_with_both_numbers() -> None:
    node = Mesh("a", max_registrations=2)["a"]
    node.register("t", "h1", now=1000.0)
    node.register("t", "h2", now=1000.0)
    with pytest.raises(LimitError, match=r"'t' of 'h3'.* 2 registrations.* 2"):
        node.register("t", "h3", now=1000.0)
    node.register("t", "h2", {"changed": True}, now=1000.0)
    assert node.unregister("t", "h1", now=1000.0)
    node.register("t", "h3", now=1000.0)
    assert [entry.host for entry in node.registrations(0.0)] == ["h2", "h3"]


@pytest.mark.parametrize("ttl", [0, -1.0, float("nan")])
def test_a_time_to_live_is_above_zero(ttl: float) -> None:
    """NaN compares with nothing: in the heap of deadlines it would stop all timers behind it."""
    mesh = Mesh("a", "b")
    mesh.settle()
    with pytest.raises(RegistrationError, match="ttl"):
        mesh["a"].register("t", "h", ttl=ttl, now=mesh.now)
    assert mesh["a"].registrations(mesh.now) == ()
    beat = mesh["a"].heartbeat
    mesh.run(3)
    assert mesh["a"].heartbeat > beat


# -- who a node is -----------------------------------------------------------------------------


def node_with(**fields: Any) -> Node:
    config = Config(metadata=fields.pop("metadata", {}))
    values = {"name": "a", "addresses": (("127.0.0.1", 7946),), "generation": 1 << 50, **fields}
    return Node(config, rng=random.Random(0), now=0.0, **values)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": ""}, ("name", "must not be empty")),
        ({"name": "é" * 33}, ("66 bytes", str(MAX_NAME))),
        ({"name": "a\tb"}, ("name", "control characters")),
        ({"addresses": ()}, ("0 addresses", "1 to 8")),
        ({"addresses": (("127.0.0.1", 1),) * 9}, ("9 addresses", "1 to 8")),
        ({"addresses": (("localhost", 7946),)}, ("'localhost'", "IP address")),
        ({"addresses": (("127.0.0.1", 0),)}, ("port 0",)),
    ],
)
def test_an_identity_that_all_others_would_refuse_is_refused_at_once(
    fields: dict[str, Any], words: tuple[str, ...]
) -> None:
    with pytest.raises(ConfigError) as refused:
        node_with(**fields)
    for word in words:
        assert word in str(refused.value)


def test_node_metadata_that_could_not_travel_is_refused_at_once() -> None:
    """Else the node's page 0 would be refused by everybody, and nobody would say why."""
    assert node_with(metadata={"zone": "b"}).members()[0].metadata == {"zone": "b"}
    with pytest.raises(ConfigError, match=r"metadata\.load: 0\.5 is not"):
        node_with(metadata={"load": 0.5})
    with pytest.raises(LimitError, match=r"node 'a'.* 4\d\d bytes.* 400"):
        node_with(metadata={"x": "y" * 390})
