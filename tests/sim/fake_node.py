"""A stand-in for the core: heartbeats of everybody, gossiped as JSON. Only for engine tests."""

from __future__ import annotations

import json
from collections import deque
from types import SimpleNamespace
from typing import Any

from gossipmm.core.values.events import HostChanged, LeaveFinished, MemberDied, MemberJoined
from gossipmm.core.values.types import HostState, MemberView, NodeState, Status


class FakeNode:
    """The five verbs: each second a full table to one random peer; death after five silent ones."""

    def __init__(self, config, *, name, addresses, generation, rng, now, **_):
        self.config, self.name, self.addresses = config, name, addresses
        self.generation, self.rng, self.heartbeat = generation, rng, 0
        self.records: dict[str, Any] = {}
        self.heard: dict[str, float] = {}
        self.dead: set[str] = set()
        self.topics: dict[str, str] = {}
        self.seeds: list[Any] = []
        self.out: list[Any] = []
        self.events: deque[Any] = deque()
        self.due = now + rng.random()
        self.failed = 0
        self.stats = SimpleNamespace(as_dict=dict)
        self._record(now)

    @property
    def table(self):
        live = {n: r for n, r in self.records.items() if n not in self.dead}
        return SimpleNamespace(
            topics={},
            joined=True,
            fingerprint=hash_of(json.dumps(sorted(live)).encode()),
            live_count=lambda: len(live),
        )

    def _record(self, now):
        self.records[self.name] = [self.heartbeat, list(self.addresses[0]), self.topics]
        self.heard[self.name] = now

    def receive_datagram(self, data, source, now):
        try:
            rows = json.loads(data)
        except ValueError:
            return
        for name, row in rows.items():
            known = self.records.get(name)
            if name == self.name or (known and known[0] >= row[0]):
                continue
            if known is None or name in self.dead:
                self.events.append(MemberJoined(now, name, 1, (tuple(row[1]),)))
            for topic in row[2]:
                if known is None or topic not in known[2]:
                    self.events.append(HostChanged(now, topic, name, HostState.LIVE, None))
            self.dead.discard(name)
            self.records[name] = row
            self.heard[name] = now

    def handle_timer(self, now):
        assert now >= self.due
        self.due = now + 1.0
        self.heartbeat += 1
        self._record(now)
        for name, heard in self.heard.items():
            if name != self.name and now - heard > 5.0 and name not in self.dead:
                self.dead.add(name)
                self.events.append(MemberDied(now, name, 1, 0, (self.name,)))
        peers = [tuple(r[1]) for n, r in self.records.items() if n != self.name]
        peers += [seed for seed in self.seeds if seed not in self.addresses]
        live = {n: r for n, r in self.records.items() if n not in self.dead}
        if peers:
            self.out.append((json.dumps(live).encode(), peers[int(self.rng.random() * len(peers))]))

    def next_timer(self):
        return self.due

    def datagrams_to_send(self):
        out, self.out = self.out, []
        return out

    def next_event(self):
        return self.events.popleft() if self.events else None

    def join(self, addresses, now):
        self.seeds = list(addresses)

    def register(self, topic, host, metadata=None, *, ttl=None, draining=False, now):
        self.topics[topic] = host
        self._record(now)

    def unregister(self, topic, host, *, now):
        return self.topics.pop(topic, None) is not None

    def drain(self, topic=None, host=None, *, draining=True, now):
        return 0

    def leave(self, now):
        self.events.append(LeaveFinished(now, 0, 0))

    def set_addresses(self, addresses, now):
        self.addresses = tuple(addresses)

    def send_failed(self, address, now, size=0):
        self.failed += 1

    def members(self):
        return tuple(self.member(name) for name in sorted(self.records))

    def member(self, name):
        if name not in self.records:
            return None
        heartbeat, address, topics = self.records[name]
        status = Status.DEAD if name in self.dead else Status.ALIVE
        state, heard = NodeState.UP, self.heard[name]
        where = (tuple(address),)
        return MemberView(name, 1, status, state, where, heartbeat, 0.0, heard, len(topics), {})

    def why(self, name):
        return ()


def hash_of(data):
    from hashlib import blake2b

    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big")
