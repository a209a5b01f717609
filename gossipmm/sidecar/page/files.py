"""The status page: a few static files, read from the package when they are first asked for."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

from gossipmm.sidecar.http.messages import Response
from gossipmm.sidecar.http.problems import ProblemError
from gossipmm.sidecar.http.router import Call, Endpoint

__all__ = ("ENDPOINTS",)

_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
}
#: Nothing from elsewhere, nothing inline, in no frame.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = (("content-security-policy", _POLICY), ("referrer-policy", "no-referrer"))


@lru_cache(maxsize=32)
def _read(name: str) -> bytes | None:
    """Return a file of the page; None: no file has that name."""
    file = files("gossipmm.sidecar.page") / "static" / name
    return file.read_bytes() if file.is_file() else None


def page(state: object, call: Call) -> Response:
    """Serve the page, or a file of it."""
    name = call.path.get("file", "index.html")
    kind = _TYPES.get(name.rpartition(".")[2])
    # A name that could lead out of the folder is refused.
    body = None if kind is None or "/" in name or name.startswith(".") else _read(name)
    if body is None or kind is None:
        raise ProblemError(404, f"the page has no file {name!r}")
    return Response(body, content_type=kind, headers=_HEADERS)


ENDPOINTS = (
    Endpoint(method="GET", path="/", handler=page, summary="The status page"),
    Endpoint(method="GET", path="/static/{file}", handler=page, summary="A file of it"),
)
