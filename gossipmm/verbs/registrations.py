"""Verbs about registrations: those made with this agent, and what is asked of all."""

from __future__ import annotations

from gossipmm.verbs.verb import Differs, Face, Scope, Verb
from gossipmm.verbs.words import (
    ASK_AGENT,
    ASK_TABLE,
    CHOSEN,
    CLASSICAL,
    ENTRY,
    NAMED,
    NO_DEFAULT,
    NOT_FOR_KEYS,
    ONE_LINE,
    OPTIONS,
    OWN_NAME,
    PAIR,
    REGISTRATION,
    REMOTE_ACK,
)

OWN = (
    Verb(
        "register",
        Scope.OWN,
        f"{NAMED}, {OPTIONS}",
        http=(f"PUT {REGISTRATION}", "PUT /v1/registrations/{topic}"),
        command="register",
        differs={
            Face.NODE: NO_DEFAULT._replace(takes=f"{PAIR}, {OPTIONS}"),
            Face.MATCHMAKER: CLASSICAL._replace(takes=f"key: str, host: str, {OPTIONS}"),
            Face.CONSOLE: Differs(ONE_LINE, takes=NAMED),
        },
    ),
    Verb(
        "unregister",
        Scope.OWN,
        NAMED,
        "bool",
        False,
        http=(f"DELETE {REGISTRATION}", "DELETE /v1/registrations/{topic}"),
        command="unregister",
        differs={Face.NODE: NO_DEFAULT, Face.MATCHMAKER: CLASSICAL},
    ),
    Verb(
        "drain",
        Scope.OWN,
        f"{CHOSEN}, *, draining: bool = True",
        "int",
        0,
        http=("POST /v1/drain",),
        command="drain",
        differs={
            Face.COMMAND: Differs("--undo, as undrain", takes=f"{CHOSEN}, *, undo: bool = False"),
            Face.CONSOLE: Differs(ONE_LINE, takes=CHOSEN),
        },
    ),
    Verb(
        "undrain",
        Scope.OWN,
        CHOSEN,
        "int",
        0,
        command="undrain",
        absent={
            Face.NODE: "drain(draining=False)",
            Face.HTTP: 'POST /v1/drain with {"draining": false}',
        },
    ),
    Verb(
        "set_metadata",
        Scope.OWN,
        f"changes: Mapping[str, Any], {CHOSEN}",
        "int",
        0,
        http=("POST /v1/metadata",),
        command="metadata set",
        absent={Face.CONSOLE: ONE_LINE},
        differs={
            Face.COMMAND: Differs(
                "KEY=VALUE, and keys that end",
                takes="pairs: str = '', *, topic: str, host: str, end: str",
            ),
        },
    ),
    Verb(
        "renew",
        Scope.OWN,
        PAIR,
        "bool",
        False,
        absent={
            Face.MATCHMAKER: REMOTE_ACK,
            Face.CLIENT: REMOTE_ACK,
            Face.HTTP: REMOTE_ACK,
            Face.COMMAND: REMOTE_ACK,
            Face.CONSOLE: REMOTE_ACK,
        },
    ),
    Verb(
        "registrations",
        Scope.OWN,
        gives="tuple[OwnRegistration, ...]",
        http=("GET /v1/registrations",),
        command="registrations",
    ),
    Verb(
        "registration",
        Scope.OWN,
        PAIR,
        "OwnRegistration | None",
        None,
        absent=dict.fromkeys(set(Face) - {Face.NODE, Face.AGENT}, "one of registrations"),
    ),
)

_SERVICES = {
    Face.NODE: "services are the shell's: the core is told what their checks found",
    Face.MATCHMAKER: ASK_AGENT,
    Face.SIMULATOR: "nothing is simulated that could be checked",
}
SERVICES = (
    Verb(
        "services",
        Scope.OWN,
        gives="tuple[ServiceStatus, ...]",
        http=("GET /v1/services",),
        command="services",
        absent={**_SERVICES, Face.CONSOLE: "gossipmm services, from another terminal"},
        differs={
            Face.COMMAND: Differs(
                "of one topic, with what was printed", takes="topic: str | None = None"
            ),
        },
    ),
    Verb(
        "check",
        Scope.OWN,
        "result: str, topic: str, host: str | None = None, *, output: str = '', name: str = ''",
        "bool",
        False,
        http=("PUT /v1/services/{topic}/{host}/check", "PUT /v1/services/{topic}/check"),
        command="check",
        absent={**_SERVICES, Face.CONSOLE: ONE_LINE},
    ),
)

TABLE = (
    Verb(
        "ack_alive",
        Scope.TABLE,
        PAIR,
        "bool",
        False,
        http=(f"POST {REGISTRATION}/ack_alive",),
        command="ack-alive",
        differs={
            Face.MATCHMAKER: CLASSICAL,
            Face.COMMAND: OWN_NAME,
            Face.CONSOLE: OWN_NAME,
        },
    ),
    Verb(
        "report_failure",
        Scope.TABLE,
        PAIR,
        "bool",
        False,
        http=(f"POST {REGISTRATION}/report_failure",),
        command="report-failure",
        differs={Face.MATCHMAKER: CLASSICAL, Face.CONSOLE: OWN_NAME},
    ),
    Verb(
        "expire",
        Scope.TABLE,
        PAIR,
        "bool",
        False,
        http=(f"POST {REGISTRATION}/expire",),
        command="expire",
        differs={Face.CONSOLE: OWN_NAME},
    ),
    Verb(
        "queues",
        Scope.TABLE,
        "key: str, *, routing_key: str | bytes | None = None, prefer: str | None = None",
        "list[tuple[str, str | None]]",
        [],
        http=("GET /v1/queues/{key}",),
        command="queues",
        absent=NOT_FOR_KEYS,
        differs={
            Face.HTTP: Differs(
                "a query is text: bytes are given in hexadecimal",
                takes="key: str, *, routing_key: str, routing_key_hex: str, prefer: str",
            ),
            Face.COMMAND: Differs(
                "an argument is text: bytes are given in hexadecimal",
                takes="key: str, *, routing_key: str, routing_key_hex: str, prefer: str",
            ),
            Face.CONSOLE: Differs(ONE_LINE, takes="key: str"),
        },
    ),
    Verb(
        "lookup",
        Scope.TABLE,
        "key: str, *, prefer: str | None = None",
        "Lookup",
        http=("GET /v1/lookup/{key}",),
        command="lookup",
        absent={**NOT_FOR_KEYS, Face.CONSOLE: "queues says which kind of nobody it is"},
    ),
    Verb(
        "host",
        Scope.TABLE,
        "key: str, host: str",
        "HostEntry | None",
        None,
        absent=dict.fromkeys(set(Face) - {Face.MATCHMAKER}, ENTRY),
    ),
    Verb(
        "is_alive",
        Scope.TABLE,
        PAIR,
        "bool",
        False,
        absent={
            **NOT_FOR_KEYS,
            Face.HTTP: "the host's state in GET /v1/topics/{topic}",
            Face.COMMAND: "queues TOPIC.HOST, by its exit status",
            Face.CONSOLE: "TOPIC.HOST",
        },
    ),
    Verb(
        "topics",
        Scope.TABLE,
        gives="Mapping[str, TopicView]",
        http=("GET /v1/topics",),
        command="topics",
        absent={Face.NODE: ASK_TABLE, Face.SIMULATOR: ASK_TABLE},
        differs={Face.COMMAND: Differs("one or all", takes="topic: str | None = None")},
    ),
    Verb(
        "topic",
        Scope.TABLE,
        "topic: str",
        "TopicView | None",
        None,
        http=("GET /v1/topics/{topic}",),
        absent={
            Face.NODE: ASK_TABLE,
            Face.SIMULATOR: ASK_TABLE,
            Face.COMMAND: "topics TOPIC",
            Face.CONSOLE: "topics",
        },
    ),
    Verb(
        "ring",
        Scope.TABLE,
        gives="dict[str, list[str]]",
        http=("GET /v1/ring",),
        command="ring export",
        absent={
            **NOT_FOR_KEYS,
            Face.CONSOLE: "a file for other programs: gossipmm ring export",
            Face.SIMULATOR: "host.matchmaker has it",
        },
        differs={Face.COMMAND: Differs("or to stdout", takes="file: str | None = None")},
    ),
)
