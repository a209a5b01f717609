"""Questions on standard input: a line is a key, or a command; the answer is a line on stdout."""

from __future__ import annotations

import errno
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from typing import Any

import trio

from gossipmm.addresses import format_address, parse_registration
from gossipmm.agent import Agent
from gossipmm.errors import GossipError
from gossipmm.text.durations import duration
from gossipmm.text.evidence import detail, sentence
from gossipmm.text.members import why_status
from gossipmm.text.summary import summary
from gossipmm.text.terminal import printable

__all__ = ("Console", "lines_of")

_HELP = """\
KEY                    the answer to a key: TOPIC, TOPIC.HOST or fanout~TOPIC
queues KEY             the same, for a topic named like a command
members                all members and how they are
topics                 all topics and their hosts
why NAME               what was said of a member, and which node said it
register TOPIC[=HOST]  register (HOST: this node's name)
unregister TOPIC[=HOST]
registrations          what is registered here
drain [TOPIC[=HOST]]   out of new picks: a host, all hosts of a topic, or this whole node
undrain [TOPIC[=HOST]]
ack_alive TOPIC=HOST   a host answered; a registration made here is renewed
report_failure TOPIC=HOST
                       a host did not answer: it is probed now, others are preferred
expire TOPIC=HOST      hide a registration here, and ask its owner
forget NAME            remove a dead or left member everywhere
send_event NAME [PAYLOAD]
                       tell all members, once
join SEED...           add seeds (HOST:PORT)
help                   this"""


class Console:
    """Answers lines. ``say`` takes each line of an answer; with ``as_json`` it is one object."""

    def __init__(self, agent: Agent, say: Callable[[str], None], *, as_json: bool) -> None:
        self._agent = agent
        self._say = say
        self._json = as_json
        self._commands: dict[str, Callable[[str], tuple[Any, str]]] = {
            "ack_alive": self._ack_alive,
            "drain": self._drain,
            "expire": self._expire,
            "forget": self._forget,
            "help": lambda _: (_HELP, _HELP),
            "join": self._join,
            "members": self._members,
            "queues": self._queues,
            "register": self._register,
            "registrations": self._registrations,
            "report_failure": self._report_failure,
            "send_event": self._send_event,
            "topics": self._topics,
            "undrain": self._undrain,
            "unregister": self._unregister,
            "why": self._why,
        }

    def take(self, line: str) -> None:
        """Answer one line; an error is also an answer."""
        word, _, rest = line.strip().partition(" ")
        if not word:
            return
        command = self._commands.get(word)
        try:
            value, text = command(rest.strip()) if command else self._queues(line.strip())
        except GossipError as exc:
            value, text = {"error": str(exc)}, f"error: {exc}"
        if self._json:
            self._say(json.dumps({"asked": line.strip(), "answer": value}))
        else:
            self._say("\n".join(printable(part) for part in text.split("\n")))

    def _queues(self, key: str) -> tuple[Any, str]:
        found = self._agent.queues(key)
        status = self._agent.lookup(key).status.value
        hosts = ", ".join(str(host) for _, host in found) or "nobody"
        note = "" if status == "ok" else f"  ({status.replace('_', ' ')})"
        return {"queues": found, "status": status}, f"{key} -> {hosts}{note}"

    def _members(self, _: str) -> tuple[Any, str]:
        now = self._agent.now()
        rows, lines = [], []
        for view in self._agent.members():
            addresses = ", ".join(format_address(address) for address in view.addresses)
            status = view.status.label
            if view.node_state.name == "DRAINING":
                status += " (draining)"
            rows.append({"name": view.name, "status": status, "addresses": addresses})
            heard = (
                "this node" if view.name == self._agent.name else f"{now - view.heard:.1f} s ago"
            )
            count = f"{view.registrations} registrations"
            line = f"{view.name:<20} {status:<10} {addresses:<22} {count}, heard of {heard}"
            lines.append(
                line.replace("heard of this node", "this node")
                + _because(why_status(view, self._agent.why, self._agent.name))
            )
        return rows, "\n".join(lines)

    def _topics(self, _: str) -> tuple[Any, str]:
        views = sorted(self._agent.table.topics.items())
        found = {
            topic: {host: entry.state.label for host, entry in sorted(view.entries.items())}
            for topic, view in views
        }
        lines = [
            f"{topic}: " + (", ".join(f"{h} {state}" for h, state in hosts.items()) or "nobody")
            for topic, hosts in found.items()
        ]
        return found, "\n".join(lines) or "no topics"

    def _why(self, name: str) -> tuple[Any, str]:
        trail, view = self._agent.why(name), self._agent.member(name)
        if view is None:
            return [], f"nothing known of {name!r}"
        now, me = self._agent.now(), self._agent.name
        said = [sentence(line, me, name) for line in trail]
        found = [
            {**line._asdict(), "facts": dict(line.facts), "detail": detail(line), "text": text}
            for line, text in zip(trail, said, strict=True)
        ]
        lines = [
            f"{duration(now - line.at) + ' ago':>18}  {text}"
            for line, text in zip(trail, said, strict=True)
        ]
        return found, "\n".join([summary(view, trail, me, now), *lines])

    def _register(self, text: str) -> tuple[Any, str]:
        topic, host = parse_registration(text, path="")
        self._agent.register(topic, host)
        return True, f"registered {topic} for {host or self._agent.name}"

    def _unregister(self, text: str) -> tuple[Any, str]:
        topic, host = parse_registration(text, path="")
        known = self._agent.unregister(topic, host)
        return known, "unregistered" if known else f"{text} was not registered here"

    def _registrations(self, _: str) -> tuple[Any, str]:
        rows, lines = [], []
        for own in self._agent.registrations():
            state = own.state.name.lower()
            rows.append({**own._asdict(), "metadata": dict(own.metadata), "state": state})
            ends = "" if own.left is None else f", {own.left:.1f} s left"
            lines.append(f"{own.topic} of {own.host}: {state}{ends}")
        return rows, "\n".join(lines) or "nothing is registered here"

    def _pair(self, text: str) -> tuple[str, str]:
        topic, host = parse_registration(text)
        return topic, self._agent.name if host is None else host

    def _ack_alive(self, text: str) -> tuple[Any, str]:
        known = self._agent.ack_alive(*self._pair(text))
        return known, "acknowledged" if known else f"nobody registers {text}"

    def _report_failure(self, text: str) -> tuple[Any, str]:
        known = self._agent.report_failure(*self._pair(text))
        return known, "it is probed now" if known else f"no other node registers {text}"

    def _expire(self, text: str) -> tuple[Any, str]:
        known = self._agent.expire(*self._pair(text))
        return known, "hidden here" if known else f"nobody registers {text}"

    def _forget(self, name: str) -> tuple[Any, str]:
        closed = self._agent.forget(name)
        return closed, "forgotten" if closed else f"no dead or left member is called {name!r}"

    def _send_event(self, text: str) -> tuple[Any, str]:
        name, _, payload = text.partition(" ")
        number = self._agent.send_event(name, payload)
        return number, f"event {name} is on its way (number {number})"

    def _join(self, seeds: str) -> tuple[Any, str]:
        self._agent.join(*seeds.split())
        return True, "asking; the agent logs who answers"

    def _drain(self, text: str, *, draining: bool = True) -> tuple[Any, str]:
        topic, host = parse_registration(text, path="") if text else (None, None)
        changed = self._agent.drain(topic, host, draining=draining)
        return changed, f"{changed} changed"

    def _undrain(self, text: str) -> tuple[Any, str]:
        return self._drain(text, draining=False)


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


async def lines_of(fd: int) -> AsyncIterator[str]:
    """Yield the lines of a terminal or pipe; returns at its end, and never blocks the agent.

    A process in the background does not read its terminal (that would stop it, SIGTTIN).
    """
    signal.signal(signal.SIGTTIN, signal.SIG_IGN)
    rest = b""
    while True:
        try:
            await trio.lowlevel.wait_readable(fd)
        except OSError:  # a plain file: epoll has no use for it, and reading does not wait
            await trio.lowlevel.checkpoint()
        try:
            if os.isatty(fd) and os.tcgetpgrp(fd) != os.getpgrp():
                await trio.sleep(1.0)
                continue
            data = os.read(fd, 65536)
        except OSError as exc:
            if exc.errno not in (errno.EIO, errno.EAGAIN, errno.EINTR):
                return
            await trio.sleep(1.0)
            continue
        if not data:
            return
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            yield line.decode(errors="replace")
