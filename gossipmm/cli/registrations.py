"""Commands that change registrations, or report what was learned about one."""

from __future__ import annotations

import json
import signal
import threading
from typing import Any

import click

from gossipmm.cli.base import (
    absent,
    completed,
    completed_hosts,
    done,
    duration,
    names_of_topics,
    output_option,
    say,
    show_json,
    table,
    talks,
)
from gossipmm.client import Client
from gossipmm.text.metadata import metadata_text

__all__ = (
    "ack_alive",
    "expire",
    "pair_of",
    "register",
    "registrations",
    "report_failure",
    "unregister",
)


@click.command()
@click.argument("topic", shell_complete=completed(names_of_topics))
@click.argument("host", required=False, shell_complete=completed_hosts)
@click.option(
    "--ttl",
    type=click.FloatRange(0, 31_536_000, min_open=True),
    metavar="SECONDS",
    help="End this long after the last ack.",
)
@click.option(
    "--metadata",
    metavar="KEY=VALUE",
    multiple=True,
    help="Told to everybody; whole numbers, true and false are taken as such.",
)
@click.option("--draining", is_flag=True, help="Known, but in no new picks.")
@click.option(
    "--keep", is_flag=True, help="Keep running and renew it until Ctrl-C, then unregister it."
)
@talks
@output_option
def register(
    client: Client,
    topic: str,
    host: str | None,
    ttl: float | None,
    metadata: tuple[str, ...],
    draining: bool,
    keep: bool,
    as_json: bool,
) -> None:
    """Register HOST for TOPIC; again: renew it.

    HOST is the agent's own name if it is left out.

    \b
    gossipmm register compute
    gossipmm register web host-a --ttl 30 --metadata port=8080
    gossipmm register web host-a --ttl 10 --keep &     # ends with this command
    """
    values = dict(pair_of(text, "--metadata") for text in metadata)
    host = _host(client, host)
    if keep:
        _keep(client, topic, host, values, 10.0 if ttl is None else ttl)
        return
    client.register(topic, host, values, ttl=ttl, draining=draining)
    if as_json:
        own = client.get("registrations")["registrations"]
        show_json(next(each for each in own if (each["topic"], each["host"]) == (topic, host)))
    else:
        until = "" if ttl is None else f", for {ttl:g} s unless it is acknowledged"
        say(f"registered {topic} of {host}{until}")


def _keep(client: Client, topic: str, host: str, metadata: dict[str, Any], ttl: float) -> None:
    over = threading.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, lambda *_: over.set())
    with client.registered(topic, host, metadata, ttl=ttl):
        say(f"registered {topic} of {host} until this ends", err=True)
        over.wait()


@click.command()
@click.argument("topic", shell_complete=completed(names_of_topics))
@click.argument("host", required=False, shell_complete=completed_hosts)
@talks
@output_option
def unregister(client: Client, topic: str, host: str | None, as_json: bool) -> None:
    """End one registration of the agent.

    All others stay. Exit status 1 if there was none.
    """
    host = _host(client, host)
    if not client.unregister(topic, host):
        absent(f"{topic} of {host} is not registered with this agent")
    done(as_json, f"unregistered {topic} of {host}", unregistered=True, topic=topic, host=host)


@click.command()
@talks
@output_option
def registrations(client: Client, as_json: bool) -> None:
    """Show what is registered with the agent."""
    found = client.get("registrations")["registrations"]
    if as_json:
        show_json(found)
        return
    rows = [
        (
            each["topic"],
            each["host"],
            _state(each),
            "with the agent" if each["ttl"] is None else f"in {duration(each['expires_in'])}",
            metadata_text(each["metadata"]),
        )
        for each in found
    ]
    table(("TOPIC", "HOST", "STATE", "ENDS", "METADATA"), rows)


def _state(own: dict[str, Any]) -> str:
    bits = [word for word in ("draining", "unhealthy") if own.get(word)]
    return ", ".join(bits) or "up"


@click.command()
@click.argument("topic", shell_complete=completed(names_of_topics))
@click.argument("host", required=False, shell_complete=completed_hosts)
@talks
@output_option
def ack_alive(client: Client, topic: str, host: str | None, as_json: bool) -> None:
    """Renew a registration.

    Of one that another agent made: say that its host answered.
    """
    host = _host(client, host)
    if not client.ack_alive(topic, host):
        absent(f"{topic} of {host} is not registered, or has expired: register it again")
    done(as_json, f"acknowledged {topic} of {host}", acknowledged=True, topic=topic, host=host)


@click.command()
@click.argument("topic", shell_complete=completed(names_of_topics))
@click.argument("host", shell_complete=completed_hosts)
@talks
@output_option
def report_failure(client: Client, topic: str, host: str, as_json: bool) -> None:
    """Say that HOST did not answer.

    It is probed now, and others are preferred meanwhile.
    """
    if not client.report_failure(topic, host):
        if any((own.topic, own.host) == (topic, host) for own in client.registrations()):
            absent(
                f"{topic} of {host} is registered with this agent itself: unregister or drain it"
            )
        absent(f"{topic} of {host} is not registered")
    line = f"reported: {topic} of {host} is probed now"
    done(as_json, line, reported=True, topic=topic, host=host)


@click.command()
@click.argument("topic", shell_complete=completed(names_of_topics))
@click.argument("host", shell_complete=completed_hosts)
@talks
@output_option
def expire(client: Client, topic: str, host: str, as_json: bool) -> None:
    """Hide a registration at this agent.

    If it still stands, its owner shows it again.
    """
    if not client.expire(topic, host):
        absent(f"{topic} of {host} is not registered")
    line = f"hidden here: {topic} of {host}; its owner is asked"
    done(as_json, line, hidden=True, topic=topic, host=host)


def _host(client: Client, host: str | None) -> str:
    return client.status().name if host is None else host


def pair_of(text: str, hint: str) -> tuple[str, Any]:
    """Read KEY=VALUE; whole numbers, true and false are taken as such."""
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise click.BadParameter(f"{text!r} is not KEY=VALUE", param_hint=hint)
    try:
        found = json.loads(value)
    except ValueError:
        found = value
    return key, found if isinstance(found, (bool, int)) else value
