"""An agent in a thread and one in a child process are asked the same, and answer the same."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from enum import Enum
from typing import Any, get_args, get_type_hints

import pytest

from gossipmm.client import answers
from gossipmm.config import Config
from gossipmm.core.values import events
from gossipmm.core.values.trail import EvidenceKind
from gossipmm.core.values.types import EntryState, HostState, MemberView, Status
from gossipmm.embed.blocking import BlockingAgent
from gossipmm.embed.child import ChildAgent, ChildMatchMaker
from gossipmm.embed.matchmaker import MatchMakerGossip
from gossipmm.embed.plain import plain, restored
from gossipmm.embed.thread import ThreadAgent
from gossipmm.errors import MatchMakerException, SeedError, WatchOverflowError
from tests.embed.helpers import SOON, config, until
from tests.matchmaker.helpers import gossip
from tests.text.test_evidence import line


@pytest.fixture
def peer() -> Iterator[ThreadAgent]:
    thread = ThreadAgent(config("peer"))
    thread.start()
    yield thread
    thread.close()


@pytest.fixture(params=[ThreadAgent, ChildAgent], ids=["thread", "child"])
def agent(request: pytest.FixtureRequest, peer: ThreadAgent) -> Iterator[BlockingAgent]:
    agent = request.param(config("me", peer.agent.bound))
    agent.start()
    assert agent.wait_joined(SOON)
    yield agent
    agent.close()


def test_what_it_knows(agent: BlockingAgent, peer: ThreadAgent) -> None:
    assert [member.name for member in agent.members()] == ["me", "peer"]
    member = agent.member("peer")
    assert member is not None
    assert (member.status, member.addresses) == (Status.ALIVE, (peer.bound,))
    assert agent.now() - member.heard < SOON
    assert agent.member("nobody") is None
    assert agent.why("nobody") == ()
    assert [line.reporter for line in agent.why("peer")] == ["peer"]
    assert agent.forget("nobody") is False
    assert agent.forget("peer") is False  # it lives
    assert set(agent.heard(name for name in ("me", "peer", "nobody"))) == {"me", "peer"}
    assert agent.conflict == ()
    assert agent.health().impaired is False
    found = agent.agreement()
    assert found.agree + len(found.differ) + found.unheard == 1
    status = agent.status()
    assert (status.name, status.joined, status.members) == ("me", True, {Status.ALIVE: 2})
    assert status.addresses == (agent.bound,)
    assert 0.0 <= status.uptime < SOON
    agent.join("127.0.0.1:9")
    with pytest.raises(SeedError):
        agent.join("a:b:c")


@pytest.mark.parametrize("kind", [ThreadAgent, ChildAgent], ids=["thread", "child"])
def test_who_cannot_join_can_say_why(kind: type[ThreadAgent | ChildAgent]) -> None:
    agent = kind(config("me", ("127.0.0.1", 9)))
    agent.start()
    end = time.monotonic() + SOON
    while not agent.status().trouble:
        assert agent.wait_joined(0.05) is False
        assert time.monotonic() < end
    assert "nothing listens there" in agent.status().trouble["127.0.0.1:9"]
    agent.close()


def test_its_registrations(agent: BlockingAgent, peer: ThreadAgent) -> None:
    agent.register("compute")
    agent.register("compute", "h", {"port": 80, "spare": True}, ttl=30.0, draining=True)
    agent.register("volume", "h")
    first, second, _ = sorted(agent.registrations())
    assert (second.topic, second.host, second.state, second.ttl, second.left) == (
        *("compute", "me", EntryState.UP),
        *(None, None),
    )
    assert (first.host, first.state, first.ttl) == ("h", EntryState.DRAINING, 30.0)
    assert first.metadata == {"port": 80, "spare": True}
    assert first.left is not None
    assert 0 < first.left <= 30.0
    assert agent.drain("compute") == 1  # the other one drains already
    assert agent.undrain("compute") == 2
    assert agent.drain(host="h") == 2
    assert agent.undrain() == 0  # the node
    view = agent.topic("compute")
    assert view is not None
    assert view.entries["h"].state is HostState.DRAINING
    assert set(agent.topics()) == {"compute", "volume"}
    assert agent.topic("nothing") is None
    assert agent.unregister("compute") is True
    assert agent.unregister("compute") is False


def test_it_can_be_watched(agent: BlockingAgent, peer: ThreadAgent) -> None:
    with pytest.raises(ValueError, match="'birth' is not a kind of event; known: address_changed"):
        agent.watch("birth")
    watched = agent.watch("host_changed", topics=["compute"])
    everything = agent.watch(events.HostChanged)
    agent.register("volume")
    agent.register("compute")
    event = next(watched)
    assert isinstance(event, events.HostChanged)
    assert (event.topic, event.host, event.state) == ("compute", "me", HostState.LIVE)
    assert [getattr(next(everything), "topic", "") for _ in range(2)] == ["volume", "compute"]
    watched.close()
    watched.close()
    assert list(watched) == []
    waiting = threading.Timer(0.2, agent.close)
    waiting.start()
    assert list(everything) == []  # it ends with the agent
    waiting.join()


def test_a_watch_that_is_not_read_says_what_is_missing(agent: BlockingAgent) -> None:
    watched = agent.watch("host_changed", buffer=2)
    for topic in "abc":
        agent.register(topic)
    assert [getattr(next(watched), "topic", "") for _ in range(2)] == ["a", "b"]
    with pytest.raises(WatchOverflowError, match="more than 2 events behind"):
        next(watched)


def test_it_leaves_and_says_who_confirmed(agent: BlockingAgent, peer: ThreadAgent) -> None:
    told = agent.leave()
    assert (told.told, told.confirmed) == (1, 1)
    until(peer, lambda: _status(peer, "me") is Status.LEFT)


def _status(thread: ThreadAgent, name: str) -> Status | None:
    member = thread.agent.member(name)
    return member.status if member is not None else None


@pytest.mark.parametrize("kind", [MatchMakerGossip, ChildMatchMaker])
def test_a_matchmaker_hands_out_its_agent(kind: type[MatchMakerGossip]) -> None:
    with kind(config=config("me")) as mm:
        assert mm.agent.status().name == "me"
        mm.register("compute", "h", {"zone": "a"}, draining=True)
        assert [(own.topic, own.host) for own in mm.registrations()] == [("compute", "h")]
        assert mm.queues("compute") == []
        assert mm.undrain("compute") == 1
        assert mm.queues("compute") == [("compute.h", "h")]
        assert mm.topic("compute") == mm.topics()["compute"]
    with pytest.raises(MatchMakerException, match="did not open its agent"):
        _ = gossip()[0].agent


# -- how answers of a child cross the pipe ---------------------------------------------------------


def test_every_kind_of_event_comes_back_as_it_was() -> None:
    """One that the parent cannot read would end a watch."""
    for kind in get_args(events.Event):
        event = kind(*(example(hint) for hint in get_type_hints(kind).values()))
        assert restored(json.loads(json.dumps(plain(event)))) == event


def test_every_kind_of_answer_comes_back_as_it_was_whatever_its_annotations_say(
    agent: BlockingAgent, monkeypatch: Any
) -> None:
    """Compiled, ``tuple[Address, ...]`` is ``tuple``: read by annotations, addresses were empty."""
    monkeypatch.setattr(MemberView, "__annotations__", dict.fromkeys(MemberView._fields, tuple))
    agent.register("compute", "h", {"port": 80, "spare": True}, ttl=30.0)
    answers = (
        *(agent.members(), agent.why("peer"), agent.registrations(), agent.agreement()),
        *(agent.health(), agent.status(), agent.heard(["me"]), agent.topic("compute")),
    )
    for answer in answers:
        assert restored(json.loads(json.dumps(plain(answer)))) == answer
    assert all(member.addresses for member in agent.members())


@pytest.mark.parametrize("kind", list(EvidenceKind))
def test_every_kind_of_evidence_comes_back_as_it_was(kind: EvidenceKind) -> None:
    """On both ways out of a process: accusers are a tuple, and JSON has lists only."""
    evidence = line(kind)
    assert restored(json.loads(json.dumps(plain(evidence)))) == evidence
    told = json.loads(json.dumps({**evidence._asdict(), "ago": 0.0}))
    (read,) = answers.trail({"evidence": [told]})
    assert read._replace(at=evidence.at) == evidence


def example(hint: Any) -> Any:
    """Make a value of an annotation that is not its first or empty one."""
    arguments = get_args(hint)
    if getattr(hint, "__origin__", None) is tuple:
        kinds = arguments[:1] * 2 if arguments[-1] is ... else arguments
        return tuple(example(each) for each in kinds)
    if arguments:  # a union with None
        return example(next(each for each in arguments if each is not type(None)))
    if issubclass(hint, Enum):
        return list(hint)[1]
    return {str: "x", int: 7, float: 1.5, bool: True, bytes: b"\x07"}.get(hint)


# -- crossing threads ------------------------------------------------------------------------------


@pytest.mark.parametrize("ttl", [None, 30.0])
def test_registering_crosses_threads_once(ttl: float | None, monkeypatch: Any) -> None:
    """It crossed twice: to register, and again to acknowledge what had just been registered."""
    with MatchMakerGossip(config=Config(name="me", bind="127.0.0.1:0")) as mm:
        thread = mm.agent
        assert isinstance(thread, ThreadAgent)
        crossed: list[Any] = []
        soon = thread._soon

        def count(function: Any, *args: Any, **options: Any) -> bool:
            crossed.append(function)
            return soon(function, *args, **options)

        monkeypatch.setattr(thread, "_soon", count)
        for call in (
            lambda: mm.register("compute", "h", {"zone": "a"}, ttl=ttl),
            lambda: mm.register("compute", "h", ttl=ttl),  # renewed
            lambda: mm.ack_alive("compute", "h"),
            lambda: mm.drain("compute"),
            lambda: mm.unregister("compute", "h"),
        ):
            crossed.clear()
            call()
            assert len(crossed) == 1
