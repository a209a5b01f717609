"""The matchmaker with an agent of its own, in a thread: ``gossipmm.MatchMakerGossip``."""

from __future__ import annotations

import os
import sys
import threading
import warnings
from typing import TYPE_CHECKING, Self, Unpack

from gossipmm.config import Config
from gossipmm.core.values.types import Address
from gossipmm.embed.blocking import BlockingAgent
from gossipmm.embed.lost import OnLost
from gossipmm.embed.outcome import Outcome
from gossipmm.errors import AgentClosedError, ForkedError, MatchMakerException
from gossipmm.matchmaker import AgentControl, TableReader
from gossipmm.matchmaker.table_matchmaker import CLOSED, UNOPENED, TableMatchMaker
from gossipmm.settings import load_config

if TYPE_CHECKING:
    from gossipmm.config_fields import Settings

__all__ = ("MatchMakerGossip",)

#: Seconds that closing waits for another thread that opens the agent at that moment.
_OPENING = 15.0


class _Opening(Outcome[None]):
    """One thread opens the agent; the others that need it wait for that."""

    def __init__(self) -> None:
        super().__init__()
        self.pid = os.getpid()
        self.thread = threading.get_ident()

    def by_another_thread(self) -> bool:
        """Return whether another thread of this process opens it."""
        return self.pid == os.getpid() and self.thread != threading.get_ident()


class MatchMakerGossip(TableMatchMaker):
    """Resolves keys by the live hosts that the cluster's agents know.

    Takes the fields of ``gossipmm.config.Config`` as keywords (``name=``, ``bind=``,
    ``join=[...]``, ...; ``preset="wan"`` for another preset), or a whole ``config``; without any,
    the configuration file and the environment. The agent is opened by the first call, in a
    thread of its own, so that a matchmaker may be built before a program forks. Open it at a
    known place, and close it, with ``with``::

        with MatchMakerGossip(name="host-a", bind="10.0.0.1:7946", join=["seed:7946"]) as mm:
            mm.register("compute", "host-a")
            mm.queues("compute")              # [("compute.host-b", "host-b")]

    Building one raises ConfigError, SeedError or RingFileError; opening it BindError, or
    PatchedError under gevent or eventlet (use ``gossipmm.embed.child.ChildMatchMaker`` there).
    After ``close`` any call raises AgentClosedError, and in a child forked after opening, or
    while another thread opened it, ForkedError (all are a MatchMakerException). ``over`` makes a
    matchmaker for an agent that exists already.

    ``on_lost`` is called if the agent ends although nobody closed it, in a thread of the agent and
    with an AgentLostError. From then on lookups answer the hosts that were known last, marked
    stale, and every other call raises that error. ``close`` may be called by a signal handler, at
    any moment. One that is dropped without it closes its agent, and says so by a ResourceWarning.
    """

    def __init__(
        self,
        *,
        config: Config | None = None,
        heartbeat_interval: float | None = None,
        agent: tuple[TableReader, AgentControl] | None = None,
        on_lost: OnLost | None = None,
        **fields: Unpack[Settings],
    ) -> None:
        self._owned: BlockingAgent | None = None
        self._on_lost = on_lost
        self._closing = False
        #: The opening under way, under the only key 0.
        self._openings: dict[int, _Opening] = {}
        if config is None:
            # Keywords are the whole configuration: no file and no environment is read besides them.
            environ = {"GOSSIPMM_CONFIG": ""} if fields or agent else None
            config = load_config(environ=environ, **fields)
        elif fields:
            raise TypeError("give either a config or its fields, not both")
        elif not isinstance(config, Config):
            raise TypeError(
                f"config: a gossipmm.Config, not {type(config).__name__}; give a map as **fields"
            )
        reader, control = agent or (None, None)
        super().__init__(reader, control, config=config, heartbeat_interval=heartbeat_interval)

    @classmethod
    def over(
        cls,
        reader: TableReader,
        control: AgentControl,
        *,
        config: Config | None = None,
        heartbeat_interval: float | None = None,
    ) -> Self:
        """Return a matchmaker for an agent that somebody else opens and closes.

        Of ``config`` only ``ring_file``, ``direct_checks_liveness``, ``prefer`` and ``zone_spill``
        are used.
        """
        return cls(config=config, heartbeat_interval=heartbeat_interval, agent=(reader, control))

    def open(self) -> Self:
        """Open the agent now, unless it is open. Returns this matchmaker."""
        return super().open()

    def close(self) -> None:
        """Leave the cluster and stop the agent (one given to ``over`` is only released).

        Every call that waits in another thread is woken with AgentClosedError. Idempotent.
        """
        self._closing = True
        forked = self._end()  # from here on nobody can open another one
        opening = self._openings.get(0)
        # The thread that opens it sees that, and closes it; here that may be interrupted code.
        if opening is not None and opening.by_another_thread():
            opening.wait(_OPENING)
        owned, self._owned = self._owned, None
        if not forked:
            self.stop_heartbeat()
        if owned is not None:
            owned.close()

    def __del__(self) -> None:
        owned = getattr(self, "_owned", None)
        if owned is not None and not sys.is_finalizing():  # at exit it has left
            warnings.warn(
                f"{type(self).__name__} of node {owned.name} was dropped, but not closed: call"
                " close(), or use it in a with statement",
                ResourceWarning,
                source=self,
                stacklevel=2,
            )
            owned.ask_to_close()

    @property
    def agent(self) -> BlockingAgent:
        """The agent of this matchmaker: members, evidence, events and the rest.

        Opens it. Raises MatchMakerException for an agent given to ``over``: ask that one.
        """
        self.open()
        if self._owned is None:
            raise MatchMakerException("this matchmaker did not open its agent: ask that one")
        return self._owned

    @property
    def bound(self) -> Address:
        """The (IP literal, port) that the agent's socket is bound to, for others to join.

        Raises MatchMakerException for an agent given to ``over``: ask that one.
        """
        return self.agent.bound

    def wait_joined(self, timeout: float | None = None) -> bool:
        """Wait until the table has agreed with a peer; False when ``timeout`` seconds passed.

        An agent given to ``over`` is not waited for: the answer is whether it has by now.
        """
        self.open()
        owned = self._owned
        return super().wait_joined() if owned is None else owned.wait_joined(timeout)

    def open_agent(self, config: Config) -> BlockingAgent:
        """Open an agent for this matchmaker alone. A subclass may bring another kind."""
        from gossipmm.embed.patched import refuse_patched

        refuse_patched("MatchMakerGossip")  # Trio cannot even be imported beside eventlet
        from gossipmm.embed.thread import ThreadAgent

        agent: BlockingAgent = ThreadAgent(config, on_lost=self._on_lost)
        agent.start()
        return agent

    def _ready(self) -> None:
        """Open the agent, or say why it cannot be used. Leaves it open in this process.

        No lock is held meanwhile: a fork would leave it held in the child, and a signal handler
        that closes this matchmaker could wait for the very code that it interrupted.
        """
        while True:
            self._check()
            if self._opened != UNOPENED:
                return
            mine = _Opening()
            opening = self._openings.setdefault(0, mine)
            if opening is mine:
                try:
                    self._open(mine)
                finally:
                    self._openings.pop(0, None)
                    mine.set_result(None)
                return
            if opening.pid != os.getpid():
                raise ForkedError(
                    f"this matchmaker was being opened in process {opening.pid} when that was "
                    "forked: build one in the child"
                )
            if opening.thread == threading.get_ident():
                raise MatchMakerException(
                    "this call interrupted the one that opens the agent, and would wait for it: "
                    "in a signal handler call close() only"
                )
            opening.wait()

    def _open(self, opening: _Opening) -> None:
        if self._closing or self._opened != UNOPENED:
            self._check()  # another thread was faster
            return
        owned = self.open_agent(self._config)
        if os.getpid() != opening.pid:
            raise ForkedError("this process was forked while the agent was opened")
        self._owned = owned
        self._attach(owned.reader, owned)
        if self._closing:  # meanwhile, by another thread or a signal handler
            self._opened = CLOSED
            self._owned = None
            owned.close()
            raise AgentClosedError("this matchmaker was closed while it opened: build a new one")
