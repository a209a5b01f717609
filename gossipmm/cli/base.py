"""Shared by the commands that talk to an agent: finding it, and showing answers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn, TypeVar

import click

from gossipmm.client import Client
from gossipmm.text.durations import duration as words
from gossipmm.text.terminal import json_text, styled_line

__all__ = (
    "absent",
    "completed",
    "completed_agents",
    "completed_hosts",
    "done",
    "duration",
    "names_of_members",
    "names_of_topics",
    "number",
    "output_option",
    "say",
    "short_output_option",
    "show_json",
    "state_text",
    "table",
    "talks",
    "timeout_option",
)

_F = TypeVar("_F", bound=Callable[..., Any])

#: Where the agent that a command line names is kept.
_CONTROL = "gossipmm.control"

_COLOURS = {
    "alive": "green",
    "live": "green",
    "suspect": "yellow",
    "doubted": "yellow",
    "returning": "yellow",
    "probation": "yellow",
    "unhealthy": "yellow",
    "starting": "yellow",
    "removed": "red",
    "failing": "red",
    "passing": "green",
    "up": "green",
    "stale": "yellow",
    "draining": "cyan",
    "dead": "red",
    "left": "bright_black",
    "unknown": "bright_black",
}


def _client(context: click.Context, _parameter: click.Parameter, control: str | None) -> Client:
    client = Client(control)
    context.meta[_CONTROL] = control  # for completions
    context.call_on_close(client.close)
    return client


def talks(command: _F) -> _F:
    """Give a command ``--control``; it receives a ``client`` (not connected yet)."""
    return click.option(
        "--control",
        "client",
        metavar="AGENT",
        callback=_client,
        shell_complete=completed_agents,
        help="The agent: its name, the path of its socket, or HOST:PORT. "
        "[GOSSIPMM_CONTROL, or the only one that runs here]",
    )(command)


def output_option(command: _F) -> _F:
    """Give a command ``-o table|json``; it receives ``as_json``."""
    return _output_option("-o", "--output")(command)


def short_output_option(command: _F) -> _F:
    """Give ``-o`` to a command whose ``--output`` is about something else."""
    return _output_option("-o")(command)


def _output_option(*names: str) -> Callable[[_F], _F]:
    return click.option(
        *names,
        "as_json",
        type=click.Choice(["table", "json"]),
        default="table",
        callback=lambda _context, _parameter, value: value == "json",
        help="For people, or JSON on stdout.  [table]",
    )


def timeout_option(command: _F) -> _F:
    """Give a command that asks other members ``--timeout``; it receives seconds."""
    return click.option(
        "--timeout",
        type=click.FloatRange(0, 30, min_open=True),
        default=2.0,
        metavar="SECONDS",
        help="How long other members may take to answer: 1,000 more are asked each second.  [2]",
    )(command)


def show_json(value: object) -> None:
    """Print a value as JSON."""
    click.echo(json_text(value, indent=2 if sys.stdout.isatty() else None))


def absent(message: str) -> NoReturn:
    """Say that what was asked for is not there, and end with status 1."""
    say(f"gossipmm: {message}", err=True)
    sys.exit(1)


def done(as_json: bool, line: str, **facts: object) -> None:
    """Say what was done: in words, or as an object of facts."""
    if as_json:
        show_json(facts)
    else:
        say(line)


def say(line: str, *, err: bool = False) -> None:
    """Print one line, in which what others sent can move no cursor and add no line."""
    click.echo(styled_line(line), err=err)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print columns as wide as necessary; colours only on a terminal."""
    lines = [[styled_line(cell) for cell in line] for line in (head, *rows)]
    widths = [max(len(click.unstyle(line[n])) for line in lines) for n in range(len(head))]
    for line in lines:
        cells = [cell + " " * (widths[n] - len(click.unstyle(cell))) for n, cell in enumerate(line)]
        click.echo("  ".join(cells).rstrip())


def state_text(state: str) -> str:
    """Return a status or state in its colour (click takes it away where there is no terminal)."""
    return click.style(state, fg=_COLOURS.get(state))


def duration(seconds: float | None) -> str:
    """Write a duration as people say it."""
    return "never" if seconds is None else words(seconds)


def number(count: int, what: str) -> str:
    """Write ``1 topic`` or ``2 topics``."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def completed(names: Callable[[Client], Iterable[str]]) -> Callable[..., list[str]]:
    """Return a shell completion that asks the agent for names; silent when it cannot.

    It asks the agent that the command line names, or the usual one.
    """
    return _completing(lambda client, _: names(client))


def _completing(
    names: Callable[[Client, click.Context], Iterable[str]],
) -> Callable[..., list[str]]:
    def complete(context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
        try:
            with Client(context.meta.get(_CONTROL), timeout=0.5) as client:
                found = set(names(client, context))
            return sorted(name for name in found if name.startswith(begun))
        except Exception:  # a completion that fails completes nothing
            return []

    return complete


def _hosts(client: Client, context: click.Context) -> list[str]:
    """Return the hosts of the topic that the command line names, of all topics without one."""
    named = context.params.get("topic")
    views = client.topics()
    chosen = views.values() if named is None else [views[named]]
    return [host for view in chosen for host in view.entries]


#: Completes a host, by the topic before it.
completed_hosts = _completing(_hosts)


def names_of_topics(client: Client) -> list[str]:
    """Return the topics that an agent knows, for completions."""
    return list(client.topics())


def names_of_members(client: Client) -> list[str]:
    """Return the members that an agent knows, for completions."""
    return [member.name for member in client.members()]


def completed_agents(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Complete the name of an agent that runs on this machine."""
    from gossipmm.client.place import running

    return [name for name in running() if name.startswith(begun)]
