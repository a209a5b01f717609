"""The control API before ten thousand hosts: what a request takes, without its way over a socket.

    pytest tests/bench/test_bench_api.py --benchmark-enable -s

Goals: a fanout of 10,000 in 3 ms, the long answer about one host in 0.5 ms, a registration beside
10,000 others in 0.6 ms; and no step of a request holds the agent's loop for more than 5 ms.
"""

from __future__ import annotations

import time
from math import inf
from typing import Any

import pytest
import trio

from tests.bench.table_of_nodes import fill, node_name
from tests.sidecar.api import Api, apis

HOSTS = 10_000
ONE = f"thousand.{node_name(7)}"
#: Target -> milliseconds.
GOALS = {
    "/v1/queues/fanout~thousand": 3.0,
    f"/v1/lookup/{ONE}": 0.5,
    f"/v1/queues/{ONE}": 0.5,
    "/v1/openapi.json": 0.5,
    "/v1/prometheus/sd/thousand": 30.0,
}
LONG = (
    "/v1/lookup/fanout~thousand",
    "/v1/topics/thousand",
    "/v1/topics",
    "/v1/members",
    f"/v1/members/{node_name(7)}/why",
    "/v1/ring",
    "/v1/registrations",
    "/v1/status",
)


class Held(trio.abc.Instrument):
    """The longest step of a task, in seconds."""

    def __init__(self) -> None:
        self.most = 0.0
        self._began = inf  # the step in which it is added began before

    def before_task_step(self, task: Any) -> None:
        self._began = time.perf_counter()

    def after_task_step(self, task: Any) -> None:
        self.most = max(self.most, time.perf_counter() - self._began)


async def took(api: Api, method: str, target: str, body: Any = None) -> float:
    """Return the milliseconds of the fastest quarter of ten."""
    times = []
    for _ in range(10):
        began = time.perf_counter()
        await api.answer(method, target, body)
        times.append(1000 * (time.perf_counter() - began))
    return sorted(times)[2]


async def held(api: Api, target: str) -> float:
    """Return the longest step of a request in milliseconds, in the quietest of five."""
    times = []
    for _ in range(5):
        found = Held()
        trio.lowlevel.add_instrument(found)
        await trio.lowlevel.checkpoint()
        await api.answer("GET", target)
        await trio.lowlevel.checkpoint()
        trio.lowlevel.remove_instrument(found)
        times.append(1000 * found.most)
    return min(times)


async def test_requests_before_ten_thousand_hosts(
    autojump_clock: Any, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    enabled = request.config.getoption("benchmark_enable")
    hosts = HOSTS if enabled else 300
    lines, late = [], []
    async with apis("a", max_registrations=20_000, max_members=20_000, leave_timeout=0.0) as (a,):
        fill(a.agent.table, hosts, port=9100)
        for number in range(hosts):
            a.agent.register("mine", f"host-{number}")
        for target, goal in GOALS.items():
            ms = await took(a, "GET", target)
            lines.append(f"GET {target}: {ms:.2f} ms (goal {goal:g})")
            late += [lines[-1]] if ms > goal else []
        ms = await took(a, "PUT", "/v1/registrations/mine/host-5", {"ttl": 30})
        lines.append(f"PUT a registration beside {hosts} others: {ms:.2f} ms (goal 0.6)")
        late += [lines[-1]] if ms > 0.6 else []
        for target in LONG:
            ms = await held(a, target)
            lines.append(f"GET {target}: the loop is held for {ms:.2f} ms (goal 5)")
            late += [lines[-1]] if ms > 5 else []
    if enabled:
        with capsys.disabled():
            print("", *lines, sep="\n")
        assert not late
