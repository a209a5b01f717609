"""One of twenty real agents turns hostile: what the others make of it, without and with keys.

    python -m tests.bench.hostile_agent                                # all three, a table
    python -m tests.bench.hostile_agent --identity pins --seconds 60

Nineteen agents run as processes on loopback with gossip keys, each with one registration. The
twentieth is a member in this process: it holds the gossip key and, where there are identities, a
valid one of its own. For 15 s it does what an honest one does (idle), and then it lies: twice a
second, in every way that ``hostile_lies`` knows, to four others each time; it answers in the name
of another one from an address of its own, and says of whom others ask it to reach that it has. A
third into that time one of the others is killed; the hostile one goes on telling that it lives.
Each agent looks at its own list ten times a second (``watched_agent``).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from gossipmm.addresses import parse_address
from gossipmm.authority import Authority, Request
from gossipmm.config import Config
from gossipmm.core.life.generation import OwnGenerations
from gossipmm.core.sealing.keyring import Keyring
from gossipmm.core.wire import frame as wire
from gossipmm.identityfile import create_key, load_identity
from gossipmm.keyfile import create, generate
from gossipmm.publickeys import public_key_text
from tests.bench.hostile_lies import LIES
from tests.bench.insider import Insider
from tests.bench.watched_agent import TOPIC

KINDS = ("off", "pins", "authority")
IDLE, TO, RATE = 15.0, 4, 2.0


class Agent:
    """A watched agent in a process of its own."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.name: str = config["name"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.watched_agent", json.dumps(config)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        first = self._read()
        self.bound: str = first["bound"]
        self.generation: int = first["generation"]

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended with {self.process.wait()}")
        found: dict[str, Any] = json.loads(line)
        return found

    def ask(self, line: str = "tell") -> dict[str, Any]:
        """Say a line to it; return what it tells."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self._read()

    def close(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            with suppress(OSError):
                pipe.close()


class Hostile(Insider):
    """A member that is honest until it is told to lie, and beside that goes on as before."""

    def __init__(self, name: str, seed: str, ring: Keyring, config: Config, **more: Any) -> None:
        super().__init__(name, parse_address(seed), ring, config=config, **more)
        self.node.register(TOPIC, name, now=time.monotonic())
        self.killed = ""
        self.lying = False
        self.told = 0
        self._next = 0.0

    def vouch(self) -> None:
        """Say from now on of whom others ask it to reach that it has."""
        node: Any = self.node

        def lie(about: int, seeker: Any, source: Any, frame: wire.Frame) -> None:
            told = {wire.OPT_TARGET: about, wire.OPT_REACHED: True}
            node._outbox.send(wire.HELPED, seeker, address=source, probe=frame.probe, options=told)

        node._parts.probes.help = lie

    def _lie(self) -> bool:
        if not self.lying or (now := time.monotonic()) < self._next:
            return False
        self._next = now + 1 / RATE
        self.told += 1
        victims = self.victims()
        for victim in self.rng.sample(victims, min(TO, len(victims))):
            for lie in LIES:
                for data in lie(self):
                    sealed = self.node._parts.envelope.seal(data, victim.addresses[0], now)
                    with suppress(OSError):
                        self.sock.sendto(sealed, victim.addresses[0])
                        self.sent += 1
                        self.sent_bytes += len(sealed) + 28
        return False


@dataclass
class Cluster:
    """The files, agents and settings of one run."""

    folder: Path
    identity: str
    ring: Keyring
    fields: dict[str, Any]
    agents: list[Agent] = field(default_factory=list)
    authority: Authority | None = None

    def __post_init__(self) -> None:
        if self.identity == "authority":
            self.authority = Authority(str(self.folder / "ca"))
            self.authority.init("gossipmm")

    def settings(self, name: str) -> dict[str, Any]:
        """Make the files of an agent; return its settings."""
        keys = self.folder / f"{name}.keys.json"
        create(str(keys), self.ring)
        said = {"name": name, "bind": "127.0.0.1:0", "control": "none", "register": [TOPIC]}
        said |= {"keyring": str(keys), **self.fields}
        if self.identity == "off":
            return said
        key = str(self.folder / f"{name}.identity")
        public = create_key(key).public
        said |= {"identity": "require", "identity_key": key}
        if self.authority is not None:
            _, path = self.authority.issue(Request(name, public, 1.0), time.time())
            trusted = [public_key_text(self.authority.signer().public)]
            said |= {"certificate": path, "authority": trusted}
        return said

    def start(self, name: str) -> Agent:
        """Start an honest agent."""
        seeds = [self.agents[0].bound] if self.agents else []
        agent = Agent({**self.settings(name), "join": seeds})
        self.agents.append(agent)
        return agent

    def hostile(self, name: str) -> Hostile:
        """Make the member that will lie, or another one that claims the name of an agent."""
        claims = name in self.names()
        config = Config(**self.settings(f"{name}-claimed" if claims else name))
        identity = load_identity(config)
        if claims and identity is not None:  # it has no certificate for that name: it shows none
            identity = replace(identity, certificate=None)
        return Hostile(name, self.agents[0].bound, self.ring, config, identity=identity)

    def names(self) -> set[str]:
        """Return the names of the honest ones."""
        return {agent.name for agent in self.agents}


def measure(
    identity: str, *, nodes: int, seconds: float, idle: float = IDLE, **fields: Any
) -> dict[str, Any]:
    """Run it once; return what the healthy agents saw, and what it cost them."""
    with ExitStack() as stack:
        # It hears of its own lies, too, because of which an honest member begins another life.
        stack.enter_context(patch.object(OwnGenerations, "renew", lambda *_, **__: None))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cluster = Cluster(folder, identity, Keyring((generate(),)), fields)
        for number in range(nodes - 1):
            stack.callback(cluster.start(f"n{number:02}").close)
        liar = cluster.hostile("x")
        liar.start()
        stack.callback(liar.close)
        everybody = {*cluster.names(), "x"}
        for agent in cluster.agents:
            _until(
                agent,
                lambda seen: everybody <= seen["members"].keys() and seen["registered"] == nodes,
            )
        before, quiet = _watch(cluster.agents, idle)
        claimant = cluster.hostile(cluster.agents[2].name)
        stack.callback(claimant.close)
        claimant.start()
        liar.vouch()
        truth = {one.name: [one.bound, one.generation] for one in cluster.agents}
        first = [agent.ask(f"watch {json.dumps(truth)}") for agent in cluster.agents]
        liar.lying = True
        time.sleep(seconds / 3)
        dead = cluster.agents[-1]
        dead.close()
        liar.killed = dead.name
        healthy = cluster.agents[:-1]
        for agent in healthy:
            agent.ask(f"killed {dead.name}")
        time.sleep(seconds * 2 / 3)
        last = [agent.ask() for agent in healthy]
        liar.lying = False
        return _figures(healthy, (before, quiet), (first[:-1], last), liar)


def _watch(agents: list[Agent], seconds: float) -> tuple[list[Any], list[Any]]:
    before = [agent.ask() for agent in agents]
    time.sleep(seconds)
    return before, [agent.ask() for agent in agents]


def _until(agent: Agent, holds: Callable[[dict[str, Any]], bool]) -> None:
    deadline = time.monotonic() + 90
    while not holds(seen := agent.ask()):
        assert time.monotonic() < deadline, f"{agent.name} has not joined: {seen}"
        time.sleep(0.1)


def _rate(first: list[Any], last: list[Any], what: str) -> float:
    """Return by how much a counter rose in a second, in the mean of the agents."""
    rates = [(b[what] - a[what]) / (b["at"] - a["at"]) for a, b in zip(first, last, strict=False)]
    return sum(rates) / len(rates)


def _figures(
    healthy: list[Agent],
    idle: tuple[list[Any], list[Any]],
    lies: tuple[list[Any], list[Any]],
    liar: Hostile,
) -> dict[str, Any]:
    last = lies[1]
    names = {agent.name for agent in healthy}
    deaths = [name for seen in last for name in seen["deaths"] if name in names]
    wrong = {
        what: sorted({name for seen in last for name in seen["wrong"].get(what, ())} & names)
        for what in ("lost", "moved", "another life", "without registrations")
    }
    return {
        "healthy": len(names),
        "false_deaths": len(deaths),
        **{what: len(whom) for what, whom in wrong.items()},
        "new_lives": sum(
            seen["generation"] != agent.generation
            for seen, agent in zip(last, healthy, strict=True)
        ),
        "dead_listed_for": max(seen["gone_after"] for seen in last),
        "invented": max(sum(name.startswith("ghost") for name in seen["members"]) for seen in last),
        "idle_bytes": round(_rate(*idle, "sent_bytes")),
        "bytes": round(_rate(*lies, "sent_bytes")),
        "idle_cpu": round(100 * _rate(*idle, "cpu"), 2),
        "cpu": round(100 * _rate(*lies, "cpu"), 2),
        "lies": liar.sent,
        "lies_bytes": liar.sent_bytes,
    }


COLUMNS = {
    "false_deaths": "false deaths of healthy hosts",
    "lost": "not listed > 2 s",
    "moved": "moved > 2 s",
    "another life": "another life > 2 s",
    "without registrations": "without registrations > 2 s",
    "dead_listed_for": "killed host listed, s",
    "invented": "invented hosts listed at the end",
    "idle_bytes": "B/s a host, idle",
    "bytes": "B/s a host",
    "idle_cpu": "CPU, idle, %",
    "cpu": "CPU, %",
}


def table(found: dict[str, dict[str, Any]]) -> str:
    """Return the results as a table, one column for each kind of identity."""
    lines = [f"| | {' | '.join(found)} |", "|---" * (len(found) + 1) + "|"]
    for key, words in COLUMNS.items():
        cells = (f"{one[key]:,}" for one in found.values())
        lines.append(f"| {words} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Run it for each kind of identity; print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--identity", choices=KINDS, action="append", help="more than once, or all")
    parser.add_argument("--nodes", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=30.0)
    given = parser.parse_args()
    found = {}
    for kind in given.identity or KINDS:
        found[kind] = measure(kind, nodes=given.nodes, seconds=given.seconds)
        print(json.dumps({"identity": kind, **found[kind]}), file=sys.stderr, flush=True)
    print(table(found))


if __name__ == "__main__":
    main()
