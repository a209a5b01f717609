"""What checks cost an agent: CPU of a real process, a thousand of them at 10 s. Real figures.

    python -m tests.bench.service_costs [SECONDS]

Two agents on loopback; the first one checks a server in this process. Printed for no checks, TCP,
HTTP, and commands (a tenth as many): CPU of the first agent in percent of a core, runs a second,
its late steps, and how often the second one suspected it.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import trio

from gossipmm.client import Client
from tests.processes.program import Program, programs, until

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_TICKS = os.sysconf("SC_CLK_TCK")


def cpu(process: int) -> float:
    """Return the CPU that a process has used, without its children, in seconds."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def configuration(kind: str, count: int, port: int) -> str:
    """Write the services of one run."""
    looks = {
        "tcp": f'tcp = "127.0.0.1:{port}"',
        "http": f'http = "http://127.0.0.1:{port}/health"',
        "command": 'command = ["/bin/true"]',
    }
    return "".join(
        f'[[service]]\ntopic = "t{number}"\n[[service.check]]\n{looks[kind]}\n'
        for number in range(count)
    )


async def serve(stream: trio.SocketStream) -> None:
    """Answer one connection."""
    try:
        if await stream.receive_some(4096):
            await stream.send_all(_ANSWER)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass


def measured(kind: str, count: int, port: int, seconds: float) -> str:
    """Return the line of one kind; what its agents printed is not shown."""
    with (
        redirect_stdout(io.StringIO()),
        tempfile.TemporaryDirectory() as folder,
        programs() as start,
    ):
        return measure(start, Path(folder), kind, count, port, seconds)


def measure(start: Any, folder: Path, kind: str, count: int, port: int, seconds: float) -> str:
    """Run two agents, and return a line of what the first one used."""
    file = folder / f"{kind}.toml"
    file.write_text(configuration(kind, count, port) if count else "")
    control = str(folder / f"{kind}.sock")
    preset = ("--preset", "lan")
    a: Program = start("a", *preset, "--config", str(file), "--control", control)
    b: Program = start("b", *preset, "--join", a.address)
    until(lambda: b.told("joined"), "b joined")
    with Client(control) as client:
        until(lambda: sum(one.state == "up" for one in client.services()) == count, "all up", 60)
        time.sleep(5)
        before, runs = cpu(a.process.pid), _runs(client)
        began = time.monotonic()
        time.sleep(seconds)
        lasted = time.monotonic() - began
        used, ran = cpu(a.process.pid) - before, _runs(client) - runs
        late = client.stats()["late_steps"]
    suspected = len(b.told("member_suspected"))
    a.process.kill()
    b.process.kill()
    return (
        f"{kind:8} {count:5} checks: {100 * used / lasted:5.2f} % of a core, "
        f"{ran / lasted:6.1f} runs/s, {late} late steps, {suspected} suspicions"
    )


def _runs(client: Client) -> int:
    return sum(check.runs for one in client.services() for check in one.checks)


async def main(seconds: float) -> None:
    """Measure all kinds, one after the other."""
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(
            lambda task_status: trio.serve_tcp(  # noqa: ASYNC105
                serve, 0, host="127.0.0.1", backlog=1024, task_status=task_status
            )
        )
        port = listeners[0].socket.getsockname()[1]
        for kind, count in (("none", 0), ("tcp", 1000), ("http", 1000), ("command", 100)):
            line = await trio.to_thread.run_sync(measured, kind, count, port, seconds)
            print(line, flush=True)
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main, float(sys.argv[1]) if len(sys.argv) > 1 else 60.0)
