"""The types of which the list of verbs consists."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

__all__ = ("Differs", "Face", "Scope", "Verb")


class Face(StrEnum):
    """Where a program, or a person, meets an agent."""

    NODE = "node"  #: ``gossipmm.core.node.Node``: every call takes ``now``
    AGENT = "agent"  #: ``gossipmm.Agent``, under Trio
    THREAD = "thread"  #: ``gossipmm.embed.thread.ThreadAgent``
    ASYNCIO = "asyncio"  #: ``gossipmm.embed.asyncio.AsyncAgent``
    CHILD = "child"  #: ``gossipmm.embed.child.ChildAgent``
    MATCHMAKER = "matchmaker"  #: ``MatchMakerGossip`` and its kin
    CLIENT = "client"  #: ``gossipmm.client.Client`` and ``TrioClient``
    HTTP = "http"  #: the control API
    COMMAND = "command"  #: ``gossipmm NAME``
    CONSOLE = "console"  #: lines on the standard input of ``gossipmm agent``
    SIMULATOR = "simulator"  #: ``gossipmm_sim.engine.host.Host``


class Scope(StrEnum):
    """The subject of a verb."""

    OWN = "own"  #: registrations made with this agent
    TABLE = "table"  #: hosts that any member registers
    NODE = "node"  #: members, and this node itself
    OPS = "ops"  #: what an operator does


class Differs(NamedTuple):
    """How a face deviates from the list in one verb."""

    because: str
    #: Its parameters; None: as the list says.
    takes: str | None = None
    #: Its answer; None: as the list says.
    gives: str | None = None


class Verb(NamedTuple):
    """One verb. Parameters and answer are written as in a Python signature."""

    name: str
    scope: Scope
    takes: str = ""
    gives: str = "None"
    #: The answer if what was named is unknown; ``...``: it names nothing.
    missing: object = ...
    #: An attribute, not a call; on faces that have to ask for it, a call without arguments.
    attribute: bool = False
    #: Method and paths of the control API. What is not in the path is in the query or the body.
    http: tuple[str, ...] = ()
    #: Words of the command.
    command: str = ""
    #: Face -> why it lacks the verb.
    absent: Mapping[Face, str] = {}
    #: Face -> how it deviates.
    differs: Mapping[Face, Differs] = {}
