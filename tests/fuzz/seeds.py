"""Write the first inputs of the targets that do not read gossip: small, one of each shape.

python -m tests.fuzz.seeds
"""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path

import dns.message

from gossipmm.agent import dialback as dial
from gossipmm.core.values.rotation_state import Phase, RotationState
from gossipmm.core.values.types import HostEntry, HostState, Status, TopicView
from gossipmm.embed import pipe
from gossipmm.embed.plain import plain

CORPUS = Path(__file__).parent / "corpus"
#: How a request is sent: over a Unix socket, in one piece, and closed behind it.
_WHOLE = b"\x0e"
#: Over TCP, in pieces of three bytes, and left open.
_PIECES = b"\x05"

_REQUESTS = {
    "queues": ("GET /v1/queues/compute?now=1", ""),
    "members": ("GET /v1/members?offset=0&limit=2", ""),
    "why": ("GET /v1/members/a/why", ""),
    "slash": ("GET /v1/topics/a%2Fb%00", ""),
    "head": ("HEAD /v1/status", ""),
    "register": (
        "PUT /v1/registrations/t/h",
        '{"metadata":{"n":1,"s":"x","b":true},"ttl":30.0,"draining":false}',
    ),
    "forget": ("POST /v1/members/b/forget", "{}"),
    "join": ("POST /v1/join", '{"seeds":["127.0.0.1:2"]}'),
    "leave": ("POST /v1/leave", "{}"),
    "watch": ("GET /v1/watch?kind=member_dead&since=x-1", ""),
    "metrics": ("GET /metrics", ""),
    "log": ("PUT /v1/log-level", '{"level":"info"}'),
    "page": ("GET /", ""),
    "rotate": ("POST /v1/keys/rotate", "{}"),
}


def http() -> dict[str, bytes]:
    """Return requests: whole ones, several in one go, chunked, waiting for a word, and nonsense."""
    found = {}
    for name, (line, body) in _REQUESTS.items():
        head = f"{line} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n\r\n{body}"
        found[name] = _WHOLE + head.encode()
    found["three"] = _WHOLE + 3 * b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n"
    chunks = b"transfer-encoding: chunked\r\n\r\n2;x=y\r\n{}\r\n0\r\nt: 1\r\n\r\n"
    found["chunked"] = _PIECES + b"POST /v1/drain HTTP/1.1\r\nhost: [::1]:80\r\n" + chunks
    waits = b"content-length: 2\r\nexpect: 100-continue\r\n\r\n{}"
    found["continue"] = _PIECES + b"POST /v1/drain HTTP/1.1\r\nhost: localhost\r\n" + waits
    found["old"] = _WHOLE + b"GET /v1/status HTTP/1.0\r\n\r\n"
    found["nonsense"] = _PIECES + b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
    return found


def dns_queries() -> dict[str, bytes]:
    """Return queries over UDP and TCP, with and without EDNS."""
    found = {}
    for name in ("compute", "_compute._udp", "_many._tcp", "host.with.dots.node", "upper", "", "x"):
        for kind in ("A", "SRV", "ANY"):
            query = dns.message.make_query(f"{name}.gossipmm.".lstrip("."), kind, id=7)
            found[f"{name or 'apex'}-{kind}"] = b"\0" + query.to_wire()
    for size in (512, 1232, 65535):
        query = dns.message.make_query(
            "_many._udp.gossipmm.", "SRV", use_edns=0, payload=size, id=7
        )
        found[f"edns-{size}"] = b"\0" + query.to_wire()
    found["tcp"] = b"\1" + found["edns-512"][1:]
    return found


def dial_back() -> dict[str, bytes]:
    """Return what two nodes say to each other, alone and one after the other."""
    identity = dial.Identity(dial.PROTOCOL, b"tag!", b"\x01\x02").pack()
    zero = bytes(16)
    address = dial._pack(("10.0.0.3", 9))
    size = dial._ASK_SIZE - len(dial.MAGIC)
    ask = (bytes((dial._ASK,)) + zero + identity + address).ljust(size, b"\0")
    report = bytes((dial._REPORT,)) + zero + identity + address
    tries = [bytes((dial._TRY,)) + zero + bytes((fresh,)) for fresh in (0, 1)]
    known = [bytes((64 + 2, len(body))) + body for body in (report, *tries, ask)]
    return {
        "ask": bytes((0, len(ask))) + ask,
        "asks": 30 * (bytes((128, len(ask))) + ask),
        **{f"known-{number}": step for number, step in enumerate(known)},
        "all": b"".join(known),
    }


def key_files() -> dict[str, bytes]:
    """Return files of keys."""
    secret = b64encode(bytes(32)).decode()
    one = {"kid": "9f3a", "key": secret}
    state = RotationState(epoch=3, members=5, keep=60)._asdict()
    state |= {"phase": Phase.USE.name.lower(), "new": "9f3a", "old": "07c1"}
    rows = {
        "one": [one],
        "two": [one, {"kid": "07c1", "key": secret, "retired": True}],
        "rotation": [one, {"rotation": state}],
        "none": [],
    }
    return {name: json.dumps(value).encode() for name, value in rows.items()}


def state_files() -> dict[str, bytes]:
    """Return state files."""
    whole = {"name": "a", "cluster": "gossipmm", "generation": 5, "peers": ["10.0.0.2:7946"]}
    found = {
        "whole": whole,
        "others": {**whole, "name": "b"},
        "peers": {**whole, "peers": ["[2001:db8::1]:1", "x", ":", "10.0.0.1:0", 7, None]},
        "far": {**whole, "generation": 1 << 70},
    }
    return {name: json.dumps(value).encode() for name, value in found.items()}


def from_child() -> dict[str, bytes]:
    """Return a child's answers."""
    entry = HostEntry("t", "h", HostState.LIVE, ("n",), {"m": 1}, 1.0, 2.0)
    view = TopicView("t", ("h",), ("h",), {"h": entry}, False)
    answers = {
        "nothing": {"id": 1, "result": None},
        "error": {"id": 2, "error": "RegistrationError", "message": "no"},
        "strange": {"id": 2, "error": "KeyError", "message": "no"},
        "view": {"id": 3, "result": pipe.view_to(view)},
        "members": {"id": 4, "result": plain([Status.ALIVE, ("a", 1), {"x": 2}])},
    }
    return {name: b"\x0c" + pipe.dump(answer) for name, answer in answers.items()}


def to_child() -> dict[str, bytes]:
    """Return a parent's questions."""
    asked = {
        "register": ["t", "h", {"m": 1}],
        "unregister": ["t", "h"],
        "members": [],
        "why": ["a"],
        "view": ["compute", 0],
        "watch": [["member_dead"], [], [], 10],
        "watched": [1],
        "stats": [],
        "status": [],
        "is_up": ["a"],
    }
    return {
        name: pipe.dump({"id": 1, "call": name, "args": args, "options": {}})
        for name, args in asked.items()
    }


def answers() -> dict[str, bytes]:
    """Return an agent's answers over HTTP, and its events."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
    chunked = b"\x0cHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    hello = b'event: hello\ndata: {"event_id":"x-1"}\n\nid: x-2\nevent: e\ndata: {"a":1}\n\n: c\n\n'
    return {
        "whole": b"\x0c" + head + b"content-length: 2\r\n\r\n{}",
        "pieces": b"\x02" + head + b"content-length: 2\r\n\r\n{}",
        "interim": b"\x0cHTTP/1.1 100 Continue\r\n\r\n" + head + b"content-length: 2\r\n\r\n{}",
        "problem": b'\x0cHTTP/1.1 404 x\r\ncontent-length: 14\r\n\r\n{"detail":"x"}',
        "events": chunked + f"{len(hello):x}\r\n".encode() + hello + b"\r\n0\r\n\r\n",
    }


SEEDS = {
    "http": http,
    "dns": dns_queries,
    "dialback": dial_back,
    "keyfile": key_files,
    "state": state_files,
    "from_child": from_child,
    "to_child": to_child,
    "answer": answers,
}


def main() -> None:
    """Write one file for each; what a fuzzer found lies beside them, and stays."""
    for target, seeds in SEEDS.items():
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in seeds().items():
            (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
