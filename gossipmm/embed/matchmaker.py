"""The matchmaker with an agent of its own, in a thread: ``gossipmm.MatchMakerGossip``."""

from __future__ import annotations

from typing import Any, Self

from gossipmm.config import Config
from gossipmm.core.values.types import Address
from gossipmm.embed.blocking import BlockingAgent
from gossipmm.errors import MatchMakerException
from gossipmm.matchmaker import AgentControl, TableReader
from gossipmm.matchmaker.table_matchmaker import UNOPENED, TableMatchMaker
from gossipmm.settings import load_config

__all__ = ("MatchMakerGossip",)


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
    After ``close`` any call raises AgentClosedError, and in a child forked after opening
    ForkedError (both are a MatchMakerException). ``over`` makes a matchmaker for an agent that
    exists already.
    """

    def __init__(
        self,
        *,
        config: Config | None = None,
        heartbeat_interval: float | None = None,
        agent: tuple[TableReader, AgentControl] | None = None,
        **fields: Any,
    ) -> None:
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
        self._owned: BlockingAgent | None = None

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

        Of ``config`` only ``ring_file`` and ``direct_checks_liveness`` are used.
        """
        return cls(config=config, heartbeat_interval=heartbeat_interval, agent=(reader, control))

    def open(self) -> Self:
        """Open the agent now, unless it is open. Returns this matchmaker."""
        return super().open()

    def close(self) -> None:
        """Leave the cluster and stop the agent (one given to ``over`` is only released).

        Every call that waits in another thread is woken with AgentClosedError. Idempotent.
        """
        forked = self._end()  # from here on nobody can open another one
        owned, self._owned = self._owned, None
        if not forked:
            self.stop_heartbeat()
        if owned is not None:
            owned.close()

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

        agent: BlockingAgent = ThreadAgent(config)
        agent.start()
        return agent

    def _ready(self) -> None:
        """Open the agent, or say why it cannot be used. Leaves it open in this process."""
        with self._opening:
            self._check()
            if self._opened == UNOPENED:
                owned = self.open_agent(self._config)
                self._owned = owned
                self._attach(owned.reader, owned)
