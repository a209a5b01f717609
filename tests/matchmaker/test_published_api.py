"""Every name on the published API page exists, under its own name, and takes what it took."""

from __future__ import annotations

import builtins
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from gossipmm import matchmaker
from gossipmm.agent.control import AgentMatchMaker
from gossipmm.embed.child import ChildMatchMaker

PAGE = Path(__file__).with_name("published_api.txt")


class Published(NamedTuple):
    """A class of the page. ``arguments`` and the values of ``methods`` are as they stand there."""

    name: str
    arguments: str
    base: str
    methods: dict[str, str]
    attributes: dict[str, str]


def published() -> Iterator[Published]:
    """Parse the page."""
    blocks = re.split(r"\n\n(?=class |exception )", PAGE.read_text())[1:]
    for block in blocks:
        head, base, *lines = block.strip().splitlines()
        match = re.fullmatch(r"(?:class|exception) (\w+)(?:\((.*)\))?", head)
        assert match, head
        methods = dict(re.findall(r"^ {4}(\w+)\((.*)\)$", "\n".join(lines), re.M))
        attributes = dict(re.findall(r"^ {4}(\w+) = u?(.*)$", "\n".join(lines), re.M))
        assert len(methods) + len(attributes) == len(lines), block
        yield Published(match[1], match[2] or "", base.split()[-1], methods, attributes)


CLASSES = {each.name: each for each in published()}
METHODS = [(each.name, name) for each in CLASSES.values() for name in each.methods]


def parameters(arguments: str) -> dict[str, Any]:
    """Return argument name -> default (or ``Parameter.empty``)."""
    function: Any = eval(f"lambda {arguments}: None")
    return {name: p.default for name, p in inspect.signature(function).parameters.items()}


def test_the_page_is_read() -> None:
    assert len(CLASSES) == 17
    assert len(METHODS) == 28
    assert parameters(CLASSES["MatchMakerBase"].methods["add_binding"])["last"] is True


@pytest.mark.parametrize("name", CLASSES)
def test_a_published_class_exists_with_its_base_and_its_arguments(name: str) -> None:
    page, ours = CLASSES[name], getattr(matchmaker, name)
    assert name in matchmaker.__all__
    base = getattr(matchmaker, page.base, None) or getattr(builtins, page.base)
    assert issubclass(ours, base)
    for attribute, value in page.attributes.items():
        assert getattr(ours, attribute) == eval(value)
    if page.arguments:
        found = inspect.signature(ours).parameters
        for argument, default in parameters(page.arguments).items():
            assert found[argument].default == default


def test_the_message_of_an_error_without_words_is_the_published_one() -> None:
    with pytest.raises(matchmaker.MatchMakerException) as caught:
        raise matchmaker.MatchMakerException
    assert str(caught.value) == caught.value.message == "Match not found by MatchMaker."


@pytest.mark.parametrize(("name", "method"), METHODS)
def test_a_published_method_takes_its_arguments_by_place_and_by_name(
    name: str, method: str
) -> None:
    arguments = parameters(CLASSES[name].methods[method])
    takes(getattr(matchmaker, name), method, arguments)


@pytest.mark.parametrize(
    "ours",
    [
        matchmaker.MatchMakerGossip,
        matchmaker.TableMatchMaker,
        AgentMatchMaker,
        ChildMatchMaker,
        matchmaker.MatchMakerRing,
        matchmaker.MatchMakerStub,
        matchmaker.MatchMakerLocalhost,
    ],
)
def test_each_matchmaker_takes_every_published_call(ours: type) -> None:
    bases = [CLASSES["MatchMakerBase"], CLASSES["HeartbeatMatchMakerBase"]]
    for base in bases:
        if issubclass(ours, getattr(matchmaker, base.name)):
            for method, arguments in base.methods.items():
                takes(ours, method, parameters(arguments))


def takes(ours: type, method: str, arguments: dict[str, Any]) -> None:
    signature = inspect.signature(getattr(ours, method))
    signature.bind("self", *arguments)
    signature.bind("self", **dict.fromkeys(arguments))
    required = [
        argument
        for argument in list(signature.parameters.values())[1:]
        if argument.default is argument.empty
    ]
    assert len(required) <= len(arguments)
    for argument, default in arguments.items():
        if default is not inspect.Parameter.empty:
            assert signature.parameters[argument].default == default


@pytest.mark.parametrize("name", [*CLASSES, "MatchMakerGossip"])
def test_a_dotted_path_in_a_configuration_file_builds_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``rpc_zmq_matchmaker = gossipmm.matchmaker.MatchMakerGossip``: imported, called bare."""
    for variable in ("GOSSIPMM_CONFIG", "GOSSIPMM_RING_FILE"):
        monkeypatch.setenv(variable, "")
    module, _, last = f"gossipmm.matchmaker.{name}".rpartition(".")
    getattr(importlib.import_module(module), last)()
