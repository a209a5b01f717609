"""A table of thousands of hosts behind the control API: no request keeps the agent from its timers.

Counted in calls of Python functions between two moments at which other tasks may run: about 0.1 us
each. The milliseconds are in ``tests/bench/test_bench_api.py``.
"""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager
from types import FrameType
from typing import Any

import msgspec
import trio

from gossipmm.sidecar.api import app
from tests.bench.table_of_nodes import fill, node_name, page_of
from tests.sidecar.api import Api, apis

HOSTS = 3_000
#: Calls in one step; a list of three thousand that is built in one has more than thirty thousand.
MOST = 2_500


class Steps(trio.abc.Instrument):
    """Counts the Python functions that each step of a task calls."""

    def __init__(self) -> None:
        self.most = 0
        self._now = 0

    def before_task_step(self, task: Any) -> None:
        self._now = 0
        sys.setprofile(self._note)

    def after_task_step(self, task: Any) -> None:
        sys.setprofile(None)
        self.most = max(self.most, self._now)

    def _note(self, frame: FrameType, event: str, _: Any) -> None:
        self._now += event == "call"


@asynccontextmanager
async def large():
    async with apis("a", max_registrations=20_000, max_members=20_000, leave_timeout=0.0) as (a,):
        fill(a.agent.table, HOSTS, port=9100)
        yield a


async def calls(api: Api, target: str, version: int) -> tuple[int, Any]:
    """Return the calls of the longest step of an answer, and the answer.

    A host changes before, to this version: nothing is at hand from an answer before.
    """
    api.agent.table.put(page_of(0, version, metadata={"port": 9100}), 0.0)
    api.agent.table.publish()
    steps = Steps()
    trio.lowlevel.add_instrument(steps)
    try:
        await trio.lowlevel.checkpoint()  # from here on each step is counted
        answer = await api.answer("GET", target)
        await trio.lowlevel.checkpoint()
    finally:
        trio.lowlevel.remove_instrument(steps)
    return steps.most, msgspec.json.decode(answer.body)


LISTS = {
    "/v1/queues/fanout~thousand": lambda found: len(found["queues"]),
    "/v1/lookup/fanout~thousand": lambda found: len(found["hosts"]),
    "/v1/lookup/thousand": lambda found: len(found["hosts"]),
    "/v1/topics/thousand": lambda found: len(found["hosts"]),
    "/v1/topics": lambda found: len(found["topics"]) - 2,
    "/v1/members": lambda found: len(found["members"]) - 1,
    "/v1/ring": lambda found: len(found["thousand"]),
}


async def test_a_list_of_thousands_is_built_a_little_at_a_time(autojump_clock):
    """The page of 9,900 hosts kept an agent from its timers for 400 ms, at each look."""
    async with large() as a:
        for version, (target, length) in enumerate(LISTS.items(), 3):
            most, found = await calls(a, target, version)
            assert length(found) == HOSTS, target
            assert most <= MOST, target


async def test_an_answer_costs_what_its_size_asks_for(autojump_clock):
    """``/v1/queues/fanout~T`` explained each host only to say "ok": 400 ms at 9,900."""
    targets = (
        f"/v1/queues/thousand.{node_name(7)}",
        f"/v1/lookup/thousand.{node_name(7)}",
        "/v1/queues/thousand",
        "/v1/queues/fanout~thousand",
        "/v1/queues/fanout~nothing",
        "/v1/queues/nothing",
    )
    async with large() as a:
        for version, target in enumerate(targets, 3):
            most, _ = await calls(a, target, version)
            assert most <= 200, target


async def test_a_registration_costs_the_same_beside_ten_thousand_others(autojump_clock):
    """PUT walked all registrations of the agent twice: 2.7 ms at 7,000."""
    counts = []
    async with apis("a", max_registrations=20_000, max_members=20_000, leave_timeout=0.0) as (a,):
        for others in (10, 2_000):
            for number in range(others):
                a.agent.register("mine", f"host-{number}")
            found = 0

            def note(frame: FrameType, event: str, _: Any) -> None:
                nonlocal found
                found += event == "call"

            sys.setprofile(note)
            try:
                status, _ = await a.ask("PUT", "/v1/registrations/mine/host-5", {"ttl": 30})
            finally:
                sys.setprofile(None)
            assert status == 200
            counts.append(found)
    assert counts[1] <= counts[0] + 40


async def test_the_openapi_document_is_built_once(autojump_clock, monkeypatch):
    built = []
    app._document.cache_clear()
    from gossipmm.sidecar.api import openapi

    original = openapi.document
    monkeypatch.setattr(openapi, "document", lambda all: built.append(1) or original(all))
    async with apis("a") as (a,):
        first, second = [await a.get("/v1/openapi.json") for _ in range(2)]
    assert first == second
    assert len(built) == 1
    app._document.cache_clear()
