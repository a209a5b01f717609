"""The page "five hosts", and what may happen on such hosts in a day, typed as its reader would.

    python -m tests.processes.netns.five_hosts > gossipmm/docs/a-day.md

Five systems boot at a switch, at the addresses of the page; the commands are those of the pages
themselves. Each chapter says what has to be so before the next begins.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from tests.documented import blocks
from tests.house.source import ROOT
from tests.namespaces import cut
from tests.processes.netns.rack import Machine, Rack, Typed

__all__ = ("Day",)

_PAGES = ROOT / "gossipmm/docs/howto"
_SERVICE = """
[[service]]
topic = "web"
port = 9100

[[service.check]]
http = "http://127.0.0.1:9100/"
interval = 1.0
timeout = 0.5
"""
_WEB = """\
[Service]
ExecStart=/opt/python -m http.server 9100 --bind 127.0.0.1 --directory /srv
User=nobody
"""
_HEAD = """\
# A day with five hosts

What an operator sees, recorded: five systems that were set up by [the page for five
hosts](howto/five-hosts.md), with a service that is checked by its agent, and what happened to them.
Made by `python -m tests.processes.netns.five_hosts`; a test plays the same. Each `$` is typed by
root on the host that stands before it.
"""
_KEYS = "/etc/gossipmm/keyring.json"
_OWN_KEYS = "/var/lib/gossipmm/keyring.json"


def _commands(page: str, number: int) -> list[str]:
    """Return the commands of a block of a page, without their comments."""
    lines = blocks(_PAGES / page, "sh")[number].splitlines()
    return [line.partition(" # ")[0].rstrip() for line in lines if line.strip()]


class Day:
    """One day. ``chapters`` collects what was typed, below a heading each."""

    def __init__(self, rack: Rack) -> None:
        self._rack = rack
        self.hosts: list[Machine] = []
        self.chapters: list[tuple[str, list[tuple[str, Typed]]]] = []

    def _chapter(self, words: str) -> None:
        self.chapters.append((words, []))

    def _keep(self, host: Machine, typed: Typed) -> Typed:
        self.chapters[-1][1].append((host.name, typed))
        return typed

    def type(self, host: Machine, *commands: str, status: int = 0) -> str:
        """Type commands; return what the last one said. Raises AssertionError on its status."""
        for command in commands:
            typed = self._keep(host, host.type(command))
            assert typed.status == status, typed
        return typed.said

    def until(self, host: Machine, command: str, *words: str, status: int = 0) -> str:
        """Type a command until it says these words. Raises AssertionError."""
        return self._keep(host, host.shows(command, *words, status=status)).said

    def boot(self) -> None:
        """Boot five systems with the configuration of the page, and one service more."""
        config = blocks(_PAGES / "five-hosts.md", "toml")[0]
        for number in range(1, 6):
            host = self._rack.prepare(f"host-{number}", f"10.0.0.{number}/24")
            host.write("etc/gossipmm.toml", config + _SERVICE)
            host.write("etc/systemd/system/web.service", _WEB)
            (host.root / "usr/local/bin/gossipmm").symlink_to("/opt/gossipmm")
            self.hosts.append(host)
        self._rack.boot()

    def set_up(self) -> None:
        """Set the agents up by the page, and wait until all know all."""
        first, *others = self.hosts
        self._chapter("Setting up")
        self.type(first, *_commands("five-hosts.md", 1), *_commands("five-hosts.md", 2))
        keys = (first.root / _KEYS[1:]).read_text()
        for host in others:
            host.write(_KEYS[1:], keys).chmod(0o600)
        for host in self.hosts:
            host.type("systemctl start web")
            unit = _commands("five-hosts.md", 3)
            if host is first:
                self.type(host, *unit)
            else:
                for command in unit:
                    assert host.type(command).status == 0, host.session[-1]
        check, *more = _commands("five-hosts.md", 4)
        assert "TROUBLE" not in self.until(first, check, "4 of 4 live peers")
        said = self.type(first, *more)
        assert re.findall(r"\thost-(\d)", said) == ["1", "2", "3", "4", "5"], said

    def service_fails(self) -> None:
        """Stop the service of one host; start it again."""
        first, fifth = self.hosts[0], self.hosts[-1]
        self._chapter("A service fails its check")
        self.type(fifth, "systemctl stop web")
        self.until(first, "gossipmm topics web", "unhealthy")
        assert "host-5" not in self.type(first, "gossipmm queues fanout~web")
        assert "host-5" in self.type(first, "gossipmm queues fanout~compute")
        assert "checks fail: host-5 can say why" in self.type(first, "gossipmm why host-5")
        assert "connection refused" in self.type(fifth, "gossipmm services web", status=1)
        self.type(fifth, "systemctl start web")
        self.until(first, "gossipmm queues fanout~web", "host-5")

    def host_is_cut_off(self) -> None:
        """Cut one host off, and let it back."""
        first, *_, fifth = self.hosts
        self._chapter("A host is cut off")
        others = [each.host for each in self.hosts[:-1]]
        self._rack.switch.rules(*cut([fifth.host], others))
        self.until(fifth, "gossipmm status --check", "ISOLATED", status=1)
        self.until(first, "gossipmm members", "dead")
        assert "host-5" not in self.type(first, "gossipmm queues fanout~compute")
        assert "dead" in self.type(first, "gossipmm why host-5")
        self._rack.switch.rules()
        self.until(fifth, "gossipmm status --check", "5 alive")
        self.until(first, "gossipmm queues fanout~compute", "host-5")

    def upgrade(self) -> None:
        """Upgrade one host as the page says, but for the installation itself."""
        first, second = self.hosts[:2]
        self._chapter("A host is upgraded")
        commands = [each for each in _commands("upgrade.md", 0) if "/pip " not in each]
        self.type(second, *commands[:-1])
        self.until(second, commands[-1], "4 of 4 live peers")
        self.until(first, "gossipmm queues fanout~compute", "host-2")

    def evict(self) -> None:
        """Give four hosts a new key, and leave the fifth outside."""
        first, *others, fifth = self.hosts
        self._chapter("A host is evicted")
        add, rotate = _commands("keys.md", 2), _commands("keys.md", 3)
        self.type(first, *add)
        keys = first.type(f"cat {_OWN_KEYS}").said
        for host in others:
            # As scp does: into the file that is there, which keeps its owner.
            written = host.type(f"cat > {_OWN_KEYS} <<'END'\n{keys}END")
            assert written.status == 0, written
        self.type(first, *rotate[:1])
        self.until(first, "gossipmm members", "dead")
        assert "host-5" not in self.type(first, "gossipmm queues fanout~compute")
        self.type(first, "gossipmm keys list")
        self.until(fifth, "gossipmm status --check", "ISOLATED", status=1)
        for host in (first, *others):
            self.until(host, "gossipmm status --check", "4 alive")
        self.type(first, "systemctl restart gossipmm")
        self.until(first, "gossipmm status --check", "3 of 3 live peers")

    def play(self) -> None:
        """Play all of it. Raises AssertionError, with what was typed last."""
        self.boot()
        self.set_up()
        self.service_fails()
        self.host_is_cut_off()
        self.upgrade()
        self.evict()

    def page(self) -> str:
        """Return the day as a page of the book."""
        lines = [_HEAD]
        for words, typed in self.chapters:
            lines.append(f"## {words}\n\n```text")
            for host, (command, status, said) in typed:
                lines.append(f"{host}$ {command}")
                lines += [line.rstrip() for line in said.strip("\n").splitlines()]
                if status:
                    lines.append(f"(exit status {status})")
                lines.append("")
            lines[-1] = "```\n"
        return "\n".join(lines).rstrip("\n") + "\n"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, Rack(Path(folder)) as rack:
        day = Day(rack)
        try:
            day.play()
        finally:
            sys.stdout.write(day.page())
