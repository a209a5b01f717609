"""``gossipmm agent``: one agent in this terminal, or under a supervisor."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from gossipmm.cli import started
from gossipmm.config import PRESETS, Config
from gossipmm.settings import load_config

if TYPE_CHECKING:
    import trio

    from gossipmm.agent import Agent, Watch
    from gossipmm.cli.output import Output
    from gossipmm.core.values.events import Event
    from gossipmm.sidecar.ops.reload import Reloader
    from gossipmm.sidecar.serve import Sidecar

__all__ = ("agent",)

#: Seconds in which an agent may join before its control API is made ready.
_JOIN_FIRST = 0.05
#: Seconds after which an agent that has found nobody says so.
_LONELY = 5.0
#: Events that may wait to be printed.
_BUFFER = 100_000


def _presets(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    return [name for name in PRESETS if name.startswith(begun)]


def _fields(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Complete a field; its value is for whoever types."""
    from dataclasses import fields

    names = [f"{field.name}=" for field in fields(Config)]
    return [name for name in names if name.startswith(begun)]


@click.command()
@click.option(
    "--config",
    "file",
    type=click.Path(),
    metavar="FILE",
    help="TOML file. Flags and GOSSIPMM_* override.",
)
@click.option(
    "--preset", shell_complete=_presets, help=f"Where the defaults come from: {', '.join(PRESETS)}."
)
@click.option("--name", help="Name of this node, unique in the cluster. [the host's name]")
@click.option("--cluster", help="Name of the cluster.")
@click.option("--bind", metavar="HOST:PORT", help="UDP address to bind; port 0: any free one.")
@click.option("--advertise", metavar="HOST:PORT", help="Address for the others, if different.")
@click.option("--join", metavar="HOST:PORT", multiple=True, help="A seed; may be repeated.")
@click.option(
    "--register",
    metavar="TOPIC[=HOST]",
    multiple=True,
    help="A registration; may be repeated. Without HOST: this node's name.",
)
@click.option("--metadata", metavar="KEY=VALUE", multiple=True, help="Shown beside this node.")
@click.option(
    "--control", metavar="PATH", help='Control socket; "none": no control API. [by the name]'
)
@click.option(
    "--control-port", metavar="PORT", help="Also serve control API and status page on loopback."
)
@click.option("--state-file", metavar="FILE", help="Remembers the last generation and peers.")
@click.option("--keyring", metavar="FILE", help="File of keys: encrypts (see gossipmm keygen).")
@click.option("--keyring-seed", metavar="FILE", help="Copied there if it has keys new to it.")
@click.option("--insecure", is_flag=True, default=None, help="Bind beyond loopback without a key.")
@click.option(
    "--set",
    "fields",
    metavar="FIELD=VALUE",
    multiple=True,
    shell_complete=_fields,
    help="Any other field of the file.",
)
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    help="Text: log lines on stderr. JSON: an object a line on stdout.",
)
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    help="How the log on stderr is written. [text]",
)
@click.option(
    "--ask/--no-ask",
    default=None,
    help='Answer keys and commands from standard input ("help" lists them). [if a terminal]',
)
@click.option("--leave-on-eof", is_flag=True, help="Leave when standard input ends.")
def agent(
    file: str | None,
    metadata: tuple[str, ...],
    fields: tuple[str, ...],
    output: str,
    ask: bool | None,
    leave_on_eof: bool,
    **flags: Any,
) -> None:
    """Run an agent.

    Until SIGINT or SIGTERM; then it leaves gracefully.

    \b
    gossipmm agent --name a --bind 127.0.0.1:7946 --register compute
    gossipmm agent --name b --bind 127.0.0.1:7947 --join 127.0.0.1:7946 --register compute
    """
    given = {name: value for name, value in flags.items() if value not in (None, ())}
    given.update(_pairs(fields, "--set", "FIELD=VALUE"))
    if metadata:
        given["metadata"] = _pairs(metadata, "--metadata", "KEY=VALUE")
    load = partial(load_config, file, flags=given)
    config = load()
    if ask is None:
        ask = leave_on_eof or (sys.stdin is not None and sys.stdin.isatty())

    import trio

    trio.run(_run, config, load, output == "json", ask, leave_on_eof)


def _pairs(texts: tuple[str, ...], flag: str, form: str) -> dict[str, str]:
    pairs = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise click.BadParameter(f"{text!r} is not {form}", param_hint=flag)
        pairs[key.strip()] = value.strip()
    return pairs


async def _run(
    config: Config, load: Callable[[], Config], as_json: bool, ask: bool, leave_on_eof: bool
) -> None:
    import logging

    from gossipmm.agent import open_agent
    from gossipmm.cli.output import Output
    from gossipmm.sidecar.ops.logs import formatter
    from gossipmm.sidecar.ops.reload import Reloader

    terminal = sys.stderr is not None and sys.stderr.isatty()
    output = Output(formatter=formatter(config.log_format, dated=not terminal))
    log = logging.getLogger("gossipmm")
    log.addHandler(output.handler())
    log.propagate = False
    log.setLevel(logging.INFO)
    try:
        async with open_agent(config) as agent:
            with agent.watch(buffer=_BUFFER) as watch:
                reloader = Reloader(agent, config, load)
                await _serve(agent, watch, output, reloader, as_json, ask, leave_on_eof)
    except BaseExceptionGroup as group:
        raise _only(group) from None
    finally:
        output.close()


def _only(error: BaseException) -> BaseException:
    """Return the one error in nested groups: that nurseries run here is nobody's affair."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


async def _serve(
    agent: Agent,
    watch: Watch,
    output: Output,
    reloader: Reloader,
    as_json: bool,
    ask: bool,
    leave_on_eof: bool,
) -> None:
    import signal

    import trio

    from gossipmm.sidecar.ops import systemd

    stop = trio.Event()
    in_terminal = sys.stdin is not None and sys.stdin.isatty()  # SIGHUP: it was closed

    async def signalled(task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
            task_status.started()
            async for number in signals:
                if number == signal.SIGHUP and not in_terminal:
                    systemd.reloading()
                    reloader.reload()
                    systemd.notify("READY=1")
                    continue
                if stop.is_set():  # asked twice: end at once
                    signal.signal(number, signal.SIG_DFL)
                    signal.raise_signal(number)
                output.log(f"{signal.Signals(number).name}: leaving")
                stop.set()

    async with (
        trio.open_nursery() as signals,
        _cancelled_behind(signals, signalled),
        _control(agent, stop) as sidecar,
        trio.open_nursery() as nursery,
    ):
        started()
        _greet(agent, sidecar.control if sidecar is not None else (), output, as_json)
        systemd.notify("READY=1")
        nursery.start_soon(systemd.keep_telling, partial(_status, agent))
        nursery.start_soon(_tell, watch, agent, output, as_json, stop)
        nursery.start_soon(_tell_if_lonely, agent, output)
        if ask:
            nursery.start_soon(_answer, agent, output, as_json, stop if leave_on_eof else None)
        await stop.wait()
        systemd.notify("STOPPING=1")
        finished = await agent.leave()
        nursery.cancel_scope.cancel()
    _print(finished, agent.name, output, as_json)


@asynccontextmanager
async def _cancelled_behind(
    nursery: trio.Nursery, task: Callable[..., Awaitable[None]]
) -> AsyncGenerator[None, None]:
    """Run a task from before the block begins until it has ended."""
    await nursery.start(task)
    try:
        yield
    finally:
        nursery.cancel_scope.cancel()


def _control(agent: Agent, stop: trio.Event) -> AbstractAsyncContextManager[Sidecar | None]:
    """Return what serves the control API; ``stop`` is set when a client had the agent leave."""
    config = agent.config
    if config.control == "none" and not (
        config.control_port or config.health_bind or config.dns_port or config.consul_port
    ):
        return nullcontext()
    return _joined_first(agent, stop)


@asynccontextmanager
async def _joined_first(agent: Agent, stop: trio.Event) -> AsyncGenerator[Sidecar, None]:
    """Serve the control API once the agent has joined, or a moment has passed.

    Importing it takes as long as a join in a local network, and nothing else runs meanwhile.
    """
    if not agent.table.joined:
        await agent.wait_joined(_JOIN_FIRST)
    from gossipmm.sidecar.serve import open_sidecar

    async with open_sidecar(agent, left=stop.set) as sidecar:
        yield sidecar


def _status(agent: Agent) -> str:
    """Say in one line how the agent is, for ``systemctl status``."""
    agreement = agent.agreement()
    peers = agreement.agree + agreement.unheard + len(agreement.differ)
    joined = "joined" if agent.table.joined else "not joined yet"
    if faults := agent.faults():
        joined = f"TROUBLE: {'; '.join(faults.values())}; {joined}"
    return (
        f"{joined}; {peers} live peers, {agreement.agree} agree; {len(agent.table.topics)} topics"
    )


def _greet(agent: Agent, control: tuple[str, ...], output: Output, as_json: bool) -> None:
    import json
    import os

    from gossipmm.addresses import format_address

    bound = format_address(agent.bound)
    if as_json:
        started = {
            "event": "started",
            "at": agent.now(),
            "name": agent.name,
            "bound": bound,
            "addresses": [format_address(address) for address in agent.addresses],
            "generation": str(agent.generation),
            "process": os.getpid(),
            "control": control,
        }
        output.answer(json.dumps(started))
        return
    announced = ", ".join(format_address(address) for address in agent.addresses)
    where = bound if announced == bound else f"{bound}, announced as {announced}"
    seeds = ", ".join(agent.config.join)
    output.log(
        f"{agent.name} runs at {where}, cluster {agent.config.cluster}; "
        + (f"joining {seeds}" if seeds else "nobody to join: others join this one")
    )
    if control:
        output.log(f"control API at {' and '.join(control)}")


def _print(event: Event, me: str, output: Output, as_json: bool) -> None:
    import json

    from gossipmm.agent.event_json import as_json as plain
    from gossipmm.sidecar.ops.logs import log_event

    if as_json:
        output.answer(json.dumps(plain(event)))
    else:
        log_event(event, me)


async def _tell(
    watch: Watch, agent: Agent, output: Output, as_json: bool, stop: trio.Event
) -> None:
    """Print each event, except what leaving does to this node's own table: nobody needs to know.

    Ends with the agent, and never because of what others send: of more events than fit, some are
    not printed.
    """
    from gossipmm.core.values.events import HostChanged, LeaveFinished
    from gossipmm.errors import AgentClosedError, WatchOverflowError

    while True:
        try:
            async for event in watch:
                own = isinstance(event, HostChanged | LeaveFinished) and agent.leaving
                if not own:
                    _print(event, agent.name, output, as_json)
                if as_json and output.broken:  # whoever started this is gone
                    stop.set()
            return
        except WatchOverflowError:
            output.log(f"more than {_BUFFER} events at once: some were not printed")
            watch.close()
            try:
                watch = agent.watch(buffer=_BUFFER)
            except AgentClosedError:  # it ended with more events than fit
                return


async def _tell_if_lonely(agent: Agent, output: Output) -> None:
    import trio

    await trio.sleep(_LONELY)
    if not agent.table.joined:
        seeds = ", ".join(agent.config.join)
        output.log(f"no answer from {seeds} yet: it is tried again for as long as this agent runs")


async def _answer(agent: Agent, output: Output, as_json: bool, stop: trio.Event | None) -> None:
    """Answer standard input; at its end go on, or leave."""
    from gossipmm.cli.console import Console, lines_of

    console = Console(agent, output.answer, as_json=as_json)
    async for line in lines_of(0):
        console.take(line)
    if stop is not None:
        stop.set()
