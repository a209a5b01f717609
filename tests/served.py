"""An agent with its control API in a thread: for what talks to it over a socket, and blocks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import trio

from gossipmm.agent import open_agent
from gossipmm.config import Config
from gossipmm.sidecar.serve import open_sidecar


class Served:
    """A running agent. ``path``: its socket; ``url``: its loopback port."""

    def __init__(self, path: str, **fields: Any) -> None:
        self.path = path
        self.url = ""
        self.address = ""
        self._config = Config.preset(
            "local", **{"bind": "127.0.0.1:0", "name": "a", "control": path, **fields}
        )
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> Served:
        self._thread.start()
        assert self._ready.wait(20)
        if self._failure is not None:
            raise self._failure
        return self

    def stop(self) -> None:
        with suppress(trio.RunFinishedError):  # a client had it leave
            self._token.run_sync_soon(self._stop.set)
        self._thread.join(20)
        assert not self._thread.is_alive()

    def do(self, what: Any, *arguments: Any) -> Any:
        """Call a function of the agent in its thread."""
        return trio.from_thread.run_sync(what, *arguments, trio_token=self._token)

    def _run(self) -> None:
        try:
            trio.run(self._main)
        except BaseException as exc:
            self._failure = exc
        finally:
            self._ready.set()

    async def _main(self) -> None:
        self._stop = trio.Event()
        self._token = trio.lowlevel.current_trio_token()
        async with (
            open_agent(self._config) as self.agent,
            open_sidecar(self.agent, left=self._stop.set) as sidecar,
        ):
            self.address = "{}:{}".format(*self.agent.bound)
            self.url = next((each for each in sidecar.control if "http" in each), "")
            self._ready.set()
            await self._stop.wait()


@contextmanager
def served(path: Any, **fields: Any) -> Iterator[Served]:
    """Serve an agent for as long as the block runs."""
    agent = Served(str(path), **fields).start()
    try:
        yield agent
    finally:
        agent.stop()
