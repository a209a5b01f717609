"""Keeps foreign pages away from what is served on loopback: a browser runs on this machine."""

from __future__ import annotations

from urllib.parse import urlsplit

from gossipmm.sidecar.http.messages import Request
from gossipmm.sidecar.http.problems import ProblemError

__all__ = ("check_host", "check_origin")

#: Names of this machine that a request over TCP may give as its host.
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


def check_host(request: Request) -> None:
    """Refuse a request for a name that only resolves to this machine. Raises ProblemError."""
    host = _host(request)
    if _hostname(host) not in _LOCAL:
        raise ProblemError(403, f"the host {host!r} is not this machine: ask http://127.0.0.1")


def check_origin(request: Request) -> None:
    """Refuse what a browser sends for a page of another origin. Raises ProblemError."""
    origin = request.headers.get(b"origin", b"").decode("latin-1")
    foreign = request.headers.get(b"sec-fetch-site", b"") in (b"cross-site", b"same-site")
    if foreign or (origin and origin != f"http://{_host(request)}"):
        raise ProblemError(403, "a page of another origin may not use this API")


def _host(request: Request) -> str:
    return request.headers.get(b"host", b"").decode("latin-1")


def _hostname(host: str) -> str | None:
    """Return the name in a Host header; None when it has none that can be read."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:  # as for "[": no address in brackets
        return None
