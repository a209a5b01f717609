"""Millions of hostile datagrams at a real agent: what remains of it, and of its members.

    python -m tests.bench.hostile_datagrams --count 1000000              # plain
    python -m tests.bench.hostile_datagrams --count 1000000 --encrypted

Three agents run as processes. What is sent to one of them is a seeded mixture: datagrams of honest
members that were recorded and are sent again or damaged; forged ones in the names of members and of
nobody; ones that are valid and mean harm; and those of an insider with the key, from its proved
address. They come from several ports, in all of which nobody answers, and from the insider's.
The other two agents say how they hold everybody, and the agent under attack how much memory it
takes, what it refused, and what it has in its log.
"""

from __future__ import annotations

import argparse
import json
import random
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Any
from unittest.mock import patch

from gossipmm.core.life.generation import OwnGenerations
from gossipmm.core.sealing.envelope import CoseEnvelope
from gossipmm.core.sealing.keyring import Keyring
from gossipmm.core.values.types import NodeState
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import encode_page_zero
from gossipmm.core.wire.slim import encode as encode_slim
from gossipmm.keyfile import create, generate
from tests.bench.flood import Agent, hostile
from tests.bench.insider import Insider
from tests.bench.insider_lies import Lie, lies

#: Ports that nobody listens at, datagrams sent in one go, and those prepared and sent in turn.
_PORTS, _AT_ONCE, _PREPARED = 8, 50, 20_000
#: Bytes that wait at the agent above which the sender waits, too: what the kernel drops for lack of
#: room was not hostile to anybody. And datagrams by which ports and insider may be apart.
_WAITING, _APART = 120_000, 400
CORPUS = Path(__file__).parent.parent / "fuzz" / "corpus"


def _forged(insider: Insider, rng: random.Random) -> bytes:
    """Return one valid datagram that means harm, in the name of anybody."""
    victims = insider.victims()
    victim = rng.choice(victims)
    key = insider.key_of(victim.name, victim.generation)
    sender = rng.choice((insider.key, key, rng.getrandbits(64) or 1))
    shape = rng.randrange(6)
    if shape == 0:
        beats = (victim.heartbeat + rng.choice((0, 1, 1 << 20)), rng.getrandbits(20))
        rows = wire.row(key, beats[0] + 1, rng.choice((wire.SUSPECT, wire.DEAD, wire.LEFT)))
        kind = rng.choice((wire.SYN, wire.ACK))
        return encode_slim(kind, (sender, key), rng.getrandbits(64), 7, beats, rows)
    if shape == 1:
        ahead = rng.choice((1 << 16, 3_600_000 << 16, 1 << 58))
        page = encode_page_zero(
            victim.name, victim.generation + ahead, 1, NodeState.UP, (insider.address,), {}
        )
        return insider.frame(sender=sender, _1=[page.raw])
    if shape == 2:
        return insider.frame(sender=sender, _5=[[victim.name, victim.generation + (1 << 16)]])
    if shape == 3:
        return insider.frame(sender=sender, _18=[rng.getrandbits(32), 4000, 0, rng.randbytes(900)])
    if shape == 4:
        return insider.frame(sender=sender, _4=[[key, b""]], _2=[0, b"\0", b""])
    rows = b"".join(
        wire.row(key, victim.heartbeat + n, rng.choice((wire.SUSPECT, wire.DEAD))) for n in range(9)
    )
    return insider.frame(rows, sender=sender)


def mixture(
    insider: Insider, ring: Keyring | None, seed: int = 1
) -> tuple[list[bytes], list[bytes]]:
    """Return what comes from anywhere, and what the insider says, unsealed."""
    rng = random.Random(seed)
    heard = [path.read_bytes() for path in sorted((CORPUS / "decoder").iterdir())]
    elsewhere = hostile(_PREPARED // 4, seed)
    seal = CoseEnvelope(ring, "gossipmm", rng) if ring is not None else None
    while len(elsewhere) < _PREPARED:
        data = rng.choice(heard) if rng.random() < 0.5 else _forged(insider, rng)
        if rng.random() < 0.4:
            at = rng.randrange(len(data))
            data = data[:at] + bytes((data[at] ^ 1 << rng.randrange(8),)) + data[at + 1 :]
        if seal is not None and rng.random() < 0.8:
            data = seal.seal(data, insider.target, 0.0)
        elsewhere.append(data)
    own = list(islice(lies(insider), _PREPARED))
    own += [_forged(insider, rng) for _ in range(_PREPARED)]
    rng.shuffle(own)
    rng.shuffle(elsewhere)
    return elsewhere, own


def measure(count: int, *, encrypted: bool, share: float = 0.3) -> dict[str, Any]:
    """Send so many, ``share`` of them the insider's; return what became of the agents."""
    ring = Keyring((generate(),)) if encrypted else None
    with ExitStack() as stack:
        stack.enter_context(patch.object(OwnGenerations, "renew", lambda *_, **__: None))
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        agents: dict[str, Agent] = {}
        for name in ("a", "b", "c"):
            fields: dict[str, Any] = {"name": name}
            if ring is not None:
                create(f"{folder}/{name}.json", ring)
                fields["keyring"] = f"{folder}/{name}.json"
            if agents:
                host, port = agents["a"].address
                fields["join"] = [f"{host}:{port}"]
            agents[name] = Agent(1.0, **fields)
            stack.callback(agents[name].close)
        insider = Insider("x", agents["a"].address, ring)
        insider.start()
        stack.callback(insider.close)
        _until_all_know(agents, {"a", "b", "c", "x"})
        first = {name: agent.fresh() for name, agent in agents.items()}
        began = time.monotonic()
        sent = _send(count, insider, agents["a"], mixture(insider, ring), share)
        took = time.monotonic() - began
        last = agents["a"].fresh()
        _settle(agents)
        after = {name: agent.fresh() for name, agent in agents.items()}
        return _figures(sent, took, agents, first, last, after)


def _until_all_know(agents: dict[str, Agent], names: set[str]) -> None:
    deadline = time.monotonic() + 60
    while any(set(agent.fresh()["members"]) < names for agent in agents.values()):
        assert time.monotonic() < deadline, "not joined"


def _send(
    count: int,
    insider: Insider,
    agent: Agent,
    mixed: tuple[list[bytes], list[bytes]],
    share: float,
) -> int:
    """Send from all ports in turn, as fast as the agent reads."""
    ports = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(_PORTS)]
    for number, port in enumerate(ports):
        port.bind((f"127.0.0.{2 + number}", 0))
        port.connect(agent.address)
    elsewhere, own = mixed
    mine = chain.from_iterable(repeat(own))
    others = chain.from_iterable(repeat(elsewhere))
    theirs = round(_AT_ONCE * (1 - share))
    its_own = _patient(islice(mine, round(count * share)), agent.address[1])
    insider.attack(its_own, rate=0.0, most=86_400.0)
    sent = 0
    try:
        while sent < count - round(count * share):
            port = ports[sent // theirs % _PORTS]
            for data in islice(others, theirs):
                with suppress(OSError):
                    port.send(data)
            sent += theirs
            while _waiting(agent.address[1]) > _WAITING or (
                sent * share > (insider.sent + _APART) * (1 - share) and not insider.done.is_set()
            ):
                time.sleep(0.001)
        assert insider.done.wait(600), "the insider's part did not end"
    finally:
        for port in ports:
            port.close()
    return sent + insider.sent


def _patient(lies: Iterable[bytes], port: int) -> Lie:
    """Yield them, and nothing for as long as the agent is behind."""
    for number, lie in enumerate(lies):
        while number % 16 == 0 and _waiting(port) > _WAITING:
            yield b""
        yield lie


def _waiting(port: int) -> int:
    """Return the bytes that wait in the socket of a port (Linux)."""
    wanted = f":{port:04X} "
    with open("/proc/net/udp") as table:
        return sum(
            int(line.split()[4].partition(":")[2], 16) for line in table if wanted in line[:30]
        )


def _settle(agents: dict[str, Agent]) -> None:
    """Wait until the honest ones hold each other alive, at most half a minute."""
    deadline = time.monotonic() + 30
    honest = set(agents)
    while time.monotonic() < deadline:
        held = [agent.fresh()["members"] for agent in agents.values()]
        if all(one.get(name) == "alive" for one in held for name in honest):
            return


def _figures(
    sent: int,
    took: float,
    agents: dict[str, Agent],
    first: dict[str, dict[str, Any]],
    last: dict[str, Any],
    after: dict[str, dict[str, Any]],
) -> dict[str, Any]:
    dropped = Counter(last["dropped"])
    dropped.subtract(first["a"]["dropped"])
    pictures = [seen for seen in agents["a"].pictures if seen["at"] >= first["a"]["at"]]
    return {
        "sent": sent,
        "seconds": round(took, 1),
        "sent_per_second": round(sent / took),
        "received": last["received"] - first["a"]["received"],
        "dropped": {reason: number for reason, number in sorted(dropped.items()) if number},
        "cpu_share": round((last["cpu"] - first["a"]["cpu"]) / (last["at"] - first["a"]["at"]), 2),
        "rss_first_mb": round(first["a"]["rss"] / 1e6, 1),
        "rss_most_mb": round(max(seen["rss"] for seen in pictures) / 1e6, 1),
        "rss_last_mb": round(after["a"]["rss"] / 1e6, 1),
        "sent_by_agent_bytes": last["sent_bytes"] - first["a"]["sent_bytes"],
        "deaths": {name: seen["deaths"] - first[name]["deaths"] for name, seen in after.items()},
        "held": {name: seen["members"] for name, seen in after.items()},
        "errors": {name: seen["errors"] for name, seen in after.items()},
        "keys": {name: seen["keys"] for name, seen in after.items()},
    }


def main() -> None:
    """Read the arguments, print the figures as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--share", type=float, default=0.3, help="of them, the insider's")
    parser.add_argument("--encrypted", action="store_true")
    given = parser.parse_args()
    found = measure(given.count, encrypted=given.encrypted, share=given.share)
    json.dump(found, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
