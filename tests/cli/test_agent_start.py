"""How an agent starts: it joins first, and makes its control API ready a moment later."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import trio

from gossipmm.cli.agent import _joined_first
from gossipmm.sidecar import serve


class Joining:
    """An agent that joins after a while; as much of it as is asked here."""

    def __init__(self, after: float) -> None:
        self.table = SimpleNamespace(joined=False)
        self._after = after

    async def wait_joined(self, timeout: float) -> bool:  # noqa: ASYNC109
        with trio.move_on_after(timeout):
            await trio.sleep(self._after)
            self.table.joined = True
        return self.table.joined


@pytest.mark.parametrize(("after", "joined"), [(0.01, True), (3600.0, False)])
async def test_the_api_is_imported_once_it_joined_or_a_moment_has_passed(
    after: float, joined: bool, autojump_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The import held up the join by 25 ms: a third of the time that it takes."""
    seen: list[bool] = []

    @asynccontextmanager
    async def opened(agent: Any, **_: Any) -> AsyncGenerator[str, None]:
        seen.append(agent.table.joined)
        yield "served"

    monkeypatch.setattr(serve, "open_sidecar", opened)
    began = trio.current_time()
    async with _joined_first(Joining(after), trio.Event()) as found:  # type: ignore[arg-type]
        assert found == "served"
    assert seen == [joined]
    assert trio.current_time() - began < 0.1
