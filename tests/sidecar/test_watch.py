"""Events for watchers: in order, resumable, and never at the cost of somebody else."""

import json
from types import SimpleNamespace

import pytest
import trio

from gossipmm.core.values import events
from gossipmm.core.values.types import HostState
from gossipmm.sidecar.api import watch
from gossipmm.sidecar.api.watch import Hub, Wanted
from gossipmm.sidecar.http.messages import Stream
from tests.sidecar.api import apis


def host(number, topic="compute"):
    return events.HostChanged(float(number), topic, f"host-{number}", HostState.LIVE, None)


class Reader:
    """A watcher's end. ``send`` takes what is sent; blocks while ``stuck`` is set."""

    def __init__(self):
        self.data = bytearray()
        self.sends = 0
        self.stuck = False
        self._go = trio.Event()

    async def send(self, data):
        while self.stuck:
            await self._go.wait()
        await trio.lowlevel.checkpoint()
        self.sends += 1
        self.data += data

    def release(self):
        self.stuck = False
        self._go.set()

    @property
    def messages(self):
        """(kind, id, data) of each message."""
        found = []
        for block in self.data.decode().split("\n\n"):
            fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
            if "event" in fields:
                found.append((fields["event"], fields.get("id"), json.loads(fields["data"])))
        return found

    def hosts(self):
        return [data["host"] for kind, _, data in self.messages if kind == "host_changed"]


@pytest.fixture
async def hub(nursery):
    hub = Hub(SimpleNamespace(name="a"), lambda at: at, room=100)
    nursery.start_soon(hub._publish)
    return hub


def follow(hub, nursery, reader, since=None, wanted=Wanted()):  # noqa: B008
    nursery.start_soon(hub.serve, reader.send, since, wanted)


async def test_events_come_in_order_with_words_and_ids(autojump_clock, hub, nursery):
    reader = Reader()
    hub.tell(host(0))
    follow(hub, nursery, reader)
    await trio.sleep(1)
    for number in range(1, 4):
        hub.tell(host(number))
    await trio.sleep(1)
    (kind, _, hello), *told = reader.messages
    assert (kind, hello["node"], hello["resumed"]) == ("hello", "a", False)
    assert reader.hosts() == ["host-1", "host-2", "host-3"]
    assert told[0][2] == {
        "event": "host_changed",
        "topic": "compute",
        "host": "host-1",
        "state": "live",
        "previous": None,
        "time": 1.0,
        "text": "topic compute: host-1 is live",
    }
    numbers = [int(identity.rpartition("-")[2]) for _, identity, _ in told]
    assert numbers == [2, 3, 4]
    assert hub.event_id == told[-1][1]


async def test_a_watcher_continues_behind_the_event_that_it_saw_last(autojump_clock, hub, nursery):
    before = Reader()
    follow(hub, nursery, before)
    await trio.sleep(1)
    for number in range(5):
        hub.tell(host(number))
    await trio.sleep(1)
    again = Reader()
    follow(hub, nursery, again, before.messages[2][1])
    await trio.sleep(1)
    assert again.messages[0][2]["resumed"] is True
    assert again.hosts() == ["host-2", "host-3", "host-4"]
    nothing_missed = Reader()
    follow(hub, nursery, nothing_missed, hub.event_id)
    await trio.sleep(1)
    assert nothing_missed.messages[0][2]["resumed"] is True
    assert nothing_missed.hosts() == []


@pytest.mark.parametrize(
    "since",
    ["", "nonsense", "00000000-3", "{life}-", "{life}-x", "{life}-99", "{life}-" + "9" * 99],
)
async def test_an_id_that_means_nothing_here_begins_anew(autojump_clock, hub, nursery, since):
    hub.tell(host(1))
    life = hub.event_id.rpartition("-")[0]
    reader = Reader()
    follow(hub, nursery, reader, since.format(life=life))
    await trio.sleep(1)
    hub.tell(host(2))
    await trio.sleep(1)
    assert reader.messages[0][2]["resumed"] is False
    assert reader.hosts() == ["host-2"]


async def test_an_event_that_was_long_ago_cannot_be_resumed_behind(autojump_clock, hub, nursery):
    for number in range(101):
        hub.tell(host(number))
    life = hub.event_id.rpartition("-")[0]
    too_old, just_there = Reader(), Reader()
    follow(hub, nursery, too_old, f"{life}-0")
    follow(hub, nursery, just_there, f"{life}-1")
    await trio.sleep(1)
    assert too_old.messages[0][2]["resumed"] is False
    assert too_old.hosts() == []
    assert just_there.messages[0][2]["resumed"] is True
    assert len(just_there.hosts()) == 100


async def test_a_slow_watcher_is_dropped_with_a_message_and_delays_nobody(
    autojump_clock, hub, nursery, caplog
):
    slow, quick = Reader(), Reader()
    follow(hub, nursery, slow)
    follow(hub, nursery, quick)
    await trio.sleep(1)
    slow.stuck = True
    for number in range(250):
        hub.tell(host(number))
        if number % 25 == 0:
            await trio.sleep(0.1)
    await trio.sleep(1)
    assert len(quick.hosts()) == 250
    assert hub.watchers == 2
    slow.release()
    await trio.sleep(1)
    kind, _, data = slow.messages[-1]
    assert kind == "dropped"
    assert data["reason"] == "more than 100 events behind: read all anew, watch again"
    assert (hub.watchers, hub.dropped) == (1, 1)
    assert "a watcher was dropped: it was more than 100 events behind" in caplog.text


async def test_a_burst_costs_a_watcher_few_sends(autojump_clock, hub, nursery):
    reader = Reader()
    follow(hub, nursery, reader)
    await trio.sleep(1)
    before = reader.sends
    for number in range(90):
        hub.tell(host(number))
        await trio.sleep(0.001)
    await trio.sleep(1)
    assert len(reader.hosts()) == 90
    assert reader.sends - before <= 2 + 0.09 / watch.GATHER


async def test_a_single_event_is_delivered_at_once(autojump_clock, hub, nursery):
    reader = Reader()
    follow(hub, nursery, reader)
    await trio.sleep(1)
    began = trio.current_time()
    hub.tell(host(1))
    while not reader.hosts():
        await trio.lowlevel.checkpoint()
    assert trio.current_time() == began


async def test_a_watcher_hears_what_it_wants(autojump_clock, hub, nursery):
    kinds, topics, members = Reader(), Reader(), Reader()
    follow(hub, nursery, kinds, wanted=Wanted(kinds=frozenset({"member_left"})))
    follow(hub, nursery, topics, wanted=Wanted(topics=frozenset({"volume"})))
    follow(hub, nursery, members, wanted=Wanted(members=frozenset({"b"})))
    await trio.sleep(1)
    hub.tell(host(1))
    hub.tell(host(2, "volume"))
    hub.tell(events.MemberLeft(1.0, "b", 1 << 58))
    hub.tell(events.MemberLeft(1.0, "c", 1))
    await trio.sleep(1)
    told = [
        [data.get("name", data.get("host")) for _, _, data in reader.messages[1:]]
        for reader in (kinds, topics, members)
    ]
    assert told == [["b", "c"], ["host-2"], ["b"]]
    # 64 bits are text: JavaScript would round them.
    assert members.messages[1][2]["generation"] == str(1 << 58)


async def test_silence_is_filled_so_that_both_sides_know(autojump_clock, hub, nursery):
    reader = Reader()
    follow(hub, nursery, reader)
    await trio.sleep(3 * watch.KEEP_ALIVE + 1)
    assert reader.data.count(b": nothing new\n\n") == 3


async def test_the_end_is_told(autojump_clock, hub, nursery):
    reader = Reader()
    follow(hub, nursery, reader)
    await trio.sleep(1)
    hub.tell(host(1))
    hub.close("agent a ends")
    await trio.sleep(1)
    assert reader.hosts() == ["host-1"]
    assert reader.messages[-1] == ("closing", None, {"reason": "agent a ends"})
    assert hub.watchers == 0
    late = Reader()
    follow(hub, nursery, late)
    await trio.sleep(1)
    assert [kind for kind, _, _ in late.messages] == ["hello", "closing"]


async def test_two_hundred_watchers_hold_one_ring(autojump_clock, hub, nursery):
    readers = [Reader() for _ in range(200)]
    for reader in readers:
        follow(hub, nursery, reader)
    await trio.sleep(1)
    for number in range(250):
        hub.tell(host(number))
        await trio.sleep(0.01)
    await trio.sleep(1)
    assert len(hub._ring) == 100
    assert all(len(reader.hosts()) == 250 for reader in readers)


async def test_over_the_api_nothing_is_lost_between_reading_and_watching(autojump_clock, nursery):
    async with apis("a", "b") as (a, b):
        read = await a.get("/v1/topics")
        b.agent.register("compute")  # between the two
        await trio.sleep(1)
        answer = await a.answer("GET", f"/v1/watch?since={read['event_id']}&kind=host_changed")
        assert isinstance(answer, Stream)
        assert answer.content_type == "text/event-stream"
        reader = Reader()
        with trio.move_on_after(2):
            await answer.run(reader.send)
        assert reader.hosts() == ["b"]


async def test_too_many_watchers_are_told_so(autojump_clock):
    async with apis("a") as (a,):
        a.state.hub.watchers = watch.MAX_WATCHERS
        status, problem = await a.ask("GET", "/v1/watch")
        assert (status, problem["type"]) == (503, "urn:gossipmm:unavailable")
