"""The application: every request gets an answer, whatever is wrong with it.

Over TCP any program of this machine may ask, and so may a page that a browser shows. Two rules keep
foreign pages out: a request must name this machine as its host (a page whose name was made to
resolve to 127.0.0.1 does not), and whatever a browser sends for another origin is refused.
"""

from __future__ import annotations

from collections.abc import Awaitable
from functools import cache
from typing import Any

import msgspec

from gossipmm.errors import GossipError
from gossipmm.sidecar.api import agent as routes_agent
from gossipmm.sidecar.api import keys as routes_keys
from gossipmm.sidecar.api import log as routes_log
from gossipmm.sidecar.api import lookups as routes_lookups
from gossipmm.sidecar.api import others as routes_others
from gossipmm.sidecar.api import prometheus_sd
from gossipmm.sidecar.api import queries as routes_queries
from gossipmm.sidecar.api import registrations as routes_registrations
from gossipmm.sidecar.api import services as routes_services
from gossipmm.sidecar.api import user_events as routes_events
from gossipmm.sidecar.api.problems import of_error
from gossipmm.sidecar.api.state import State
from gossipmm.sidecar.http.messages import Answer, Application, Request, Response, Stream
from gossipmm.sidecar.http.origin import check_host, check_origin
from gossipmm.sidecar.http.problems import ProblemError, render
from gossipmm.sidecar.http.router import Call, Endpoint, Router
from gossipmm.sidecar.page import files as pages

__all__ = ("ENDPOINTS", "application")


def _openapi(state: State, call: Call) -> Response:
    """Show the OpenAPI document."""
    return Response(_document())


@cache
def _document() -> bytes:
    """Return the document, which no agent changes: it is built once, when it is first asked for."""
    from gossipmm.sidecar.api.openapi import document

    return msgspec.json.encode(document(ENDPOINTS))


#: Everything that is served, in the order of the OpenAPI document.
ENDPOINTS: tuple[Endpoint, ...] = (
    *routes_lookups.ENDPOINTS,
    *routes_registrations.ENDPOINTS,
    *routes_services.ENDPOINTS,
    *routes_keys.ENDPOINTS,
    *routes_agent.ENDPOINTS,
    *routes_log.ENDPOINTS,
    *routes_others.ENDPOINTS,
    *routes_queries.ENDPOINTS,
    *routes_events.ENDPOINTS,
    *prometheus_sd.ENDPOINTS,
    Endpoint(
        method="GET",
        path="/v1/openapi.json",
        handler=_openapi,
        summary="This document (OpenAPI 3.1)",
        answer=dict[str, Any],
    ),
)

#: What other machines may see (``health_bind``): it changes nothing and names nobody.
_HEALTH = frozenset({"/livez", "/readyz", "/metrics"})
_NOT_READY = "this agent is not ready; its log, status and control socket say why"


def application(state: State, *, only_health: bool = False) -> Application:
    """Return the application of a sidecar, or one that serves only its health to other machines."""
    if only_health:
        router = Router(endpoint for endpoint in ENDPOINTS if endpoint.path in _HEALTH)
    else:
        router = Router((*ENDPOINTS, *pages.ENDPOINTS))

    def serve(request: Request) -> Answer | Awaitable[Answer]:
        try:
            if request.tcp and not only_health:
                check_host(request)
                check_origin(request)
            endpoint, call = router.route(request)
            result = endpoint.handler(state, call)
        except ProblemError as exc:
            if only_health and exc.status == 503:
                exc = ProblemError(503, _NOT_READY, exc.name)
            return render(exc)
        except GossipError as exc:
            return render(of_error(exc))
        if isinstance(result, Awaitable):
            return _awaited(endpoint, result)
        return _answer(endpoint, result)

    return serve


async def _awaited(endpoint: Endpoint, result: Awaitable[Any]) -> Answer:
    try:
        return _answer(endpoint, await result)
    except ProblemError as exc:
        return render(exc)
    except GossipError as exc:
        return render(of_error(exc))


def _answer(endpoint: Endpoint, result: Any) -> Answer:
    if isinstance(result, (Response, Stream)):
        return result
    if result is None:
        return Response(status=endpoint.status)
    return Response(msgspec.json.encode(result), endpoint.status)
