"""Everything that can be wrong with a request, as problem+json (RFC 9457).

``type`` is a stable name that programs may rely on; ``detail`` says in words what was wrong, with
the value, and what to do.
"""

from __future__ import annotations

from http import HTTPStatus
from math import ceil

import msgspec

from gossipmm.sidecar.http.messages import Response

__all__ = ("MEDIA_TYPE", "Problem", "ProblemError", "refuse", "render")

MEDIA_TYPE = "application/problem+json"
_PREFIX = "urn:gossipmm:"

#: Names of problems that have only a status.
_BY_STATUS = {
    400: "bad-request",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    408: "timeout",
    413: "too-large",
    429: "too-many",
    431: "head-too-large",
    500: "internal",
    501: "not-implemented",
    503: "unavailable",
}


class Problem(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What went wrong (RFC 9457). ``type`` is stable; ``detail`` is for people."""

    type: str
    title: str
    status: int
    detail: str = ""
    #: Seconds after which the same may be asked again; as ``Retry-After``, which has no fractions.
    retry_after: float | None = None


class ProblemError(Exception):
    """Ends a request with a problem. ``name`` is the stable part of its type."""

    def __init__(
        self,
        status: int,
        detail: str,
        name: str = "",
        headers: tuple[tuple[str, str], ...] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.name = name or _BY_STATUS.get(status, "refused")
        self.headers = headers
        self.retry_after = retry_after
        if retry_after is not None:
            self.headers = (*headers, ("retry-after", str(max(1, ceil(retry_after)))))


def render(error: ProblemError) -> Response:
    """Return the response that carries a problem."""
    problem = Problem(
        type=_PREFIX + error.name,
        title=HTTPStatus(error.status).phrase,
        status=error.status,
        detail=error.detail,
        retry_after=error.retry_after,
    )
    body = msgspec.json.encode(problem)
    return Response(body, error.status, MEDIA_TYPE, error.headers)


def refuse(status: int, detail: str) -> Response:
    """Return the response for something that the HTTP server itself refuses."""
    return render(ProblemError(status, detail))
