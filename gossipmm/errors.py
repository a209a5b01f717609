"""Every exception that this package raises on purpose, in one small tree.

An error says what was wrong, with which value, and what to do. Errors of network bytes never leave
the core: they are counted by reason (see ``gossipmm.core.values.stats``).
"""

from __future__ import annotations

__all__ = (
    "AgentClosedError",
    "AgentLostError",
    "AgentUnreachableError",
    "BindError",
    "ConfigError",
    "ControlError",
    "ForkedError",
    "GossipError",
    "IdentityError",
    "InvalidKeyError",
    "KeyringError",
    "LimitError",
    "MatchMakerException",
    "PatchedError",
    "QueryError",
    "QueryRateError",
    "RegistrationError",
    "RingFileError",
    "SeedError",
    "StartError",
    "UserEventError",
    "UserEventRateError",
    "WatchOverflowError",
)


class GossipError(Exception):
    """Root of the tree: catch this to catch everything that gossipmm raises on purpose."""


class ConfigError(GossipError, ValueError):
    """A configuration field is unknown, of the wrong type, or out of range.

    ``path`` is the field as the user wrote it (``gossip_interval``, ``metadata.zone``) and
    ``source`` where it came from (a file name, ``environment``, ``flags``, ``keywords``).
    """

    def __init__(self, message: str, *, path: str = "", source: str = "") -> None:
        self.path = path
        self.source = source
        where = f"{source}: " if source else ""
        what = f"{path}: " if path else ""
        super().__init__(f"{where}{what}{message}")


class KeyringError(GossipError, ValueError):
    """A key, or a file of keys, was refused; nothing was changed."""


class IdentityError(GossipError, ValueError):
    """A node's key, a certificate, or a file of them, was refused; nothing was changed."""


class MatchMakerException(GossipError):  # noqa: N818 (the name that callers catch since 2012)
    """No match could be found, or the matchmaker cannot be used as asked.

    Every error that a call on a matchmaker can raise is one of these, so that a caller written
    for the classical one goes on catching them. ``message`` is the text of one raised without
    arguments.
    """

    message = "Match not found by MatchMaker."

    def __init__(self, message: str | None = None) -> None:
        super().__init__(self.message if message is None else message)


class InvalidKeyError(MatchMakerException, ValueError):
    """A queue key is empty, has control characters, or lacks the topic or host it must name."""


class RingFileError(MatchMakerException, ValueError):
    """A ring is missing, not JSON, or not a map of topics to lists of host names."""


class RegistrationError(MatchMakerException, ValueError):
    """A topic, host or metadata was refused at the door; the state is unchanged."""


class LimitError(RegistrationError):
    """A value was well formed but above a documented limit; the message gives both numbers."""


class QueryError(GossipError, ValueError):
    """A query was refused at the door: nobody was asked."""


class QueryRateError(QueryError):
    """Too many queries were asked here; ``retry_after``: seconds until one more may be."""

    def __init__(self, message: str, *, retry_after: float = 0.0) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class UserEventError(MatchMakerException, ValueError):
    """A user event was refused at the door: nobody was told."""


class UserEventRateError(UserEventError):
    """This node sends more user events than it may: try again after ``retry_after`` seconds."""

    def __init__(self, message: str | None = None, *, retry_after: float = 0.0) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class BindError(GossipError, OSError):
    """The UDP socket could not be bound (address in use, not ours, or not allowed)."""


class SeedError(GossipError):
    """A seed is malformed, or could not be resolved where that is fatal."""


class AgentClosedError(MatchMakerException, RuntimeError):
    """The agent was closed (or is closing): the call had no effect."""

    message = "the agent was closed: open a new one"


class AgentLostError(AgentClosedError):
    """The agent ended although nobody closed it: it failed, or its process was killed.

    ``returns``: it is being started again, with its registrations; try the call again later.
    """

    def __init__(self, message: str | None = None, *, returns: bool = False) -> None:
        self.returns = returns
        super().__init__(message)


class StartError(MatchMakerException, RuntimeError):
    """The agent could not be started: there was no thread, no process or no Python to run it."""


class AgentUnreachableError(GossipError, ConnectionError):
    """No agent answers at the control address."""


class ControlError(GossipError):
    """An agent refused what was asked of its control API.

    ``status`` is the HTTP status, ``kind`` the stable name of the problem (``unknown-member``).
    """

    def __init__(self, message: str, *, status: int = 0, kind: str = "") -> None:
        self.status = status
        self.kind = kind
        super().__init__(message)


class ForkedError(MatchMakerException, RuntimeError):
    """The process was forked after the agent was opened: its threads are not in this process."""

    message = "the agent was opened before this process was forked: open one in the child"


class WatchOverflowError(GossipError):
    """A watcher was too slow and was dropped: read the members again, then watch again."""


class PatchedError(MatchMakerException, RuntimeError):
    """gevent or eventlet has patched this process: the agent needs a process of its own."""

    message = "gevent or eventlet patched this process: use gossipmm.embed.child"
