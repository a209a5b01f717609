"""Pages made from the program itself: what is written twice is wrong once."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import click
import trio
from prometheus_client.parser import text_string_to_metric_families

__all__ = ("PAGES",)


def _cell(text: object) -> str:
    """Return a text for a cell of a table: one line, its bars escaped."""
    return re.sub(r"\s+", " ", str(text)).replace("|", "\\|").replace("``", "`")


def _fields() -> str:
    from gossipmm.cli.config import descriptions
    from gossipmm.config import PRESETS, Config
    from gossipmm.config_ranges import RANGES

    default = Config()
    lines = [
        "# Every field",
        "",
        "`gossipmm config fields` prints the same. [Configuration](../configuration.md) says how "
        "to set them.",
    ]
    for name, text in descriptions().items():
        lines += ["", f"## {name}", "", text.replace("``", "`")]
        value = getattr(default, name)
        lines += ["", f"* Default: `{value!r}`" if value != "" else "* Default: empty"]
        if allowed := RANGES.get(name):
            lines.append(f"* Unit: {allowed.unit}; {allowed.low:g} to {allowed.high:g}")
            lines.append(f"* Raising it: {allowed.raising}")
        for preset, changes in PRESETS.items():
            if name in changes:
                lines.append(f"* Preset `{preset}`: `{changes[name]!r}`")
    return "\n".join(lines) + "\n"


def _commands() -> str:
    from gossipmm.cli.app import cli

    lines = [
        "# Commands",
        "",
        "Exit status: 0 fine, 1 what was asked for is not there (or not so), 2 wrong use, 3 no "
        "agent answers. JSON (`-o json`) goes to stdout, messages to stderr.",
    ]
    with click.Context(cli, info_name="gossipmm") as context:
        for command in _all(cli, context):
            lines += ["", f"## {command.command_path}", "", "```text", _help(command), "```"]
    return "\n".join(lines) + "\n"


def _all(group: click.Group, context: click.Context) -> Iterator[click.Context]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        found = click.Context(command, info_name=name, parent=context, max_content_width=96)
        yield found
        if isinstance(command, click.Group):
            yield from _all(command, found)


def _help(context: click.Context) -> str:
    return click.unstyle(context.command.get_help(context))


def _http() -> str:
    from gossipmm.sidecar.api.app import ENDPOINTS
    from gossipmm.sidecar.api.openapi import document

    lines = [
        "# HTTP",
        "",
        "`/v1/openapi.json` has the same for programs, with the shapes of all bodies. "
        "[An agent beside programs](../sidecar.md) shows it at work. An error is problem+json "
        "(RFC 9457).",
    ]
    for path, methods in document(ENDPOINTS)["paths"].items():
        for method, operation in methods.items():
            lines += ["", f"## {method.upper()} {path}", "", operation["summary"] + "."]
            if text := operation.get("description"):
                lines += ["", text]
            if parameters := operation.get("parameters"):
                lines += ["", "| parameter | in | meaning |", "|---|---|---|"]
                lines += map(_parameter, parameters)
            answers = operation["responses"].items()
            lines += ["", "| status | |", "|---|---|"]
            lines += [f"| {status} | {_cell(each['description'])} |" for status, each in answers]
    return "\n".join(lines) + "\n"


def _parameter(parameter: dict[str, Any]) -> str:
    name = f"`{parameter['name']}`" + (" (needed)" if parameter.get("required") else "")
    return f"| {name} | {parameter['in']} | {_cell(parameter.get('description', ''))} |"


def _events() -> str:
    from gossipmm import events

    lines = [
        "# Events",
        "",
        "What `watch` tells, in Python as values of `gossipmm.events`, over HTTP and on the "
        "command line as JSON with the kind under `event`. `at` is when it happened, in seconds of "
        "the agent's own clock.",
    ]
    for name in events.__all__:
        kind = getattr(events, name)
        if not dataclasses.is_dataclass(kind) and not hasattr(kind, "__annotations__"):
            continue
        told = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
        lines += ["", f"## {name}", "", f"In JSON: `{told}`.", "", _paragraphs(kind.__doc__ or "")]
        lines += ["", "| field | type |", "|---|---|"]
        lines += [f"| `{field}` | `{_cell(of)}` |" for field, of in kind.__annotations__.items()]
    return "\n".join(lines) + "\n"


def _paragraphs(docstring: str) -> str:
    import inspect

    return inspect.cleandoc(docstring).replace("``", "`")


def _metrics() -> str:
    text = trio.run(_scrape)
    alerts = (files("gossipmm.sidecar.ops") / "shipped" / "alerts.yml").read_text()
    lines = [
        "# Metrics and alerts",
        "",
        "`/metrics` has all of these, on the control socket and at `health_bind`. No label names a "
        "node, a host or a topic: the number of series does not grow with the cluster. "
        "`gossipmm alerts` prints rules for Prometheus, `gossipmm dashboard` a dashboard for "
        "Grafana.",
        "",
        "| metric | type | labels | meaning | alert |",
        "|---|---|---|---|---|",
    ]
    used = re.findall(r"- alert: (\w+)\n(.*?)(?=\n\s+- alert|\Z)", alerts, re.S)
    for family in text_string_to_metric_families(text):
        name = family.name + ("_total" if family.type == "counter" else "")
        labels = sorted({label for sample in family.samples for label in sample.labels} - {"le"})
        named = [alert for alert, rule in used if re.search(rf"\b{name}\b", rule)]
        cells = (f"`{name}`", family.type, ", ".join(labels), _cell(family.documentation))
        lines.append(f"| {' | '.join(cells)} | {', '.join(named)} |")
    lines += ["", "## The alerts", "", "| alert | says | run |", "|---|---|---|"]
    for alert, rule in used:
        told = re.search(r"summary: (?:>-)?\s*(.*?)\n\s+run: (.*)", rule, re.S)
        assert told
        lines.append(f"| `{alert}` | {_cell(told[1].strip(chr(34)))} | {_cell(told[2])} |")
    return "\n".join(lines) + "\n"


async def _scrape() -> str:
    """Return what an agent that knows nobody exposes."""
    from gossipmm.agent import open_agent
    from gossipmm.config import Config
    from gossipmm.sidecar.ops.metrics import render
    from tests.agent.memory_network import Air

    async with Air() as air, open_agent(Config(name="a"), network=air.host()) as agent:
        return render(agent).decode()


def _python() -> str:
    lines = [
        "# Python",
        "",
        "What `from gossipmm import ...` gives, and the faces for other loops and for clients. "
        "[In a Python program](../embedding.md) has an example of each.",
    ]
    for name in (
        *("gossipmm.MatchMakerGossip", "gossipmm.open_agent", "gossipmm.Agent", "gossipmm.Config"),
        *("gossipmm.load_config", "gossipmm.Lookup", "gossipmm.FoundHost", "gossipmm.HostEntry"),
        *("gossipmm.MemberView", "gossipmm.Registration", "gossipmm.TopicView"),
        *("gossipmm.embed.asyncio", "gossipmm.embed.child.ChildMatchMaker"),
        *("gossipmm.client.Client", "gossipmm.client.trio.TrioClient"),
        *("gossipmm.matchmaker", "gossipmm.errors"),
    ):
        lines += ["", f"::: {name}"]
    return "\n".join(lines) + "\n"


#: Name of the page in the book -> what makes it.
PAGES = {
    "reference/fields.md": _fields,
    "reference/commands.md": _commands,
    "reference/http.md": _http,
    "reference/events.md": _events,
    "reference/metrics.md": _metrics,
    "reference/python.md": _python,
}
