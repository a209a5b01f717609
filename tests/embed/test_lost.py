"""An agent that ends although nobody closed it is told, and a child is started again."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator

import pytest

from gossipmm.core.node import Node
from gossipmm.core.values.types import EntryState, HostState
from gossipmm.embed import asyncio as embed
from gossipmm.embed.child import ChildMatchMaker
from gossipmm.embed.link import Link
from gossipmm.embed.made import Made
from gossipmm.embed.matchmaker import MatchMakerGossip
from gossipmm.embed.thread import ThreadAgent
from gossipmm.errors import AgentClosedError, AgentLostError, StartError
from gossipmm.matchmaker import LookupStatus
from tests.embed.helpers import SOON, config, thread_of, until


@pytest.fixture
def peer() -> Iterator[ThreadAgent]:
    thread = ThreadAgent(config("peer"))
    thread.start()
    yield thread
    thread.close()


def eventually(true: Callable[[], object], what: str) -> None:
    end = time.monotonic() + SOON
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.005)


def fail(node: Node, now: float) -> None:
    raise ZeroDivisionError("a fault in the core")


# -- an agent in a thread --------------------------------------------------------------------------


def test_an_agent_in_a_thread_that_fails_is_told_and_what_it_knew_is_marked(
    peer: ThreadAgent, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """``queues`` went on to answer from a table that nothing kept current, for ever, in silence."""
    told: list[AgentLostError] = []
    called = threading.Event()

    def on_lost(lost: AgentLostError) -> None:
        told.append(lost)
        called.set()

    mm = MatchMakerGossip(config=config("me", peer.bound), on_lost=on_lost)
    mm.register("compute", "a", ttl=30.0)
    peer.register("compute", "b")
    until(thread_of(mm), lambda: len(mm.queues("fanout~compute")) == 2)
    mm.heartbeat_interval = 0.01
    mm.start_heartbeat()
    heart = mm._heart
    assert heart is not None
    with caplog.at_level(logging.ERROR, "gossipmm"):
        thread_of(mm).call(monkeypatch.setattr, Node, "handle_timer", fail)
        assert called.wait(SOON)
        heart.join(SOON)
    monkeypatch.undo()
    assert not told[0].returns
    assert "failed (ZeroDivisionError: a fault in the core): open another one" in str(told[0])
    assert "the agent failed; others drop it" in caplog.text
    assert "the heartbeat ends, and nothing registered here is renewed" in caplog.text
    assert mm.queues("fanout~compute") == [
        ("fanout~compute.a", "a"),
        ("fanout~compute.b", "b"),
    ]
    assert not mm.is_alive("compute", "b")
    found = mm.lookup("compute")
    assert found.status is LookupStatus.STALE
    assert {host.state for host in found.hosts} == {HostState.STALE}
    assert found.hosts[0].age is not None
    with pytest.raises(AgentLostError, match="open another one"):
        mm.register("compute", "c")
    mm.close()
    with pytest.raises(AgentClosedError, match="was closed"):
        mm.queues("compute")


def test_under_asyncio_the_loop_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        told: asyncio.Future[AgentLostError] = asyncio.get_running_loop().create_future()
        async with embed.open_agent(config("one"), on_lost=told.set_result) as agent:
            await agent.register("compute")
            monkeypatch.setattr(Node, "handle_timer", fail)
            lost = await asyncio.wait_for(told, SOON)
            monkeypatch.undo()
            assert "ZeroDivisionError" in str(lost)
            assert agent.queues("compute") == [("compute.one", "one")]
            assert not agent.is_alive("compute", "one")
            with pytest.raises(AgentLostError):
                await agent.register("compute")

    asyncio.run(main())
    assert "the agent failed" in caplog.text


def test_an_error_of_on_lost_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def on_lost(lost: AgentLostError) -> None:
        raise LookupError("in the program")

    thread = ThreadAgent(config("one"), on_lost=on_lost)
    thread.start()
    monkeypatch.setattr(Node, "handle_timer", fail)
    assert thread.ended.wait(SOON)
    thread.close()
    eventually(lambda: "LookupError: in the program" in caplog.text, "logged")


def test_a_thread_that_cannot_be_started_is_an_error_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At exit there was a traceback: a thread was joined that had never been started."""
    from gossipmm.embed import running

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    before = running.agents()
    monkeypatch.setattr(threading.Thread, "start", refuse)
    mm = MatchMakerGossip(config=config("x"))
    with pytest.raises(StartError, match=r"can't start new thread.*ulimit -u"):
        mm.queues("compute")
    with pytest.raises(StartError, match="no thread"):
        ChildMatchMaker(config=config("x")).open()
    assert running.agents() == before
    monkeypatch.undo()
    assert mm.queues("compute") == []
    mm.close()


# -- an agent in a child process -------------------------------------------------------------------


def link_of(mm: ChildMatchMaker) -> Link:
    link = mm.agent._link  # type: ignore[attr-defined]
    assert isinstance(link, Link)
    return link


def test_a_child_that_is_killed_is_told_and_started_again_with_its_registrations(
    peer: ThreadAgent, caplog: pytest.LogCaptureFixture
) -> None:
    """The heartbeat ended with nothing logged, and the program answered nobody from then on."""
    own = MatchMakerGossip.over(peer.reader, peer)
    told: list[AgentLostError] = []
    seen: list[object] = []

    def on_lost(lost: AgentLostError) -> None:
        told.append(lost)
        seen.extend((mm.queues("compute"), mm.is_alive("compute", "a")))
        seen.append(mm.lookup("compute").status)
        with pytest.raises(AgentLostError, match="it is started again"):
            mm.register("compute", "b")

    with ChildMatchMaker(config=config("me", peer.bound), on_lost=on_lost) as mm:
        mm.heartbeat_interval = 0.01
        mm.register("compute", "a", {"zone": "z"}, ttl=20.0)
        mm.register("volume", "a", draining=True)
        mm.agent.set_metadata({"zone": "eu"})
        mm.register("gone", "a")
        mm.unregister("gone", "a")
        mm.start_heartbeat()
        assert mm.wait_joined(SOON)
        assert mm.queues("compute") == [("compute.a", "a")]
        with caplog.at_level(logging.WARNING, "gossipmm"):
            link_of(mm).process.kill()
            eventually(lambda: "registrations made again: 2" in caplog.text, "again")
        assert [lost.returns for lost in told] == [True]
        assert seen == [[("compute.a", "a")], False, LookupStatus.STALE]
        assert "killed by SIGKILL): it is started again" in caplog.text
        made = {(one.topic, one.host): one for one in mm.registrations()}
        assert set(made) == {("compute", "a"), ("volume", "a")}
        assert made["compute", "a"].metadata == {"zone": "z"}
        assert made["volume", "a"].state is EntryState.DRAINING
        view = mm.agent.member("me")
        assert view is not None
        assert view.metadata == {"zone": "eu"}
        assert mm.is_alive("compute", "a")
        until(peer, lambda: own.is_alive("compute", "a"))
        heart = mm._heart
        assert heart is not None
        assert heart.is_alive()  # it goes on, for the child that there is now
        mm.register("compute", "b")
    with pytest.raises(AgentClosedError, match="was closed"):
        mm.queues("compute")


def test_a_child_that_does_not_answer_is_killed_and_started_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with ChildMatchMaker(config=config("me")) as mm:
        mm.register("compute", "a")
        link = link_of(mm)
        assert link._socket is not None
        link._socket.settimeout(0.2)
        os.kill(link.process.pid, signal.SIGSTOP)
        with pytest.raises(AgentLostError, match="did not answer for 10 s"):
            mm.register("compute", "b")
        eventually(lambda: "registrations made again: 1" in caplog.text, "again")
        assert mm.queues("compute") == [("compute.a", "a")]


def test_closing_while_a_child_is_started_again_ends_that(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from gossipmm.embed import child

    monkeypatch.setattr(child, "_AGAIN", 60.0)
    mm = ChildMatchMaker(config=config("me"))
    mm.register("compute", "a")
    link_of(mm).process.kill()
    eventually(lambda: "killed by SIGKILL" in caplog.text, "told")
    began = time.monotonic()
    mm.close()
    assert time.monotonic() - began < SOON
    eventually(
        lambda: not [one for one in threading.enumerate() if one.name == "gossipmm-child"],
        "the thread ended",
    )


def test_what_was_told_to_a_child_is_kept_for_the_next_one() -> None:
    now = 0.0
    made = Made(lambda: now)
    made.register("t", "a", None, 5.0, False)
    made.register("t", "b", {"x": 1}, None, False)
    made.register("u", "b", None, 5.0, True)
    made.drain("t", None, True)
    now = 4.0
    made.renew("t", "a")
    made.renew("t", "unknown")
    now = 6.0
    drained = [(one.topic, one.host, one.draining) for one in made]
    assert drained == [("t", "a", True), ("t", "b", True)]
    made.drain(None, "b", False)
    made.unregister("t", "a")
    assert [(one.topic, one.host, one.draining) for one in made] == [("t", "b", False)]
    made.drain(None, None, True)
    made.join(("s:1", "s:2"))
    made.join(("s:1",))
    assert (made.draining, made.seeds) == (True, ("s:1", "s:2"))
    made.set_metadata({"y": 2, "x": None}, "t", "b")
    made.set_metadata({"zone": "eu"}, None, None)
    assert [one.metadata for one in made] == [{"y": 2}]
    assert made.metadata == {"zone": "eu"}


# -- one that is dropped ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [MatchMakerGossip, ChildMatchMaker])
def test_matchmakers_that_are_dropped_close_their_agents_and_say_so(
    kind: type[MatchMakerGossip],
) -> None:
    """Twenty left 21 threads behind, and nothing said so."""
    number = 20 if kind is MatchMakerGossip else 2

    def left() -> list[str]:
        names = ("gossipmm-dropped", "gossipmm-child", "gossipmm-heartbeat")
        return [one.name for one in threading.enumerate() if one.name in names]

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(number):
            mm = kind(config=config("dropped", leave_timeout=0.1))
            mm.register("compute", "a", ttl=5.0)
            mm.start_heartbeat()
            del mm
        gc.collect()
        # The heart of the last one may hold it for one more round.
        eventually(lambda: not left(), "threads end")
    said = [str(one.message) for one in caught if one.category is ResourceWarning]
    what = f"{kind.__name__} of node dropped was dropped, but not closed"
    assert said == [f"{what}: call close(), or use it in a with statement"] * number


def test_the_address_of_a_dropped_one_is_free_for_the_next() -> None:
    """``mm = None`` and another one was a BindError: the old agent went on for ever."""
    with MatchMakerGossip(config=config("x")) as free:
        host, port = free.bound
    first = MatchMakerGossip(name="x", bind=f"{host}:{port}")
    first.register("compute", "a")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        del first
        gc.collect()
    with MatchMakerGossip(name="x", bind=f"{host}:{port}") as again:
        assert again.queues("compute") == []
