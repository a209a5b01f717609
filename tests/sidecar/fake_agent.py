"""A control API without an agent: clusters of any size and mood, for looking at the page.

The answers are built from ``gossipmm.sidecar.api.schemas`` and the page is served as the sidecar
serves it, so shapes and headers are the real ones. ``python -m tests.sidecar.fake_agent 200``
serves one by itself.
"""

from __future__ import annotations

import queue
import random
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from gossipmm.core.values.event_status import UserEventsStatus
from gossipmm.sidecar.api import schemas, status_schemas
from gossipmm.sidecar.api.others import EveryStatus, MemberStatus
from gossipmm.sidecar.http.messages import Request
from gossipmm.sidecar.http.problems import ProblemError
from gossipmm.sidecar.http.router import Call
from gossipmm.sidecar.page import files as pages

_LIFE = "00c0ffee"
_TOPICS = ("compute", "scheduler", "network", "volume", "conductor", "cert", "console", "image")


class FakeAgent:
    """A cluster of ``size`` members as its first one sees it. Change ``members`` as you like."""

    def __init__(self, size: int, *, troubled: bool = False, seed: int = 1) -> None:
        self.rng = random.Random(seed)
        self.size = size
        self.started = time.monotonic()
        self.members: dict[str, schemas.Member] = {}
        self.topics: dict[str, schemas.Topic] = {}
        self.differ: list[status_schemas.Peer] = []
        self.conflict: list[str] = []
        self.trouble: dict[str, str] = {}
        self.faults: dict[str, str] = {}
        self.identity = status_schemas.Identity(
            mode="off",
            key="",
            public="",
            authorities=[],
            issue=None,
            expires=None,
            members={},
            not_ready=[],
            conflicts={},
            equivocating=[],
            revoked=[],
            ending={},
            clock_ahead=0.0,
        )
        self.user_events = status_schemas.UserEvents(
            **dict.fromkeys(UserEventsStatus._fields, 0),
        )
        self.distances = status_schemas.Distances(on=False, error=None)
        self.down = False
        self.events: list[tuple[str, dict[str, Any]]] = []
        self._watchers: list[queue.SimpleQueue[bytes | None]] = []
        self._bytes = 1_000_000.0
        self._counted = time.monotonic()
        for number in range(size):
            self._add_member(number)
        for topic in _TOPICS[: 3 if size < 10 else 8]:
            self._add_topic(topic)
        if troubled:
            self._trouble()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"

    # -- the cluster -----------------------------------------------------------------------

    def _add_member(self, number: int) -> None:
        rack, place = divmod(number, 40)
        name = f"host-{number:03}" if self.size > 9 else f"host-{'abcdefghi'[number]}"
        self.members[name] = schemas.Member(
            name=name,
            status="alive",
            draining=False,
            unhealthy=0,
            node_state="up",
            generation=str(0x1A2B3C4D5E6F00 + number),
            addresses=[f"10.20.{rack}.{place + 10}:7946"],
            heartbeat=1000 + number,
            since_ago=self.rng.uniform(60, 90_000),
            heard_ago=self.rng.expovariate(1 / (0.3 + self.size / 150)),
            registrations=self.rng.choice((1, 1, 2, 3)),
            metadata={"zone": "abc"[rack % 3], "release": "2026.11"} if number % 3 == 0 else {},
            reason="",
            reason_code="",
            returns=0,
            wire_version=2,
            identity="unsigned",
            key="",
            own=number == 0,
        )

    def _add_topic(self, topic: str) -> None:
        names = sorted(self.members)
        share = 1.0 if topic == "compute" else self.rng.uniform(0.02, 0.4)
        wanted = max(2, round(share * self.size))
        hosts = [self._host(name) for name in sorted(self.rng.sample(names, wanted))]
        live = [host.host for host in hosts]
        self.topics[topic] = schemas.Topic(
            topic=topic, stale=False, picks=live, fanout=live, hosts=hosts
        )

    def _host(self, name: str) -> schemas.Host:
        metadata: dict[str, str | int | bool] = {"port": 5672} if self.rng.random() < 0.5 else {}
        return schemas.Host(
            host=name, state="live", nodes=[name], metadata=metadata, since_ago=77.0, heard_ago=0.5
        )

    def set_status(self, name: str, status: str, reason: str = "", *, ago: float = 3.0) -> None:
        """Change what is held of a member, and with it of the hosts that it serves."""
        member = self.members[name]
        member.status, member.reason, member.since_ago = status, reason, ago
        member.heard_ago = max(member.heard_ago or 0.0, ago + 1.2)
        for topic in self.topics.values():
            for host in list(topic.hosts):
                if host.host == name and status == "suspect":
                    host.state = "suspect"
                elif host.host == name and status not in ("alive", "suspect"):
                    topic.hosts.remove(host)
            topic.fanout = [host.host for host in topic.hosts]
            live = [host.host for host in topic.hosts if host.state == "live"]
            topic.picks = live or topic.fanout

    def _trouble(self) -> None:
        names = sorted(self.members)[1:]
        some = self.rng.sample(names, max(3, min(14, len(names) // 12)))
        states = ["suspect", "dead", "left", "probation", "returning", "dead", "suspect", "unknown"]
        reasons = {
            "suspect": "it did not answer host-a (5 tries in 0.5 s)",
            "dead": "it did not answer in time: dead here, accused by host-017, host-112, host-191",
            "probation": "it has returned from the dead 3 times",
            "returning": "a higher heartbeat arrived, but from before its death here",
            "unknown": "its record has not arrived yet",
        }
        for name, state in zip(some, states * 2, strict=False):
            self.set_status(name, state, reasons.get(state, ""), ago=self.rng.uniform(0.3, 400))
        draining = next(name for name in names if name not in some)
        self.members[draining].draining = True
        for topic in self.topics.values():
            for host in topic.hosts:
                if host.host == draining:
                    host.state = "draining"
        self.topics["billing"] = schemas.Topic(
            topic="billing", stale=False, picks=[], fanout=[], hosts=[]
        )
        self.differ = [status_schemas.Peer(name=name, since_ago=1.4) for name in some[:2]]

    def tell(self, kind: str, text: str, **fields: Any) -> None:
        """Let an event happen."""
        body = {"event": kind, "time": time.time(), "text": text, **fields}
        self.events.append((kind, body))
        for watcher in list(self._watchers):
            watcher.put(_message(kind, body, len(self.events) - 1))

    # -- answers ---------------------------------------------------------------------------

    @property
    def event_id(self) -> str:
        """Id of the last event."""
        return f"{_LIFE}-{len(self.events) - 1}"

    @property
    def name(self) -> str:
        """Name of the node that answers."""
        return next(name for name, member in self.members.items() if member.own)

    def status(self) -> status_schemas.StatusAnswer:
        """GET /v1/status."""
        now = time.monotonic()
        self._bytes += (now - self._counted) * self.rng.uniform(280, 420)
        self._counted = now
        live = sum(m.status in ("alive", "suspect", "probation") for m in self.members.values())
        reasons = [
            *(f"another live process is called {self.name}, at {at}" for at in self.conflict),
            *self.faults.values(),
        ]
        return status_schemas.StatusAnswer(
            verdict="conflict" if self.conflict else "degraded" if reasons else "ok",
            reasons=reasons,
            reason_codes=["conflict"] * len(self.conflict) + list(self.faults),
            name=self.name,
            cluster="production",
            version="0.1.0",
            generation="7361",
            addresses=["10.20.0.10:7946"],
            uptime=86_400 + now - self.started,
            joined=True,
            leaving=False,
            conflict=self.conflict,
            impaired=False,
            health=status_schemas.SelfHealth(
                slow=False,
                deaf=False,
                held=0,
                loss=0.004,
                rtt=0.00042,
                impaired=False,
                unheard=0.0,
                missed=0.0,
                broadcasts=0,
                slow_peers=0,
                small_paths=0,
            ),
            trouble=self.trouble,
            faults=self.faults,
            paths={},
            fingerprint="9115a398bf5e138c",
            agree=max(0, live - 1 - len(self.differ)),
            unheard=0,
            differ=self.differ,
            members=dict(Counter(member.status for member in self.members.values())),
            topics=len(self.topics),
            registrations=3,
            traffic=status_schemas.Traffic(
                sent_bytes=int(self._bytes),
                received_bytes=int(self._bytes * 1.07),
                sent_datagrams=int(self._bytes / 86),
                received_datagrams=int(self._bytes / 84),
                dropped={"late_ack": 3},
                rtt=0.00042,
                loss=0.004,
            ),
            watchers=len(self._watchers),
            process=4711,
            control=[self.url],
            event_id=self.event_id,
            identity=self.identity,
            user_events=self.user_events,
            distances=self.distances,
        )

    def why(self, name: str) -> schemas.Why:
        """GET /v1/members/NAME/why."""
        if name not in self.members:
            raise ProblemError(404, f"no member is called {name!r}", "unknown-member")
        member = self.members[name]
        return schemas.Why(
            name=name,
            status=member.status,
            summary=f"{name} is {member.status} here since {member.since_ago:.1f} s.",
            member=member,
            serves=[(t.topic, name) for t in self.topics.values() if name in t.fanout],
            unhealthy=sorted(
                (topic.topic, host.host, host.reason)
                for topic in self.topics.values()
                for host in topic.hosts
                if host.host == name and host.state == "unhealthy"
            ),
            evidence=[
                schemas.Evidence(
                    time=time.time() - ago,
                    ago=ago,
                    kind="probe_failed",
                    reporter=self.name,
                    heartbeat=member.heartbeat,
                    detail="",
                    facts={},
                    text=f"{self.name} got no answer to 5 tries in 0.5 s (number {number})",
                )
                for number, ago in enumerate((120.0, 31.5, 3.2))
            ],
        )

    def answer(self, path: str) -> Any:
        """Return what a path of the API answers with."""
        if path == "/v1/status":
            return self.status()
        if path == "/v1/status/all":
            return EveryStatus(node=self.name, members=[_told(m) for m in self.members.values()])
        if path == "/v1/members":
            for member in self.members.values():
                if member.status == "alive":
                    member.heard_ago = self.rng.expovariate(1 / (0.3 + self.size / 150))
            members = [self.members[name] for name in sorted(self.members)]
            return schemas.Members(node=self.name, event_id=self.event_id, members=members)
        if path == "/v1/topics":
            topics = [self.topics[name] for name in sorted(self.topics)]
            return schemas.Topics(node=self.name, event_id=self.event_id, topics=topics)
        if path.startswith("/v1/members/") and path.endswith("/why"):
            return self.why(unquote(path.split("/")[3]))
        raise ProblemError(404, f"there is nothing at {path}")

    def watch(self, since: str) -> tuple[bytes, queue.SimpleQueue[bytes | None]]:
        """GET /v1/watch: what to send at once, and where the rest comes from."""
        life, _, number = since.rpartition("-")
        resumed = life == _LIFE and number.isdigit()
        first = int(number) + 1 if resumed else len(self.events)
        hello = {"node": self.name, "event_id": self.event_id, "resumed": resumed}
        data = b"retry: 100\n" + _message("hello", hello, None)
        for place, (kind, body) in enumerate(self.events):
            if place >= first:
                data += _message(kind, body, place)
        watcher: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._watchers.append(watcher)
        return data, watcher

    def drop_watchers(self) -> None:
        """End all streams, as an agent that ends does."""
        for watcher in self._watchers:
            watcher.put(None)
        self._watchers.clear()

    def close(self) -> None:
        """End the server."""
        self.drop_watchers()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


def _message(kind: str, body: dict[str, Any], number: int | None) -> bytes:
    head = "" if number is None else f"id: {_LIFE}-{number}\n"
    return f"{head}event: {kind}\ndata: ".encode() + msgspec.json.encode(body) + b"\n\n"


def _handler(agent: FakeAgent) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if agent.down:
                self.close_connection = True
                return
            try:
                if parts.path == "/v1/watch":
                    self._stream(parse_qs(parts.query).get("since", [""])[0])
                elif parts.path.startswith("/v1/"):
                    self._send(
                        200, "application/json", msgspec.json.encode(agent.answer(parts.path))
                    )
                else:
                    name = parts.path.removeprefix("/static/").strip("/")
                    call = Call({"file": name} if name else {}, {}, None, Request("GET", b"/", {}))
                    found = pages.page(None, call)  # type: ignore[arg-type]
                    self._send(200, found.content_type, found.body, found.headers)
            except ProblemError as exc:
                body = msgspec.json.encode({"detail": str(exc), "status": exc.status})
                self._send(exc.status, "application/problem+json", body)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def _send(
            self, status: int, kind: str, body: bytes, headers: tuple[tuple[str, str], ...] = ()
        ) -> None:
            self.send_response(status)
            for key, value in (
                ("content-type", kind),
                ("content-length", str(len(body))),
                *headers,
            ):
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

        def _stream(self, since: str) -> None:
            self.close_connection = True
            since = self.headers.get("last-event-id", since)
            data, watcher = agent.watch(since)
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            while data is not None:
                self.wfile.write(data)
                self.wfile.flush()
                data = watcher.get()

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    return Handler


if __name__ == "__main__":
    served = FakeAgent(int(sys.argv[1]) if sys.argv[1:] else 5, troubled=len(sys.argv) > 2)
    print(served.url)
    threading.Event().wait()


def _told(member: schemas.Member) -> MemberStatus:
    """What a member says of itself: those that are suspected are slow, the dead say nothing."""
    answers = member.status in ("alive", "suspect", "probation")
    slow = member.status == "suspect"
    return MemberStatus(
        name=member.name,
        status=member.status,
        verdict="" if not answers else "degraded" if slow else "ok",
        reasons=["slow"] if slow else [],
        reasons_text=["its timers fire late: its machine is too busy"] if slow else [],
        outcome="done" if answers else "not_live",
        why="" if answers else "it is not held alive here",
        version="0.1.0" if answers else "",
        uptime=77.0 if answers else None,
        agreement="agrees",
        differs_for=None,
        took=0.01,
        wire_version=2,
    )
