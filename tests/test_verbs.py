"""Every face of an agent has the verbs of the one list (``gossipmm.verbs``), and no others.

Compared modulo ``async``, the core's ``now`` and what a transport needs: names, parameters, their
order, kinds and defaults, and answers. A verb that one face has and another lacks, or has in
another way, is in the list with its reason, or it is a mistake that this test names.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Any

import click
import pytest

from gossipmm.agent.agent import Agent
from gossipmm.agent.control import AgentMatchMaker
from gossipmm.agent.keys import AgentKeys
from gossipmm.cli.app import _MODULES, cli
from gossipmm.cli.console import Console
from gossipmm.client import Client
from gossipmm.client.blocking import ClientKeys
from gossipmm.client.trio import TrioClient, TrioClientKeys
from gossipmm.core.node import Node
from gossipmm.embed.asyncio import AsyncAgent
from gossipmm.embed.child import ChildAgent, ChildMatchMaker
from gossipmm.embed.child_keys import ChildKeys
from gossipmm.embed.keys import AsyncKeys, ThreadKeys
from gossipmm.embed.matchmaker import MatchMakerGossip
from gossipmm.embed.thread import ThreadAgent
from gossipmm.matchmaker import TableMatchMaker
from gossipmm.sidecar.api.app import ENDPOINTS
from gossipmm.sidecar.api.openapi import document
from gossipmm.verbs import VERBS, Face, Verb
from gossipmm_sim.engine.host import Host

#: The faces that are classes.
CLASSES: dict[Face, tuple[type, ...]] = {
    Face.NODE: (Node,),
    Face.AGENT: (Agent,),
    Face.THREAD: (ThreadAgent,),
    Face.ASYNCIO: (AsyncAgent,),
    Face.CHILD: (ChildAgent,),
    Face.MATCHMAKER: (TableMatchMaker, MatchMakerGossip, AgentMatchMaker, ChildMatchMaker),
    Face.CLIENT: (Client, TrioClient),
    Face.SIMULATOR: (Host,),
}
KEYS = {
    Face.AGENT: (AgentKeys,),
    Face.THREAD: (ThreadKeys,),
    Face.ASYNCIO: (AsyncKeys,),
    Face.CHILD: (ChildKeys,),
    Face.CLIENT: (ClientKeys, TrioClientKeys),
}

#: Public names of a face that say nothing to an agent, or only what this one face is for.
ONLY_THERE: dict[Face, set[str]] = {
    Face.NODE: {
        *("receive_datagram", "handle_timer", "next_timer", "datagrams_to_send", "next_event"),
        *("send_failed", "new_boot", "set_addresses"),  # what the shell tells it
        *("name", "generation", "heartbeat", "addresses", "leaving", "left"),
        "paths",  # a part of status, which every face has
        "event_stats",
    },
    Face.AGENT: {
        *("name", "generation", "addresses", "bound", "leaving", "table", "matchmaker"),
        *("io_stats", "coordinate", "event_stats", "seed_failures", "seeds_tried"),
        *("faults", "seed_trouble"),  # parts of status, which every face has
        *("tell", "end"),  # what the tasks that run it say
    },
    Face.THREAD: {
        *("start", "begin", "ask_to_close", "close"),
        *("agent", "call", "submit", "spawn", "finish"),  # any call, in the Trio thread
        *("name", "bound", "reader"),
        "let_go",  # after a fork
    },
    Face.ASYNCIO: {"name", "addresses", "bound", "table", "matchmaker"},
    Face.CHILD: {"start", "ask_to_close", "close", "let_go"},
    Face.MATCHMAKER: {
        *("open", "close", "open_agent", "over", "bound", "agent", "in_trio"),
        *("add_binding", "backend_register", "backend_unregister", "hosts", "heartbeats"),
        *("send_heartbeats", "start_heartbeat", "stop_heartbeat"),
        *("heartbeat_interval", "stop_timeout"),
    },
    Face.CLIENT: {
        *("place", "close", "aclose", "call", "get", "keys"),
        "registered",  # register, kept alive while a block runs
        *("log_level", "set_log_level", "monitor"),  # of the process: there are other ways in it
    },
    Face.SIMULATOR: {
        *("core", "table", "fingerprint", "matchmaker", "call", "down_for", "alone"),
        *("crash", "restart", "start", "stop", "left", "resolve", "new_envelope", "set_keyring"),
        *("bind", "gain_address", "lose_address", "route"),
    },
}
#: Commands that ask no agent, or put several verbs together.
OTHER_COMMANDS = {
    *("agent", "demo", "diff", "top", "log-level", "monitor", "keys", "ring"),
    *("config", "keygen", "identity", "ca", "systemd-unit", "kubernetes", "completion"),
    *("dockerfile", "alerts", "dashboard", "docs"),
}
#: Endpoints about the process, not the agent.
OTHER_ENDPOINTS = {
    *("GET /livez", "GET /readyz", "GET /metrics", "GET /v1/openapi.json"),
    *("GET /v1/log-level", "PUT /v1/log-level", "GET /v1/monitor"),
    # For programs that have a form of their own.
    *("GET /v1/prometheus/sd", "GET /v1/prometheus/sd/{topic}"),
}
#: Lines of the console that are no verb.
OTHER_LINES = {"help"}

EMPTY = inspect.Parameter.empty


@cache
def signature(takes: str, gives: str) -> inspect.Signature:
    """Return the signature that the list writes as text."""
    space: dict[str, Any] = {"KEEP": 3600.0}
    source = f"from __future__ import annotations\ndef verb({takes}) -> {gives}: ..."
    exec(source, space)
    return inspect.signature(space["verb"])


def expected(verb: Verb, face: Face) -> inspect.Signature:
    differs = verb.differs.get(face)
    takes = verb.takes if differs is None or differs.takes is None else differs.takes
    gives = verb.gives if differs is None or differs.gives is None else differs.gives
    return signature(takes, gives)


def parameters(found: inspect.Signature) -> list[tuple[str, Any, Any, str]]:
    """Return what is compared of the parameters."""
    return [
        (each.name, each.kind, each.default, plain(each.annotation))
        for each in found.parameters.values()
    ]


def plain(annotation: Any) -> str:
    """Write an annotation without names for what is a plain type."""
    text = re.sub(r"\bNodeId\b", "str", str(annotation))
    return re.sub(r"\bMatch\b", "tuple[str, str | None]", text)


def found_in(kind: type, name: str) -> inspect.Signature:
    """Return the signature of a method, without ``self`` and the core's ``now``."""
    signature = inspect.signature(getattr(kind, name))
    left = [
        each
        for position, each in enumerate(signature.parameters.values())
        if position and not (kind is Node and each.name == "now")
    ]
    return signature.replace(parameters=left)


def verbs_of(face: Face) -> Iterator[Verb]:
    return (verb for verb in VERBS if face not in verb.absent)


def on_classes() -> Iterator[Any]:
    for face, kinds in CLASSES.items():
        for verb in VERBS:
            for kind in KEYS.get(face, ()) if verb.name.startswith("keys.") else kinds:
                yield pytest.param(face, kind, verb, id=f"{kind.__name__}.{verb.name}")


# -- the list itself -------------------------------------------------------------------------------


def test_the_list_has_each_verb_once_and_a_reason_for_each_difference() -> None:
    names = [verb.name for verb in VERBS]
    assert len(names) == len(set(names))
    for verb in VERBS:
        reasons = [*verb.absent.values(), *(each.because for each in verb.differs.values())]
        assert all(len(reason) > 5 for reason in reasons), verb.name
        both = set(verb.absent) & set(verb.differs)
        assert not both, f"{verb.name} is absent from {both}: how can it differ there?"
        for face, differs in verb.differs.items():
            same = expected(verb, face) == signature(verb.takes, verb.gives)
            assert not same, f"{verb.name}: {face} does not differ ({differs.because})"
        assert bool(verb.http) is (Face.HTTP not in verb.absent), f"{verb.name}: HTTP or absent"
        assert bool(verb.command) is (Face.COMMAND not in verb.absent), f"{verb.name}: command?"


def test_what_names_something_says_what_is_given_where_that_is_unknown() -> None:
    """``missing`` is of the type of the answer."""
    for verb in VERBS:
        if verb.missing is ...:
            continue
        kind = {bool: "bool", int: "int", list: "list", tuple: "tuple", type(None): "None"}
        assert kind[type(verb.missing)] in verb.gives, verb.name


# -- faces that are classes ------------------------------------------------------------------------


@pytest.mark.parametrize(("face", "kind", "verb"), list(on_classes()))
def test_a_class_has_each_verb_as_the_list_says(face: Face, kind: type, verb: Verb) -> None:
    name = verb.name.removeprefix("keys.")
    if face in verb.absent:
        has = hasattr(kind, name) or _is_set(kind, name)
        assert not has, f"{kind.__name__}.{name} is absent from the list, but it is there"
        return
    if verb.attribute and face is not Face.CLIENT:
        is_one = isinstance(getattr(kind, name, None), property) or _is_set(kind, name)
        assert is_one, f"{kind.__name__}.{name} is no attribute"
        return
    assert hasattr(kind, name), f"{kind.__name__} lacks {name}"
    found, wanted = found_in(kind, name), expected(verb, face)
    assert parameters(found) == parameters(wanted), f"{kind.__name__}.{name}{found}"
    answer = plain(found.return_annotation).replace("AsyncGenerator", "Iterator")
    answer = re.sub(r"^Iterator\[(.*), None\]$", r"Iterator[\1]", answer)
    assert answer == str(wanted.return_annotation), f"{kind.__name__}.{name}{found}"
    assert inspect.getdoc(getattr(kind, name)), f"{kind.__name__}.{name} has no docstring"


@cache
def _attributes(kind: type) -> frozenset[str]:
    """Return the attributes that a class, or a base, sets on ``self``."""
    return frozenset(
        node.attr
        for each in kind.__mro__
        if each.__module__.startswith("gossipmm")
        for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(each))))
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    )


def _is_set(kind: type, name: str) -> bool:
    return name in _attributes(kind)


@pytest.mark.parametrize("face", CLASSES)
def test_a_class_has_no_verb_that_is_not_in_the_list(face: Face) -> None:
    listed = {verb.name for verb in VERBS}
    for kind in CLASSES[face]:
        # What a simulated machine can suffer is no face: of it, only what a program there says.
        names = vars(kind) if face is Face.SIMULATOR else dir(kind)
        public = {name for name in names if not name.startswith("_")}
        extra = public - listed - ONLY_THERE[face]
        assert not extra, f"{kind.__name__}: {sorted(extra)}: add to gossipmm/verbs first"
    gone = {
        name
        for name in ONLY_THERE[face]
        if not any(hasattr(kind, name) or _is_set(kind, name) for kind in CLASSES[face])
    }
    assert not gone, f"{face}: strike out {sorted(gone)}"


@pytest.mark.parametrize(
    "verb",
    [verb for verb in verbs_of(Face.CLIENT) if verb.name != "now"],  # which asks nobody
    ids=lambda verb: verb.name,
)
def test_one_client_waits_and_the_other_awaits(verb: Verb) -> None:
    name = verb.name.removeprefix("keys.")
    kinds = KEYS[Face.CLIENT] if verb.name.startswith("keys.") else CLASSES[Face.CLIENT]
    blocking, awaited = (getattr(kind, name) for kind in kinds)
    assert not inspect.iscoroutinefunction(blocking)
    assert inspect.iscoroutinefunction(awaited) or inspect.isasyncgenfunction(awaited)
    # But for the transport they are the same text, written once (or the same to the letter).
    assert inspect.getdoc(blocking) == inspect.getdoc(awaited), name


# -- HTTP ------------------------------------------------------------------------------------------


def _endpoint(route: str) -> Any:
    method, path = route.split()
    found = [each for each in ENDPOINTS if (each.method, each.path) == (method, path)]
    assert found, f"nothing is served at {route}"
    return found[0]


@pytest.mark.parametrize("verb", list(verbs_of(Face.HTTP)), ids=lambda verb: verb.name)
def test_http_takes_what_the_verb_takes(verb: Verb) -> None:
    wanted = expected(verb, Face.HTTP).parameters
    taken: set[str] = set()
    for route in verb.http:
        endpoint = _endpoint(route)
        body = inspect.signature(endpoint.body).parameters if endpoint.body is not None else {}
        given = [*re.findall(r"{(\w+)}", endpoint.path), *endpoint.query, *body]
        assert set(given) <= set(wanted), f"{route} takes {sorted(set(given) - set(wanted))}"
        for name, parameter in body.items():
            # Where Python says None, JSON may say an empty object; both are "nothing given".
            assert (parameter.default is EMPTY) is (wanted[name].default is EMPTY), (route, name)
        taken.update(given)
    assert taken == set(wanted), f"{verb.http} does not take {sorted(set(wanted) - taken)}"


def test_the_openapi_document_calls_a_verb_by_its_name() -> None:
    """Those of keys have names of their own there: ``add`` alone would say nothing."""
    paths = document(ENDPOINTS)["paths"]
    for verb in verbs_of(Face.HTTP):
        method, path = verb.http[0].split()
        if not verb.name.startswith("keys."):
            assert paths[path][method.lower()]["operationId"] == verb.name


def test_everything_that_is_served_is_a_verb() -> None:
    listed = {route for verb in VERBS for route in verb.http} | OTHER_ENDPOINTS
    served = {f"{each.method} {each.path}": each.deprecated for each in ENDPOINTS}
    extra = {route for route, deprecated in served.items() if not deprecated} - listed
    assert not extra, f"add to gossipmm/verbs first: {sorted(extra)}"
    assert set(served) >= OTHER_ENDPOINTS


# -- commands --------------------------------------------------------------------------------------


def _command(words: str) -> click.Command:
    group, _, name = words.partition(" ")
    module = import_module(f"gossipmm.cli.{_MODULES[group]}")
    found = getattr(module, group.replace("-", "_"))
    if name:
        found = found.commands[name]
    assert isinstance(found, click.Command)
    return found


@pytest.mark.parametrize("verb", list(verbs_of(Face.COMMAND)), ids=lambda verb: verb.name)
def test_a_command_takes_what_the_verb_takes(verb: Verb) -> None:
    """Arguments in the order of the verb; what has a default there may be left out here."""
    command = _command(verb.command)
    wanted = expected(verb, Face.COMMAND).parameters
    arguments = [each for each in command.params if isinstance(each, click.Argument)]
    options = {each.name for each in command.params if isinstance(each, click.Option)}
    positional = [each for each in wanted.values() if each.name in {one.name for one in arguments}]
    assert [each.name for each in arguments] == [each.name for each in positional]
    for argument, parameter in zip(arguments, positional, strict=True):
        required = parameter.default is EMPTY
        assert argument.required is required, f"{verb.command}: {argument.name}"
    lacking = set(wanted) - options - {each.name for each in positional}
    assert not lacking, f"gossipmm {verb.command} has no {sorted(lacking)}"


def test_every_command_is_a_verb_or_known_to_be_none() -> None:
    listed = {verb.command.split()[0] for verb in VERBS if verb.command} | OTHER_COMMANDS
    visible = set(cli.list_commands(click.Context(cli)))
    assert visible == listed, f"add to gossipmm/verbs first: {sorted(visible ^ listed)}"


# -- the console -----------------------------------------------------------------------------------


class _Asked:
    """An agent that writes down what a line of the console says to it."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        self.calls.append(name)
        raise _AskedError


class _AskedError(Exception):
    pass


def _lines() -> dict[str, Any]:
    return Console(_Asked(), print, as_json=False)._commands  # type: ignore[arg-type]


@pytest.mark.parametrize("verb", list(verbs_of(Face.CONSOLE)), ids=lambda verb: verb.name)
def test_a_line_of_the_console_says_the_verb_with_what_it_takes(verb: Verb) -> None:
    agent = _Asked()
    console = Console(agent, print, as_json=False)  # type: ignore[arg-type]
    wanted = expected(verb, Face.CONSOLE).parameters
    assert set(wanted) <= {"topic", "host", "key", "name", "seeds"}, (
        "a line has TOPIC[=HOST] or a name"
    )
    line = verb.name + (" topic=host" if wanted else "")
    with pytest.raises(_AskedError):
        console.take(line)
    aim = "drain" if verb.name == "undrain" else verb.name
    assert agent.calls[0] in (verb.name, aim, "table", "now"), f"{line!r} asks {agent.calls}"


def test_every_line_of_the_console_is_a_verb() -> None:
    listed = {verb.name for verb in verbs_of(Face.CONSOLE)} | OTHER_LINES
    assert set(_lines()) == listed
