"""Several workers of one server: the way that works, and what the other ways say.

Real gunicorn, uvicorn and uWSGI, with two workers each.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.processes.program import DEADLINE, Program, environment, until

#: Each worker answers with its process, and what it finds.
SHARED = """
import os
from gossipmm.client import Client

agent = None

def answer():
    global agent
    if agent is None:  # in the worker: a connection is not shared over a fork
        agent = Client(os.environ["AGENT"])
    return {"worker": os.getpid(), "hosts": [host for _, host in agent.queues("fanout~compute")]}
"""
EMBEDDED = """
import logging, os
from gossipmm import MatchMakerGossip

logging.basicConfig(level=logging.WARNING)
mm = MatchMakerGossip(
    preset="local", name=os.environ["NAME"], bind=os.environ["BIND"], join=[os.environ["SEED"]]
)

def answer():
    mm.register("web", mm.agent.name)
    mm.wait_joined(5.0)
    return {"worker": os.getpid(), "hosts": [host for _, host in mm.queues("fanout~web")]}
"""
SERVED = """
import json

def wsgi(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(answer()).encode()]

async def asgi(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError
    import asyncio
    body = json.dumps(await asyncio.to_thread(answer)).encode()
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
"""


def gunicorn(port: int) -> list[str]:
    _needs("gunicorn")
    return [
        *(sys.executable, "-m", "gunicorn", "-w", "2", "-b", f"127.0.0.1:{port}"),
        *("--graceful-timeout", "3", "app:wsgi"),
    ]


def uvicorn(port: int) -> list[str]:
    _needs("uvicorn")
    return [*(sys.executable, "-m", "uvicorn", "--workers", "2", "--port", str(port), "app:asgi")]


def uwsgi(port: int) -> list[str]:
    # Of this environment: Debian's has Debian's Python in it.
    found = shutil.which("uwsgi", path=str(Path(sys.executable).parent)) or shutil.which("uwsgi")
    if found is None:
        pytest.skip("uwsgi is not installed")
    return [
        *(found, "--http", f"127.0.0.1:{port}", "--master", "--processes", "2", "--lazy-apps"),
        *("--enable-threads", "--need-app", "--wsgi", "app:wsgi"),
    ]


def _needs(module: str) -> None:
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed")


SERVERS: dict[str, Callable[[int], list[str]]] = {
    "gunicorn": gunicorn,
    "uvicorn": uvicorn,
    "uwsgi": uwsgi,
}


class Server:
    """A server with two workers, its log in a file."""

    def __init__(self, folder: Path, command: list[str], port: int, **environ: str) -> None:
        self._port = port
        self._log = folder / "log"
        path = os.pathsep.join([str(folder), *filter(None, sys.path)])
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                stdout=log,
                stderr=log,
                env=environment(PYTHONPATH=path, **environ),
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    def ask(self) -> dict[str, Any] | None:
        """Ask some worker; None: none answers (yet)."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port}/", headers={"Connection": "close"}
        )
        try:
            with urllib.request.urlopen(request, timeout=10.0) as response:
                found: dict[str, Any] = json.load(response)
                return found
        except OSError:
            return None

    def both(self, hosts: Callable[[list[str]], bool]) -> list[list[str]]:
        """Ask until both workers answered with such hosts, and return those."""
        found: dict[int, list[str]] = {}

        def asked() -> bool:
            answer = self.ask()
            if answer is not None and hosts(answer["hosts"]):
                found[answer["worker"]] = answer["hosts"]
            return len(found) == 2

        until(asked, "both workers answer", show=lambda: self.log)
        return list(found.values())


@contextmanager
def served(folder: Path, kind: str, program: str, **environ: str) -> Iterator[Server]:
    (folder / "app.py").write_text(program + SERVED)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Server(folder, SERVERS[kind](port), port, **environ)
    try:
        yield server
    finally:
        server.process.send_signal(signal.SIGTERM if kind != "uwsgi" else signal.SIGINT)
        try:
            server.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            os.killpg(server.process.pid, signal.SIGKILL)
            server.process.wait()
            raise


@pytest.mark.parametrize("kind", SERVERS)
def test_workers_share_the_agent_of_their_machine(
    kind: str, start: Callable[..., Program], tmp_path: Path
) -> None:
    control = tmp_path / "a.sock"
    a = start("a", "--register", "compute", "--control", str(control))
    b = start("b", "--register", "compute", "--join", a.address)
    until(lambda: b.hosts("fanout~compute") == ["a", "b"], "a and b know each other")
    with served(tmp_path, kind, SHARED, AGENT=str(control)) as server:
        assert server.both(lambda hosts: len(hosts) == 2) == [["a", "b"]] * 2
        b.process.kill()
        assert server.both(lambda hosts: hosts == ["a"]) == [["a"]] * 2


@pytest.mark.parametrize("kind", SERVERS)
def test_workers_with_an_agent_each_have_names_of_their_own(
    kind: str, start: Callable[..., Program], tmp_path: Path
) -> None:
    a = start("a")
    where = {"NAME": "web-{pid}", "BIND": "127.0.0.1:0", "SEED": a.address}
    with served(tmp_path, kind, EMBEDDED, **where) as server:
        one, two = server.both(lambda hosts: len(hosts) == 2)
        assert one == two
        assert all(name.startswith("web-") for name in one)
        assert "NAME CONFLICT" not in server.log


def test_workers_with_one_name_are_told_so_in_their_log(
    start: Callable[..., Program], tmp_path: Path
) -> None:
    """The loser was in nobody's lookups, said that it had joined, and logged nothing."""
    a = start("a")
    where = {"NAME": "web", "BIND": "127.0.0.1:0", "SEED": a.address}
    with served(tmp_path, "gunicorn", EMBEDDED, **where) as server:
        server.both(bool)
        said = "NAME CONFLICT"
        until(lambda: said in server.log, "told of the conflict", show=lambda: server.log)
        assert 'give each a name of its own: name="web-{pid}"' in server.log


def test_workers_with_one_address_are_told_so_in_their_log(
    start: Callable[..., Program], tmp_path: Path
) -> None:
    a = start("a")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    where = {"NAME": "web-{pid}", "BIND": f"127.0.0.1:{port}", "SEED": a.address}
    with served(tmp_path, "gunicorn", EMBEDDED, **where) as server:

        def told() -> bool:
            server.ask()
            return "another worker of this server" in server.log

        until(told, "told of the address", show=lambda: server.log)
