"""The commands, together. Each is imported when it is used, Trio only by those that run agents."""

from __future__ import annotations

from importlib import import_module

import click

__all__ = ("cli",)

#: Section of the help -> command -> module that has it under that name (``-`` becomes ``_``).
_SECTIONS: dict[str, dict[str, str]] = {
    "Run an agent": {
        "agent": "agent",
        "demo": "demo",
    },
    "Look": {
        "queues": "lookups",
        "lookup": "lookups",
        "topics": "lookups",
        "members": "members",
        "why": "lookups",
        "rtt": "distances",
        "services": "services",
        "status": "state",
        "query": "query",
        "info": "state",
        "diff": "state",
        "watch": "watch",
        "monitor": "monitor",
        "top": "top",
    },
    "Change": {
        "register": "registrations",
        "unregister": "registrations",
        "registrations": "registrations",
        "ack-alive": "registrations",
        "report-failure": "registrations",
        "expire": "registrations",
        "drain": "drains",
        "undrain": "drains",
        "metadata": "metadata",
        "event": "user_events",
        "check": "services",
        "join": "operations",
        "leave": "operations",
        "forget": "operations",
        "keys": "keys",
        "log-level": "operations",
    },
    "Set up": {
        "docs": "docs",
        "config": "config",
        "keygen": "keygen",
        "identity": "identity",
        "ca": "ca",
        "ring": "ring",
        "systemd-unit": "setup",
        "kubernetes": "setup",
        "dockerfile": "setup",
        "alerts": "setup",
        "dashboard": "setup",
        "completion": "setup",
    },
}
_MODULES = {name: module for section in _SECTIONS.values() for name, module in section.items()}
#: Names that commands had, for scripts that use them.
_ALIASES = {"ack": "ack-alive", "failure": "report-failure"}


class _Late(click.Group):
    """A group that imports a command when somebody wants it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, _behind(self, ctx, args))

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        cmd_name = _ALIASES.get(cmd_name, cmd_name)
        module = _MODULES.get(cmd_name)
        if module is None:
            return None
        command = getattr(import_module(f"gossipmm.cli.{module}"), cmd_name.replace("-", "_"))
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, names in _SECTIONS.items():
            rows = []
            for name in names:
                command = self.get_command(ctx, name)
                if command is not None:
                    rows.append((name, command.get_short_help_str(formatter.width - 16)))
            with formatter.section(title):
                formatter.write_dl(rows, col_spacing=4)


#: Options of commands that may stand in front of the command as well; each takes a value.
_GLOBAL = ("--control", "-o", "--output")


def _behind(group: click.Group, context: click.Context, args: list[str]) -> list[str]:
    """Put global options that stand in front of the command behind it, where it takes them."""
    front, rest = [], list(args)
    while rest and rest[0].partition("=")[0] in _GLOBAL:
        name, equals, value = rest.pop(0).partition("=")
        front.append("-o" if name == "--output" else name)  # which all commands call so
        if equals or rest:
            front.append(value if equals else rest.pop(0))
    if not front:
        return args
    path = []
    command: click.Command | None = group
    while rest and isinstance(command, click.Group) and not rest[0].startswith("-"):
        command = command.get_command(context, rest[0])
        path.append(rest.pop(0))
    return [*path, *front, *rest]


def _compiled() -> bool:
    """Return whether the core is the one that mypyc compiled."""
    from importlib.util import find_spec

    found = find_spec("gossipmm.core.table.table")
    return found is not None and not str(found.origin).endswith(".py")


def _version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from gossipmm.version import installed_version

        click.echo(f"gossipmm {installed_version()}{' (compiled)' if _compiled() else ''}")
        context.exit()


@click.group(cls=_Late, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version)
def cli() -> None:
    """Live hosts by topic, with no server: gossip-based membership and matchmaking.

    The commands below "Look" and "Change" talk to an agent on this machine: the one that
    --control or GOSSIPMM_CONTROL names, else the only one that runs here. Options that most of them
    have (--control, -o) may also stand in front of the command.

    \b
    Exit status: 0 fine, 1 what was asked for is not there (or not so), 2 wrong use,
    3 no agent answers. JSON (-o json) goes to stdout, messages to stderr.
    """
