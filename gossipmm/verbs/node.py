"""Verbs about members and about this node itself."""

from __future__ import annotations

from gossipmm.verbs.verb import Differs, Face, Scope, Verb
from gossipmm.verbs.words import ASK_AGENT, ASK_CORE, BY_LIST, IN_STATUS, INSIDE_ONLY

_ASKED_BY_SHELL = {
    Face.NODE: "node.questions.asking, which calls back for each member",
    Face.MATCHMAKER: ASK_AGENT,
    Face.SIMULATOR: ASK_CORE,
}

NODE = (
    Verb(
        "members",
        Scope.NODE,
        gives="tuple[MemberView, ...]",
        http=("GET /v1/members",),
        command="members",
        absent={Face.MATCHMAKER: ASK_AGENT},
    ),
    Verb(
        "member",
        Scope.NODE,
        "name: str",
        "MemberView | None",
        None,
        http=("GET /v1/members/{name}",),
        absent={
            Face.MATCHMAKER: ASK_AGENT,
            Face.COMMAND: "members, or why HOST",
            Face.CONSOLE: "members, or why NAME",
        },
    ),
    Verb(
        "why",
        Scope.NODE,
        "name: str",
        "tuple[Evidence, ...]",
        (),
        http=("GET /v1/members/{name}/why",),
        command="why",
        absent={Face.MATCHMAKER: ASK_AGENT},
        differs={Face.COMMAND: Differs("a member, or what it registers", takes="host: str")},
    ),
    Verb(
        "forget",
        Scope.NODE,
        "name: str",
        "bool",
        False,
        http=("DELETE /v1/members/{name}",),
        command="forget",
        absent={Face.MATCHMAKER: ASK_AGENT},
    ),
    Verb(
        "heard",
        Scope.NODE,
        "names: Iterable[str]",
        "dict[str, float]",
        absent={
            **INSIDE_ONLY,
            Face.NODE: BY_LIST,
            Face.CLIENT: BY_LIST,
            Face.SIMULATOR: BY_LIST,
        },
    ),
    Verb(
        "now",
        Scope.NODE,
        gives="float",
        absent={**INSIDE_ONLY, Face.NODE: "is told the time", Face.SIMULATOR: "core_time()"},
    ),
    Verb(
        "agreement",
        Scope.NODE,
        gives="Agreement",
        absent=IN_STATUS,
    ),
    Verb("health", Scope.NODE, gives="Health", absent=IN_STATUS),
    Verb("conflict", Scope.NODE, gives="tuple[Address, ...]", attribute=True, absent=IN_STATUS),
    Verb(
        "stats",
        Scope.NODE,
        gives="Stats",
        attribute=True,
        http=("GET /v1/stats",),
        absent={
            Face.MATCHMAKER: ASK_AGENT,
            Face.COMMAND: "traffic is in status, everything in /metrics",
            Face.CONSOLE: "gossipmm status, from another terminal",
            Face.SIMULATOR: ASK_CORE,
        },
        differs={
            face: Differs("the counters as they stood when asked", gives="dict[str, Any]")
            for face in (Face.CHILD, Face.CLIENT)
        },
    ),
    Verb(
        "config",
        Scope.NODE,
        gives="Config",
        attribute=True,
        http=("GET /v1/config",),
        command="info",
        absent={Face.MATCHMAKER: ASK_AGENT, Face.CONSOLE: "gossipmm info"},
        differs={
            Face.CLIENT: Differs("an agent may know other settings", gives="dict[str, Any]"),
        },
    ),
    Verb(
        "status",
        Scope.NODE,
        gives="NodeStatus",
        http=("GET /v1/status",),
        command="status",
        absent={
            Face.NODE: "agreement, health, conflict and stats, one by one",
            Face.MATCHMAKER: ASK_AGENT,
            Face.CONSOLE: "gossipmm status, from another terminal",
            Face.SIMULATOR: ASK_CORE,
        },
    ),
    Verb(
        "status_all",
        Scope.NODE,
        "timeout: float = 2.0",
        "tuple[MemberHealth, ...]",
        http=("GET /v1/status/all",),
        command="status",
        absent={**_ASKED_BY_SHELL, Face.CONSOLE: "gossipmm status --all, from another terminal"},
        differs={
            Face.COMMAND: Differs(
                "an option of status",
                takes="*, everybody: bool = False, timeout: float = 2.0",
            ),
        },
    ),
    Verb(
        "drain_member",
        Scope.NODE,
        "name: str, topic: str | None = None, host: str | None = None, *, draining: bool = True, "
        "timeout: float = 2.0",
        "Drained",
        http=("POST /v1/members/{name}/drain",),
        command="drain",
        absent={**_ASKED_BY_SHELL, Face.CONSOLE: "gossipmm drain --member, from another terminal"},
        differs={
            Face.COMMAND: Differs(
                "an option of drain and undrain",
                takes="topic: str | None = None, host: str | None = None, *, "
                "member: str | None = None, undo: bool = False, timeout: float = 2.0",
            ),
        },
    ),
    Verb(
        "query",
        Scope.NODE,
        'name: str, payload: bytes | str = b"", *, topic: str | None = None, '
        "metadata: Mapping[str, Any] | None = None, timeout: float = 2.0",
        "QueryResult",
        http=("POST /v1/query",),
        command="query",
        absent={
            Face.NODE: "node.questions.querying, which calls back for each member",
            Face.MATCHMAKER: ASK_AGENT,
            Face.SIMULATOR: ASK_CORE,
            Face.CONSOLE: "gossipmm query, from another terminal",
        },
        differs={
            Face.HTTP: Differs(
                "bytes are given in base64",
                takes="name: str, payload: str = '', payload_base64: str = '', "
                "topic: str | None = None, metadata: dict[str, Any] | None = None, "
                "timeout: float = 2.0",
            ),
            Face.COMMAND: Differs(
                "metadata is pairs; - is standard input",
                takes="name: str, payload: str = '', *, topic: str | None = None, "
                "pairs: str, timeout: float = 2.0",
            ),
        },
    ),
    Verb(
        "on_query",
        Scope.NODE,
        "name: str, function: AnswerFunction | None",
        absent={
            Face.NODE: "node.questions.queried.handler",
            Face.CHILD: "a function of this process: the child has the programs of [[query]]",
            Face.MATCHMAKER: ASK_AGENT,
            Face.CLIENT: "a function of this process: the agent has the programs of [[query]]",
            Face.HTTP: "[[query]] in the configuration",
            Face.COMMAND: "[[query]] in the configuration",
            Face.CONSOLE: "[[query]] in the configuration",
            Face.SIMULATOR: ASK_CORE,
        },
        differs={
            Face.THREAD: Differs(
                "a function that blocks",
                takes="name: str, function: Callable[[QueryAsked], bytes | str | None] | None",
            ),
        },
    ),
    Verb(
        "rtt",
        Scope.NODE,
        "name: str, to: str | None = None, timeout: float = 2.0",
        "Rtt",
        http=("GET /v1/members/{name}/rtt",),
        command="rtt",
        absent={**_ASKED_BY_SHELL, Face.CONSOLE: "gossipmm rtt, from another terminal"},
        differs={
            Face.COMMAND: Differs(
                "an option for the time",
                takes="name: str, to: str | None = None, *, timeout: float = 2.0",
            ),
        },
    ),
    Verb(
        "watch",
        Scope.NODE,
        "*kinds: type[Event] | str, topics: Collection[str] = (), members: Collection[str] = (), "
        "buffer: int = 1024",
        "Watch",
        http=("GET /v1/watch",),
        command="watch",
        absent={
            Face.NODE: "next_event()",
            Face.MATCHMAKER: ASK_AGENT,
            Face.CONSOLE: "the agent logs what happens",
            Face.SIMULATOR: "cluster.watch",
        },
        differs={
            Face.THREAD: Differs("an iterator that blocks", gives="ThreadWatch"),
            Face.ASYNCIO: Differs("an iterator for asyncio", gives="AsyncWatch"),
            Face.CHILD: Differs("an iterator that asks again and again", gives="ChildWatch"),
            Face.CLIENT: Differs(
                "events as JSON has them, with their words; resumed after a lost connection",
                takes="*kinds: str, topics: Collection[str] = (), members: Collection[str] = (), "
                "since: str | None = None, reconnect: bool = True",
                gives="Iterator[WatchedEvent]",
            ),
            Face.HTTP: Differs(
                "server-sent events",
                takes="kind: str, topic: str, member: str, since: str",
            ),
            Face.COMMAND: Differs(
                "options may be repeated",
                takes="*, kinds: str, topics: str, members: str, since: str",
            ),
        },
    ),
    Verb(
        "send_event",
        Scope.NODE,
        "name: str, payload: bytes | str = b'', *, topic: str | None = None, "
        "metadata: Mapping[str, Any] | None = None",
        "int",
        http=("POST /v1/events",),
        command="event send",
        absent={Face.MATCHMAKER: ASK_AGENT},
        differs={
            Face.HTTP: Differs(
                "JSON has no bytes: text, or base64",
                takes="name: str, payload: str = '', *, payload_base64: str | None = None, "
                "topic: str | None = None, metadata: dict[str, Any] = {}",
            ),
            Face.COMMAND: Differs(
                "an argument is text: bytes come from standard input",
                takes="name: str, payload: str = '', *, topic: str, metadata: str",
            ),
            Face.CONSOLE: Differs("the rest of the line is payload", takes="name: str"),
        },
    ),
    Verb(
        "join",
        Scope.NODE,
        "*seeds: str",
        http=("POST /v1/join",),
        command="join",
        absent={Face.MATCHMAKER: ASK_AGENT, Face.SIMULATOR: "host.seeds"},
        differs={
            Face.NODE: Differs(
                "the shell resolves names",
                takes="addresses: Iterable[Address], *, complete: bool = True",
            ),
            Face.CLIENT: Differs(
                "waits for an answer, if asked to",
                takes="*seeds: str, wait: float = 0.0",
                gives="Joining",
            ),
            Face.HTTP: Differs(
                "waits for an answer, if asked to", takes="seeds: list[str], wait: float = 0"
            ),
            Face.COMMAND: Differs("waits for an answer", takes="seeds: str, *, wait: float"),
        },
    ),
    Verb(
        "wait_joined",
        Scope.NODE,
        "timeout: float | None = None",
        "bool",
        absent={
            Face.NODE: "the event Joined",
            Face.CLIENT: "join waits; GET /readyz tells",
            Face.HTTP: "join waits; GET /readyz tells",
            Face.COMMAND: "join waits; status --check tells",
            Face.CONSOLE: "the agent logs it",
            Face.SIMULATOR: "cluster.settle",
        },
    ),
    Verb(
        "leave",
        Scope.NODE,
        gives="LeaveFinished",
        http=("POST /v1/leave",),
        command="leave",
        absent={Face.MATCHMAKER: ASK_AGENT, Face.CONSOLE: "Ctrl-C, or the end of the input"},
        differs={
            face: Differs("an event LeaveFinished follows", gives="None")
            for face in (Face.NODE, Face.SIMULATOR)
        },
    ),
)
