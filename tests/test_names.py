"""One mistake, one answer: each bad name is fed to every face, and all say the same sentence.

Three places had rules of their own. A topic with a dot "had a dot, which parts topic and host" from
the agent, "had a dot: keys are split" from a matchmaker, and was nothing at all to a configuration
file until the agent was opened.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
import trio

from gossipmm.cli import main
from gossipmm.cli.console import Console
from gossipmm.client import Client
from gossipmm.client.trio import TrioClient
from gossipmm.config import Config
from gossipmm.embed.child import ChildAgent
from gossipmm.errors import ConfigError, GossipError, LimitError, RegistrationError
from gossipmm.matchmaker import HeartbeatMatchMakerBase
from gossipmm.names import check_registration, checked_metadata, why_not_name
from gossipmm.settings import load_config
from gossipmm.sidecar.api.app import application
from gossipmm.sidecar.api.state import State
from gossipmm.sidecar.http.messages import Request
from tests.core.test_registrations import node_with
from tests.matchmaker.helpers import gossip
from tests.served import Served, served

Registration = tuple[Any, Any]

BAD: dict[str, tuple[Registration, str]] = {
    "empty topic": (("", "h"), "topic must not be empty"),
    "topic with a dot": (
        ("a.b", "h"),
        "topic 'a.b' contains a dot, which separates topic from host in a direct key",
    ),
    "topic with a tilde": (
        ("a~b", "h"),
        "topic 'a~b' contains '~', which ends the prefix of a fanout key",
    ),
    "topic fanout": (
        ("fanout", "h"),
        "topic 'fanout' is reserved: 'fanout.x' and 'fanout~x' are fanout keys",
    ),
    "topic with a newline": (("a\nb", "h"), r"topic 'a\nb' contains control characters"),
    "topic with DEL": (("a\x7fb", "h"), r"topic 'a\x7fb' contains control characters"),
    "topic with C1": (("a\x9fb", "h"), r"topic 'a\x9fb' contains control characters"),
    "topic with a surrogate": (("a\ud800", "h"), r"topic 'a\ud800' is not valid UTF-8 text"),
    "empty host": (("t", ""), "host must not be empty"),
    "host with NUL": (("t", "h\0x"), r"host 'h\x00x' contains control characters"),
    "host with a surrogate": (("t", "\udfff"), r"host '\udfff' is not valid UTF-8 text"),
    "topic of bytes": ((b"a", "h"), "topic must be a string, not bytes: b'a'"),
    "topic a number": ((5, "h"), "topic must be a string, not int: 5"),
    "no host at all": (("t", ["h"]), "host must be a string, not list: ['h']"),
}

#: Faces that a mistake does not get to: a path, a command line or TOML cannot say it.
UNSAID = {
    "control_api": ("empty", "surrogate", "bytes", "number", "at all"),
    "command": ("bytes", "number", "at all"),
    "console": ("bytes", "number", "at all"),
    "file": ("surrogate", "bytes", "number", "at all"),
}


class Faces:
    """Every way to register, each as a function that says why it was refused."""

    def __init__(self, agent: Served, folder: Any, monkeypatch: Any, capsys: Any) -> None:
        self._agent = agent
        self._folder = folder
        self._patch = monkeypatch
        self._capsys = capsys

    def core(self, topic: Any, host: Any) -> str:
        return refusal(node_with().register, topic, host, now=0.0)

    def agent(self, topic: Any, host: Any) -> str:
        return refusal(self._agent.do, self._agent.agent.register, topic, host)

    def matchmaker(self, topic: Any, host: Any) -> str:
        return refusal(gossip()[0].register, topic, host)

    def classical_matchmaker(self, topic: Any, host: Any) -> str:
        return refusal(HeartbeatMatchMakerBase().register, topic, host)

    def blocking_client(self, topic: Any, host: Any) -> str:
        with Client(self._agent.path) as client:
            return refusal(client.register, topic, host)

    def trio_client(self, topic: Any, host: Any) -> str:
        async def ask() -> str:
            async with TrioClient(self._agent.path) as client:
                try:
                    await client.register(topic, host)
                except RegistrationError as exc:
                    return str(exc)
            return "accepted"

        return trio.run(ask)

    def control_api(self, topic: str, host: str) -> str:
        target = f"/v1/registrations/{quote(topic)}/{quote(host)}".encode()
        serve = application(State(self._agent.agent, lambda: None))
        answer: Any = self._agent.do(serve, Request("PUT", target, {}, b"{}"))
        return str(json.loads(answer.body).get("detail", "accepted"))

    def command(self, topic: str, host: str) -> str:
        self._patch.setenv("GOSSIPMM_CONTROL", self._agent.path)
        self._patch.setattr(sys, "argv", ["gossipmm", "register", topic, host])
        with pytest.raises(SystemExit):
            main()
        return str(self._capsys.readouterr().err).strip().removeprefix("gossipmm: ")

    def console(self, topic: str, host: str) -> str:
        said: list[str] = []
        console = Console(self._agent.agent, said.append, as_json=False)
        self._agent.do(console.take, f"register {topic}={host}")
        return said[0].removeprefix("error: ")

    def file(self, topic: str, host: str) -> str:
        path = self._folder / "gossipmm.toml"
        path.write_text(f"register = [{json.dumps(f'{topic}={host}')}]".replace("\x7f", "\\u007f"))
        return refusal(load_config, path, environ={}).removeprefix(f"{path}: register: ")


FACES = [name for name in vars(Faces) if not name.startswith("_")]


def refusal(call: Callable[..., Any], *arguments: Any, **keywords: Any) -> str:
    """Call, and say why it was refused."""
    try:
        call(*arguments, **keywords)
    except (RegistrationError, ConfigError) as exc:
        return str(exc)
    return "accepted"


@pytest.fixture(scope="module")
def one(tmp_path_factory: Any) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("names") / "a.sock") as agent:
        yield agent


@pytest.fixture
def faces(one: Served, tmp_path: Any, monkeypatch: Any, capsys: Any) -> Faces:
    return Faces(one, tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("what", BAD)
def test_every_face_says_the_same_of_a_registration(faces: Faces, face: str, what: str) -> None:
    (topic, host), sentence = BAD[what]
    if any(word in what for word in UNSAID.get(face, ())):
        return
    said = getattr(faces, face)(topic, host)
    if face in ("console", "file"):  # a missing half is a mistake in writing, too
        said = said.partition(": write TOPIC or TOPIC=HOST, not ")[0]
    assert said == sentence


def test_what_is_unsaid_is_unsaid_for_a_face_that_there_is() -> None:
    assert set(UNSAID) <= set(FACES)
    assert all(any(word in what for what in BAD) for words in UNSAID.values() for word in words)


@pytest.mark.parametrize("face", FACES)
def test_every_face_takes_what_is_allowed(faces: Faces, face: str) -> None:
    """So that the test above compares refusals, not faces that refuse everything."""
    if face == "classical_matchmaker":  # it defines no backend
        check_registration("compute", "host-a.example:80")
    else:
        said = getattr(faces, face)("compute", "host-a.example:80")
        assert said in ("accepted", "", "registered compute for host-a.example:80")


# -- nodes and clusters ----------------------------------------------------------------------

BAD_NAMES = {
    "a\tb": r"contains control characters",
    "\x85": r"contains control characters",
    "a\ud800": "is not valid UTF-8 text",
    "é" * 33: "takes 66 bytes, more than the 64 allowed",
}


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_bad_name_of_a_node_is_told_alike_by_core_configuration_and_command(
    name: str, monkeypatch: Any, capsys: Any
) -> None:
    sentence = f"name: node name {name!r} {BAD_NAMES[name]}"
    assert refusal(node_with, name=name) == sentence
    assert refusal(Config, name=name) == sentence
    assert refusal(load_config, environ={"GOSSIPMM_CONFIG": ""}, name=name) == (
        f"keywords: {sentence}"
    )
    monkeypatch.setenv("GOSSIPMM_CONFIG", "")
    monkeypatch.setattr(sys, "argv", ["gossipmm", "agent", "--name", name])
    with pytest.raises(SystemExit):
        main()
    assert capsys.readouterr().err.strip() == f"gossipmm: flags: {sentence}"


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_bad_name_of_a_cluster_is_told_likewise(name: str) -> None:
    assert refusal(Config, cluster=name) == f"cluster: cluster name {name!r} {BAD_NAMES[name]}"


def test_a_name_must_be_there() -> None:
    assert refusal(Config, cluster="") == "cluster: cluster name must not be empty"
    assert refusal(node_with, name="") == "name: node name must not be empty"
    assert Config(name="").name == ""  # the host's, once it is opened
    assert why_not_name("node name", 7) == "node name must be a string, not int: 7"


# -- times to live -----------------------------------------------------------------------------


@pytest.mark.parametrize("ttl", ["5", True, 0, -1.0, float("nan"), float("inf"), [5]])
def test_every_face_says_the_same_of_a_time_to_live(one: Served, ttl: Any) -> None:
    """NaN compares with nothing: in the heap of deadlines it would stop all timers after it."""
    sentence = f"ttl must be a finite number of seconds above 0, not {ttl!r}"
    with Client(one.path) as client:
        said = {
            "core": refusal(node_with().register, "t", "h", ttl=ttl, now=0.0),
            "agent": refusal(lambda: one.do(lambda: one.agent.register("t", "h", ttl=ttl))),
            "matchmaker": refusal(gossip()[0].register, "t", "h", ttl=ttl),
            "client": refusal(client.register, "t", "h", ttl=ttl),
        }
    assert said == dict.fromkeys(said, sentence)


# -- metadata --------------------------------------------------------------------------------

BAD_METADATA: dict[str, tuple[Any, str]] = {
    "a float": ({"a": 0.5}, "metadata of 't': 'a': 0.5 is not a string, an integer or a boolean"),
    "None": ({"a": None}, "metadata of 't': 'a': None is not a string, an integer or a boolean"),
    "a list": ({"a": [1]}, "metadata of 't': 'a': [1] is not a string, an integer or a boolean"),
    "65 bits": ({"a": 1 << 63}, f"metadata of 't': 'a': {1 << 63} does not fit into 64 bits"),
    "a surrogate": ({"a": "\ud800"}, r"metadata of 't': 'a': '\ud800' is not valid UTF-8 text"),
    "a line break": (
        {"a": "x\ny"},
        r"metadata of 't': 'a': 'x\ny' contains control characters",
    ),
    "an escape": ({"a\x9b": 1}, r"metadata of 't': key 'a\x9b' contains control characters"),
    "a bad key": ({"\ud800": 1}, r"metadata of 't': key '\ud800' is not valid UTF-8 text"),
    "a number as key": ({1: 2}, "metadata of 't': key must be a string, not int: 1"),
    "no map": (["a"], "metadata of 't' must be a map, not list: ['a']"),
    "too much": (
        {str(n): n for n in range(65)},
        "metadata of 't' has 65 items, more than the 64 allowed",
    ),
}


@pytest.mark.parametrize("what", BAD_METADATA)
def test_every_face_says_the_same_of_metadata(one: Served, what: str) -> None:
    metadata, sentence = BAD_METADATA[what]
    with Client(one.path) as client:
        said = {
            "core": refusal(node_with().register, "t", "h", metadata, now=0.0),
            "agent": refusal(one.do, one.agent.register, "t", "h", metadata),
            "matchmaker": refusal(lambda: gossip()[0].register("t", "h", metadata=metadata)),
            "client": refusal(client.register, "t", "h", metadata),
            "child": refusal(ChildAgent(Config(name="c")).register, "t", "h", metadata),
        }
    assert said == dict.fromkeys(said, sentence)


@pytest.mark.parametrize("value", [0.5, [1]])
def test_a_configuration_says_the_same_of_a_value(value: Any) -> None:
    sentence = f"{value!r} is not a string, an integer or a boolean"
    said = refusal(load_config, environ={"GOSSIPMM_CONFIG": ""}, metadata={"zone": value})
    assert said == f"keywords: metadata.zone: {sentence}"
    assert refusal(checked_metadata, "node 'a'", {"zone": value}).endswith(sentence)


def test_too_much_metadata_is_a_limit() -> None:
    with pytest.raises(LimitError):
        checked_metadata("'t'", BAD_METADATA["too much"][0])
    with pytest.raises(GossipError):
        checked_metadata("'t'", {"a": 0.5})


def test_the_rules_import_nothing_heavy() -> None:
    """The light client asks them in hosts that have the standard library only.

    Of the core it has the values that answers are made of, which import nothing.
    """
    script = (
        "import sys,  gossipmm.names, gossipmm.client.calls; "
        "core = {m for m in sys.modules if m.startswith('gossipmm.core.')"
        "        and not m.startswith('gossipmm.core.values')};"
        "print(sorted(core | {'trio', 'cbor2', 'msgspec'} & set(sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "[]\n"
