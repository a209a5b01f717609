"""Agents for the sidecar's tests: over a network in memory, or over loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import trio

from gossipmm.agent import Agent, open_agent
from gossipmm.config import Config
from tests.agent.memory_network import Air


def config(name: str, port: int, *seeds: int, **fields: Any) -> Config:
    """Return the configuration of an agent at a port of the network in memory."""
    join = tuple(f"127.0.0.1:{seed}" for seed in seeds)
    return Config(name=name, bind=f"127.0.0.1:{port}", join=join, **fields)


@asynccontextmanager
async def agents(air: Air, *names: str, **fields: Any) -> AsyncIterator[list[Agent]]:
    """Run agents that all know all, at ports 1, 2, ... (under the autojump clock)."""
    async with AsyncExitStack() as stack:
        opened: list[Agent] = []
        for number, name in enumerate(names, 1):
            wanted = config(name, number, *([1] if number > 1 else []), **fields)
            opened.append(await stack.enter_async_context(open_agent(wanted, network=air.host())))
        with trio.fail_after(30):
            while not all(agent.agreement().agree == len(names) - 1 for agent in opened):
                await trio.sleep(0.05)
        yield opened
