"""A control API without sockets: agents over a network in memory, requests as values."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import trio

from gossipmm.agent import open_agent
from gossipmm.config import Config
from gossipmm.sidecar.api.app import application
from gossipmm.sidecar.api.state import State
from gossipmm.sidecar.http.messages import Answer, Request, Response
from tests.agent.memory_network import Air


class Api:
    """One agent's API. ``left``: a leave was asked for and answered."""

    def __init__(self, agent: Any) -> None:
        self.agent = agent
        self.left = False
        self.state = State(agent, self._leave)
        self.application = application(self.state)

    def _leave(self) -> None:
        self.left = True

    async def answer(self, method: str, target: str, body: Any = None, **more: Any) -> Answer:
        """Ask; ``body`` is encoded as JSON unless it is bytes."""
        data = (
            body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        )
        answer = self.application(Request(method, target.encode(), {}, data, **more))
        if isinstance(answer, Awaitable):
            answer = await answer
        if isinstance(answer, Response) and answer.after is not None:
            answer.after()
        return answer

    async def ask(self, method: str, target: str, body: Any = None) -> tuple[int, Any]:
        """Ask, and return (status, JSON)."""
        answer = await self.answer(method, target, body)
        assert isinstance(answer, Response), answer
        return answer.status, json.loads(answer.body) if answer.body else None

    async def get(self, target: str) -> Any:
        """Ask for what is there."""
        status, value = await self.ask("GET", target)
        assert status == 200, value
        return value


@asynccontextmanager
async def apis(*names: str, **fields: Any) -> AsyncGenerator[tuple[Api, ...], None]:
    """Run agents that know each other, the first one the seed, each with its API."""
    async with AsyncExitStack() as stack:
        air = await stack.enter_async_context(Air())
        nursery = await stack.enter_async_context(trio.open_nursery())
        found = []
        for number, name in enumerate(names, 1):
            config = Config(
                name=name,
                bind=f"127.0.0.1:{number}",
                join=("127.0.0.1:1",) if number > 1 else (),
                **fields,
            )
            agent = await stack.enter_async_context(open_agent(config, network=air.host()))
            api = Api(agent)
            nursery.start_soon(api.state.hub.run)
            found.append(api)
        with trio.fail_after(10):
            while not all(len(api.agent.members()) == len(names) for api in found):
                await trio.sleep(0.01)
        yield tuple(found)
        nursery.cancel_scope.cancel()
