"""One call of the control API as a value: what to send, and how to read what comes back."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Coroutine, Mapping
from functools import wraps
from importlib import import_module
from inspect import Parameter, Signature, signature
from typing import Any, Concatenate, Generic, NamedTuple, ParamSpec, TypeVar

from gossipmm.errors import (
    AgentClosedError,
    ControlError,
    GossipError,
    InvalidKeyError,
    KeyringError,
    LimitError,
    QueryError,
    QueryRateError,
    RegistrationError,
    SeedError,
    UserEventError,
    UserEventRateError,
)

__all__ = ("Asked", "Late", "awaiting", "clock", "path", "problem", "waiting")

_P = ParamSpec("_P")
_T = TypeVar("_T")

#: The clock of this process, to which all times in answers belong.
clock = time.monotonic

#: What a path or a query may have as it is (RFC 3986, unreserved).
_PLAIN = re.compile(r"[A-Za-z0-9._~-]*").fullmatch
_PREFIX = "urn:gossipmm:"
#: Problems that are the same errors as those of an agent in this very process.
_ERRORS: Mapping[str, type[GossipError]] = {
    "invalid-key": InvalidKeyError,
    "invalid-seed": SeedError,
    "keyring-refused": KeyringError,
    "leaving": AgentClosedError,
    "limit": LimitError,
    "query-rate": QueryRateError,
    "query-refused": QueryError,
    "registration-refused": RegistrationError,
    "event-refused": UserEventError,
    "event-rate": UserEventRateError,
}


class Late:
    """A module that is imported when something of it is used: it costs a command milliseconds."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(import_module(self._name), name)


class Asked(NamedTuple, Generic[_T]):
    """One call. ``patience``: seconds that it may take beyond the client's timeout."""

    method: str
    target: str
    #: Makes the answer of the JSON value; it may raise ControlError.
    read: Callable[[Any], _T]
    body: Any = None
    patience: float = 0.0
    #: Kinds of problems that are an answer (what was named is not there), and that answer.
    missing: tuple[str, ...] = ()
    default: Any = None

    def encoded(self) -> bytes | None:
        """Return the body as JSON."""
        return None if self.body is None else json.dumps(self.body).encode()

    def answer(self, status: int, data: bytes) -> _T:
        """Read the answer; raises what the agent said was wrong."""
        try:
            value = json.loads(data) if data else None
        except ValueError:
            raise ControlError(f"the answer to {self.target} is not JSON", status=status) from None
        if status >= 400:
            error, kind = problem(status, value)
            if kind not in self.missing:
                raise error
            default: _T = self.default
            return default
        return self.read(value)


def problem(status: int, value: Any) -> tuple[GossipError, str]:
    """Return the error that an answer tells of, and the stable name of its kind."""
    told = value if isinstance(value, dict) else {}
    kind = str(told.get("type", "")).removeprefix(_PREFIX)
    words = str(told.get("detail") or told.get("title") or f"status {status}")
    if kind in _ERRORS:
        error = _ERRORS[kind](words)
        if isinstance(error, (QueryRateError, UserEventRateError)):
            error.retry_after = float(told.get("retry_after", 1.0))
        return error, kind
    return ControlError(words, status=status, kind=kind), kind


def path(*parts: str, **query: str | None) -> str:
    """Build a target; whatever the parts have in them, a slash included, stays a part."""
    # A part of dots alone would be taken for a step in the folder tree by what lies between.
    quoted = (_quoted(part) if part.strip(".") else "%2E" * len(part) for part in parts)
    given = [f"{name}={_quoted(value)}" for name, value in query.items() if value is not None]
    return "/v1/" + "/".join(quoted) + (f"?{'&'.join(given)}" if given else "")


def _quoted(text: str) -> str:
    if _PLAIN(text):
        return text
    from urllib.parse import quote  # 2 ms, for names that are seldom met

    return quote(text, safe="~")


def waiting(describe: Callable[_P, Asked[_T]]) -> Callable[Concatenate[Any, _P], _T]:
    """Make a method of the blocking client from the description of a call."""

    @wraps(describe)
    def call(self: Any, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        answer: _T = self.call(describe(*args, **kwargs))
        return answer

    call.__signature__ = _as_method(describe)  # type: ignore[attr-defined]
    return call


def awaiting(
    describe: Callable[_P, Asked[_T]],
) -> Callable[Concatenate[Any, _P], Coroutine[Any, Any, _T]]:
    """Make a method of an asynchronous client from the description of a call."""

    @wraps(describe)
    async def call(self: Any, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        answer: _T = await self.call(describe(*args, **kwargs))
        return answer

    call.__signature__ = _as_method(describe)  # type: ignore[attr-defined]
    return call


def _as_method(describe: Callable[..., Asked[Any]]) -> Signature:
    """Return the signature with ``self``, and with what is answered instead of the call."""
    found = signature(describe)
    myself = Parameter("self", Parameter.POSITIONAL_ONLY)
    answer = str(found.return_annotation).removeprefix("Asked[").removesuffix("]")
    return found.replace(parameters=[myself, *found.parameters.values()], return_annotation=answer)
