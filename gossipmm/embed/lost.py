"""What becomes of a program whose agent is gone: it is told, and its lookups are marked stale."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeAlias

from gossipmm.core.values.types import HostState, TopicView
from gossipmm.errors import AgentLostError

__all__ = ("OnLost", "stale", "tell")

#: Called when an agent ended although nobody closed it, in a thread of the agent: it may ask and
#: close the agent, and should not wait for other threads.
OnLost: TypeAlias = Callable[[AgentLostError], object]

_log = logging.getLogger(__name__)


def stale(view: TopicView) -> TopicView:
    """Return a topic as nobody vouches for it now: the same picks, no host of them alive."""
    entries = {host: entry._replace(state=HostState.STALE) for host, entry in view.entries.items()}
    return view._replace(entries=entries, stale=True)


def tell(on_lost: OnLost | None, lost: AgentLostError) -> None:
    """Call the program back. Its errors are logged: nobody here can act on them."""
    if on_lost is not None:
        try:
            on_lost(lost)
        except Exception:
            _log.exception("on_lost failed")
