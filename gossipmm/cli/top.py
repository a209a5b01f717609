"""``gossipmm top``: members, topics, agreement and events, live in a terminal."""

from __future__ import annotations

import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

import click

from gossipmm.cli.base import duration, talks
from gossipmm.cli.keyboard import keyboard
from gossipmm.client import Client
from gossipmm.errors import AgentUnreachableError, ControlError
from gossipmm.text.durations import moment
from gossipmm.text.metadata import metadata_text
from gossipmm.text.terminal import cleaned, printable

if TYPE_CHECKING:
    from rich.console import Group, RenderableType

__all__ = ("top",)

_COLOURS = {
    "alive": "green",
    "live": "green",
    "suspect": "yellow",
    "doubted": "yellow",
    "returning": "yellow",
    "probation": "yellow",
    "stale": "yellow",
    "draining": "cyan",
    "dead": "red",
}
#: Events kept for the last lines of the screen.
_EVENTS = 8
#: The worst first.
_ORDER = ("suspect", "returning", "probation", "dead", "unknown", "alive", "left")


@click.command()
@click.option(
    "--interval", type=click.FloatRange(0.1, 60), default=1.0, help="Seconds between pictures.  [1]"
)
@click.option("--once", is_flag=True, help="Print one picture and exit.")
@talks
def top(client: Client, interval: float, once: bool) -> None:
    """Show everything as it changes.

    Members, topics, agreement of tables, traffic and events. Keys: q ends it, p holds the picture,
    a shows all members or only those that are not well.
    """
    from rich.console import Console
    from rich.live import Live

    screen = _Screen(client)
    console = Console()
    if once or not sys.stdout.isatty():
        console.print(screen.picture(10_000))
        return
    picture = screen.picture(console.height)
    threading.Thread(target=screen.listen, name="gossipmm events", daemon=True).start()
    try:
        with (
            Live(picture, console=console, screen=True, auto_refresh=False) as live,
            keyboard() as pressed,
        ):
            while screen.react(pressed(interval)):
                if not screen.held:
                    live.update(screen.picture(console.height), refresh=True)
    except KeyboardInterrupt:
        return


class _Screen:
    """What is shown, and what has to be remembered from one picture to the next."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._events: deque[str] = deque(maxlen=_EVENTS)
        self._before: tuple[float, int, int] | None = None
        self._all = True
        #: The picture stays as it is.
        self.held = False

    def react(self, key: str) -> bool:
        """Do what a key is for; False: to end."""
        if key == "p":
            self.held = not self.held
        elif key == "a":
            self._all, self.held = not self._all, False
        return key != "q"

    def listen(self) -> None:
        """Gather events for ever, in a thread of its own."""
        for event in self._client.watch():
            if "text" in event:
                self._events.append(f"{moment(event['time'])}  {printable(event['text'])}")

    def picture(self, height: int) -> RenderableType:
        """Ask and draw. Once an agent was reached, its absence is shown, not raised."""
        try:
            status = cleaned(self._client.get("status"))
            members = cleaned(self._client.get("members")["members"])
            topics = cleaned(self._client.get("topics")["topics"])
        except (AgentUnreachableError, ControlError) as exc:
            if self._before is None:
                raise
            from rich.text import Text

            return Text(f"{exc}; trying again", style="red")
        return self._draw(status, members, topics, height)

    def _draw(
        self,
        status: dict[str, Any],
        members: list[dict[str, Any]],
        topics: list[dict[str, Any]],
        height: int,
    ) -> Group:
        from rich.console import Group
        from rich.text import Text

        if not self._all:
            members = [each for each in members if each["status"] != "alive" or each["draining"]]
        room = max(6, height - len(self._events) - 10)
        members.sort(key=lambda member: (_ORDER.index(member["status"]), member["name"]))
        for_topics = min(len(topics), max(2, room // 3))
        parts: list[RenderableType] = [
            self._head(status),
            _members(members, max(3, room - for_topics)),
            _topics(topics, for_topics),
        ]
        parts += [Text(line, style="dim", no_wrap=True) for line in self._events]
        which = "all members" if self._all else "only members that are not well"
        parts.append(Text(f"{which}   q quit   p hold   a all or not", style="reverse dim"))
        return Group(*parts)

    def _head(self, status: dict[str, Any]) -> RenderableType:
        from rich.text import Text

        sent, received = self._rates(status)
        peers = status["agree"] + status["unheard"] + len(status["differ"])
        agreement = f"{status['agree']} of {peers} peers agree"
        if status["differ"]:
            agreement += ", not " + ", ".join(
                f"{peer['name']} ({duration(peer['since_ago'])})" for peer in status["differ"][:4]
            )
        text = Text()
        text.append(f"{status['name']}", style="bold")
        text.append(f"  {status['cluster']}  up {duration(status['uptime'])}  ")
        text.append(agreement, style="yellow" if status["differ"] else "green")
        text.append(f"  {sent:.0f} B/s out  {received:.0f} B/s in")
        if not status["joined"]:
            text.append("  NOT JOINED", style="bold red")
        return text

    def _rates(self, status: dict[str, Any]) -> tuple[float, float]:
        traffic = status["traffic"]
        now = (status["uptime"], traffic["sent_bytes"], traffic["received_bytes"])
        before, self._before = self._before, now
        if before is None or now[0] <= before[0]:
            return now[1] / max(now[0], 1e-3), now[2] / max(now[0], 1e-3)
        seconds = now[0] - before[0]
        return (now[1] - before[1]) / seconds, (now[2] - before[2]) / seconds


def _members(members: list[dict[str, Any]], room: int) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    table = Table("member", "status", "for", "heard ago", "address", "notes", box=None, expand=True)
    for member in members[:room]:
        status = Text(member["status"], style=_COLOURS.get(member["status"], "dim"))
        if member["draining"]:
            status.append(" draining", style="cyan")
        notes = "; ".join(
            note for note in (member["reason"], metadata_text(member["metadata"])) if note
        )
        table.add_row(
            Text(member["name"] + (" *" if member["self"] else "")),
            status,
            duration(member["since_ago"]),
            "" if member["self"] else duration(member["heard_ago"]),
            Text(", ".join(member["addresses"])),
            Text(notes),
        )
    if len(members) > room:
        table.add_row(f"and {len(members) - room} more")
    return table


def _topics(topics: list[dict[str, Any]], room: int) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    table = Table("topic", "hosts", box=None, expand=True)
    for topic in topics[:room]:
        hosts = Text(no_wrap=True, overflow="ellipsis")
        for host in topic["hosts"]:
            hosts.append(host["host"] + " ", style=_COLOURS.get(host["state"], "dim"))
        table.add_row(Text(topic["topic"]), hosts if topic["hosts"] else Text("nobody"))
    if len(topics) > room:
        table.add_row(f"and {len(topics) - room} more")
    return table
