"""Endpoints as a table: what the router matches is what the OpenAPI document says.

A path is split as it was sent and each part is decoded by itself, so that a host may contain any
character, a slash included (``%2F``). Parameters that are not UTF-8, given twice, or unknown are
refused.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar
from urllib.parse import parse_qsl, unquote_to_bytes

import msgspec

from gossipmm.sidecar.http.messages import Request
from gossipmm.sidecar.http.problems import ProblemError

__all__ = ("Call", "Endpoint", "Handler", "Router")

_B = TypeVar("_B")

#: What a handler returns: a value to encode as JSON, a whole answer, or an awaitable of either.
Result = Any
#: The first argument is what the application keeps, which the transport does not look at.
Handler = Callable[[Any, "Call"], Result | Awaitable[Result]]


class Call(NamedTuple):
    """What a handler receives: the parts of the path, the query, the body, the whole request."""

    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    request: Request

    def read(self, kind: type[_B]) -> _B:
        """Return the body, which the endpoint declares to be of this kind."""
        assert isinstance(self.body, kind)
        return self.body


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One method on one path. ``{name}`` in the path, and ``query``, name parameters."""

    method: str
    path: str
    handler: Handler
    summary: str
    #: Type of the answer; None: no content, or not JSON (``media_type``).
    answer: Any = None
    status: int = 200
    #: Further statuses of the same answer, each with its reason.
    also: Mapping[int, str] = field(default_factory=dict)
    media_type: str = "application/json"
    body: type[msgspec.Struct] | None = None
    query: tuple[str, ...] = ()
    #: Name in the OpenAPI document; empty: the handler's.
    operation: str = ""
    #: An old name of another endpoint, kept for whoever uses it.
    deprecated: bool = False
    #: Statuses of problems that it may answer, besides those that every endpoint may.
    problems: tuple[int, ...] = ()


class _Node:
    """A node in the tree of paths."""

    __slots__ = ("methods", "name", "named", "parts")

    def __init__(self) -> None:
        self.parts: dict[str, _Node] = {}
        self.named: _Node | None = None
        #: Parameter that ``named`` stands for.
        self.name = ""
        self.methods: dict[str, Endpoint] = {}


class Router:
    """Finds the endpoint of a request and decodes what it declares."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self._root = _Node()
        self._decoders: dict[type[msgspec.Struct], msgspec.json.Decoder[Any]] = {}
        for endpoint in endpoints:
            self._add(endpoint)

    def _add(self, endpoint: Endpoint) -> None:
        node = self._root
        for part in endpoint.path.split("/")[1:]:
            if part.startswith("{"):
                node.named = node.named or _Node()
                node.name = part[1:-1]
                node = node.named
            else:
                node = node.parts.setdefault(part, _Node())
        node.methods[endpoint.method] = endpoint
        if endpoint.body is not None and endpoint.body not in self._decoders:
            self._decoders[endpoint.body] = msgspec.json.Decoder(endpoint.body)

    def route(self, request: Request) -> tuple[Endpoint, Call]:
        """Return the endpoint and its decoded call. Raises ProblemError."""
        path, _, query = request.target.partition(b"?")
        node, values = self._find(path)
        method = "GET" if request.method == "HEAD" else request.method
        endpoint = node.methods.get(method)
        if endpoint is None:
            allowed = sorted(node.methods) + (["HEAD"] if "GET" in node.methods else [])
            raise ProblemError(
                405,
                f"{_shown(path)} does not take {request.method}, only {', '.join(allowed)}",
                headers=(("allow", ", ".join(allowed)),),
            )
        given = _query(query, endpoint) if query or endpoint.query else {}
        return endpoint, Call(values, given, self._body(request, endpoint), request)

    def _find(self, path: bytes) -> tuple[_Node, dict[str, str]]:
        node = self._root
        values: dict[str, str] = {}
        parts = path.split(b"/")
        if parts[0] or len(parts) < 2:
            raise ProblemError(400, f"path {_shown(path)} must begin with '/'")
        for raw in parts[1:]:
            part = _text(raw, "path")
            known = node.parts.get(part)
            if known is not None:
                node = known
            elif node.named is not None and part:
                values[node.name] = part
                node = node.named
            else:
                raise ProblemError(404, f"there is nothing at {_shown(path)}: see /v1/openapi.json")
        if not node.methods:
            raise ProblemError(404, f"there is nothing at {_shown(path)}: see /v1/openapi.json")
        return node, values

    def _body(self, request: Request, endpoint: Endpoint) -> Any:
        if endpoint.body is None:
            if endpoint.method != "GET" and request.body.strip() not in (b"", b"{}"):
                raise ProblemError(400, f"{request.method} takes no body here")
            return None
        try:
            return self._decoders[endpoint.body].decode(request.body.strip() or b"{}")
        except msgspec.ValidationError as exc:
            raise ProblemError(400, f"the body: {_lower(str(exc))}", "invalid-body") from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise ProblemError(400, f"the body is not JSON: {exc}", "invalid-body") from None


def _query(query: bytes, endpoint: Endpoint) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=32
        )
    except (UnicodeDecodeError, ValueError) as exc:
        raise ProblemError(400, f"the query cannot be read: {exc}") from None
    given: dict[str, str] = {}
    for name, value in pairs:
        if name not in endpoint.query:
            known = ", ".join(endpoint.query) or "none"
            raise ProblemError(400, f"{name!r} is not a query parameter here; known: {known}")
        if name in given:
            raise ProblemError(400, f"the query parameter {name!r} appears twice")
        given[name] = value
    return given


def _text(raw: bytes, what: str) -> str:
    try:
        return unquote_to_bytes(raw).decode() if b"%" in raw else raw.decode()
    except UnicodeDecodeError:
        raise ProblemError(400, f"the {what} is not UTF-8: {_shown(raw)}") from None


def _shown(raw: bytes) -> str:
    return repr(raw[:200].decode("ascii", "replace"))


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
