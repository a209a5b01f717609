"""Verbs about the keys of gossip: each is a method of ``keys``."""

from __future__ import annotations

from gossipmm.verbs.verb import Differs, Face, Scope, Verb
from gossipmm.verbs.words import ASK_AGENT

_BY_OPERATORS = {
    Face.MATCHMAKER: ASK_AGENT,
    Face.CONSOLE: "keys are changed through a socket that only operators may use",
    Face.SIMULATOR: "host.set_keyring",
}
_IN_CORE = {**_BY_OPERATORS, Face.NODE: "node.keys (a Rotation) takes values, not files"}
_KID = "kid: bytes, *, force: bool = False"
_HEX = Differs("ids are given in hexadecimal", takes="kid: str, *, force: bool = False")

#: Each is a method of ``keys``.
KEYS = (
    Verb(
        "keys.status",
        Scope.OPS,
        gives="KeysStatus",
        http=("GET /v1/keys",),
        command="keys list",
        absent=_IN_CORE,
    ),
    Verb(
        "keys.add",
        Scope.OPS,
        "key: Key",
        http=("POST /v1/keys",),
        command="keys add",
        absent=_IN_CORE,
        differs={
            Face.HTTP: Differs("as in the file of keys", takes="kid: str, key: str"),
            Face.COMMAND: Differs("all keys of a file", takes="file: str"),
        },
    ),
    Verb(
        "keys.use",
        Scope.OPS,
        _KID,
        http=("POST /v1/keys/{kid}/use",),
        command="keys use",
        absent=_IN_CORE,
        differs={Face.HTTP: _HEX, Face.COMMAND: _HEX},
    ),
    Verb(
        "keys.remove",
        Scope.OPS,
        _KID,
        http=("POST /v1/keys/{kid}/remove",),
        command="keys remove",
        absent=_IN_CORE,
        differs={Face.HTTP: _HEX, Face.COMMAND: _HEX},
    ),
    Verb(
        "keys.rotate",
        Scope.OPS,
        "*, keep: float = KEEP",
        http=("POST /v1/keys/rotation",),
        command="keys rotate",
        absent=_IN_CORE,
        differs={
            Face.HTTP: Differs(
                "both ways to rotate",
                takes="*, out_of_band: bool = False, kid: str | None = None, keep: float = 3600.0",
            ),
            Face.COMMAND: Differs(
                "all about a rotation",
                takes="*, out_of_band: bool = False, kid: str | None = None, keep: float = 3600.0, "
                "without: str, cancel: bool = False",
            ),
        },
    ),
    Verb(
        "keys.rotate_out_of_band",
        Scope.OPS,
        "kid: bytes = b'', *, keep: float = KEEP",
        absent={
            **_IN_CORE,
            Face.HTTP: "rotate, with out_of_band",
            Face.COMMAND: "keys rotate --out-of-band",
        },
    ),
    Verb(
        "keys.leave_behind",
        Scope.OPS,
        "names: Iterable[str]",
        http=("POST /v1/keys/rotation/without",),
        absent={**_IN_CORE, Face.COMMAND: "keys rotate --without NAME"},
    ),
    Verb(
        "keys.cancel",
        Scope.OPS,
        http=("POST /v1/keys/rotation/cancel",),
        absent={**_IN_CORE, Face.COMMAND: "keys rotate --cancel"},
    ),
    Verb(
        "keys.reload",
        Scope.OPS,
        gives="list[str]",
        http=("POST /v1/keys/reload",),
        command="keys reload",
        absent=_IN_CORE,
    ),
)
