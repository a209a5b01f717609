"""Logs what is wrong with an embedded agent: no command is there that would print its events."""

from __future__ import annotations

import logging

from gossipmm.agent.agent import Agent
from gossipmm.core.values import events
from gossipmm.errors import AgentClosedError, WatchOverflowError
from gossipmm.text.events import as_line

__all__ = ("log_troubles",)

_log = logging.getLogger(__name__)

#: What concerns this node itself. Of others, a program learns by watching.
_LEVELS: dict[type[events.Event], int] = {
    events.NameConflict: logging.ERROR,
    events.Isolated: logging.WARNING,
    events.SelfImpaired: logging.WARNING,
    events.SelfSuspected: logging.WARNING,
    events.TableFull: logging.WARNING,
    events.NotAdmitted: logging.WARNING,
    events.GenerationAhead: logging.WARNING,
    events.ForeignTraffic: logging.WARNING,
    events.KeyWanted: logging.WARNING,
    events.RotationUnordered: logging.WARNING,
}
#: For whoever runs several workers of one server, the most frequent cause.
_WORKERS = (
    ". If these are workers of one server, let them share one agent (gossipmm agent, and"
    ' gossipmm.client in the workers), or give each a name of its own: name="web-{pid}"'
)


async def log_troubles(agent: Agent) -> None:
    """Log them for as long as the agent runs."""
    while True:
        try:
            async for event in agent.watch(*_LEVELS):
                line = as_line(event, agent.name)
                if line:
                    more = _WORKERS if isinstance(event, events.NameConflict) else ""
                    _log.log(_LEVELS[type(event)], "%s%s", line, more)
            return
        except WatchOverflowError:
            continue
        except AgentClosedError:  # it ended with more events than fit
            return
