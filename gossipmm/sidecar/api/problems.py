"""The package's errors, as problems of the control API."""

from __future__ import annotations

from gossipmm.errors import (
    AgentClosedError,
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
from gossipmm.sidecar.http.problems import ProblemError

__all__ = ("of_error",)

#: The package's errors, subclasses before their bases.
_BY_ERROR: tuple[tuple[type[GossipError], int, str], ...] = (
    (InvalidKeyError, 400, "invalid-key"),
    (KeyringError, 422, "keyring-refused"),
    (LimitError, 422, "limit"),
    (RegistrationError, 422, "registration-refused"),
    (UserEventRateError, 429, "event-rate"),
    (UserEventError, 422, "event-refused"),
    (SeedError, 422, "invalid-seed"),
    (QueryRateError, 429, "query-rate"),
    (QueryError, 422, "query-refused"),
    (AgentClosedError, 503, "leaving"),
    (GossipError, 422, "refused"),
)


def of_error(error: GossipError) -> ProblemError:
    """Return the problem that stands for an error of the package."""
    for kind, status, name in _BY_ERROR:
        if isinstance(error, kind):
            rates = (QueryRateError, UserEventRateError)
            again = error.retry_after if isinstance(error, rates) else None
            return ProblemError(status, str(error), name, retry_after=again)
    raise AssertionError("GossipError is the last kind")
