"""What type checkers see: misspelt names, keywords, events, and every example of the documents."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

import gossipmm
from gossipmm import events as public
from gossipmm import matchmaker
from gossipmm.client import event_types
from gossipmm.config import Config
from gossipmm.config_fields import ConfigFields, Settings, Strings
from gossipmm.config_handlers import Handler, QueryHandler
from gossipmm.config_services import Service
from gossipmm.core.values import events
from gossipmm.mechanisms import Mechanism

ROOT = Path(__file__).parents[1]
#: Documents whose examples are programs.
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "gossipmm/docs").glob("*.md"))]
#: Untyped packages of others, which examples import.
CONFIGURATION = """\
[mypy]
strict = true
python_version = 3.11

[mypy-gevent.*,eventlet.*]
ignore_missing_imports = true
follow_imports = skip
"""


def mypy(folder: Path, *files: Path) -> str:
    """Check programs of a user who has installed the package; return what mypy says."""
    (folder / "mypy.ini").write_text(CONFIGURATION)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", *map(str, files)],
        cwd=folder,
        env={"MYPYPATH": f"{ROOT}:{ROOT / 'sim'}", "PATH": ""},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    return done.stdout + done.stderr


def examples(document: Path) -> list[str]:
    """Return the blocks of Python of a document, as they stand there."""
    blocks = re.findall(r"^( *)```python\n(.*?)^ *```", document.read_text(), re.M | re.S)
    return [re.sub(rf"^{indent}", "", block, flags=re.M) for indent, block in blocks]


def pyright(folder: Path) -> list[tuple[str, int, str]]:
    """Check the programs of a folder with Pyright: file, line and words of each error.

    As basedpyright, which has its Node.js in a wheel; pyright's own fetches one when it first runs.
    """
    found = shutil.which("basedpyright", path=str(Path(sys.executable).parent))
    found = found or shutil.which("basedpyright")
    if found is None:
        pytest.skip("basedpyright is not installed")
    settings = {
        "typeCheckingMode": "strict",
        "pythonVersion": "3.11",
        "extraPaths": [str(ROOT), str(ROOT / "sim")],
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    done = subprocess.run(
        [found, "--pythonpath", sys.executable, "--outputjson"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    said = json.loads(done.stdout or f'"{done.stderr}"')
    assert said["summary"]["filesAnalyzed"] == len(list(folder.glob("*.py")))
    return [
        (Path(one["file"]).name, one["range"]["start"]["line"] + 1, one["message"])
        for one in said["generalDiagnostics"]
    ]


def write_examples(folder: Path) -> list[Path]:
    """Write every example of the documents as a program."""
    files = []
    for document in DOCUMENTS:
        for number, block in enumerate(examples(document)):
            files.append(folder / f"{document.stem.lower().replace('-', '_')}_{number}.py")
            files[-1].write_text(block)
    assert len(files) >= 8
    return files


WRONG = """\
from gossipmm import MatchMakerGosip
from gossipmm.matchmaker import MatchMakerGosip as Second
from gossipmm import Config, MatchMakerGossip
from gossipmm.embed.asyncio import open_agent
from gossipmm.events import MemberDied
from gossipmm.client import Client

MatchMakerGossip(nmae="x")
MatchMakerGossip(register="compute")
Config.preset("wan", gossip_interval="x")
open_agent(bind=5)
MatchMakerGossip(name="x", join=["a:1"], register={"compute"}, preset="wan", metadata={"rack": 3})
Config(bind="127.0.0.1:1", join=("a:1",))


def died(event: MemberDied) -> str:
    return event.name


def told(client: Client) -> None:
    for event in client.watch("member_died"):
        if event["event"] == "member_died":
            print(event["accusers"][0], event["nmae"])
"""
WRONG_LINES = [1, 2, 8, 9, 10, 11, 23]


@pytest.mark.timeout(300)
def test_every_example_is_typed_strictly_and_every_mistake_is_an_error(tmp_path: Path) -> None:
    """Examples and mistakes in one run of mypy, which reads all of the package each time.

    The RPC example of the README had three errors under ``mypy --strict``, and
    ``from gossipmm import MatchMakerGosip`` passed: ``__getattr__`` made any name exist.
    """
    wrong = tmp_path / "wrong.py"
    wrong.write_text(WRONG)
    said = mypy(tmp_path, *write_examples(tmp_path), wrong)
    found = re.findall(r"^(\S+?):(\d+): error", said, re.M)
    assert {file for file, _ in found} == {"wrong.py"}, said
    assert sorted({int(line) for _, line in found}) == WRONG_LINES, said


@pytest.mark.timeout(300)
def test_pyright_says_the_same_of_examples_and_mistakes(tmp_path: Path) -> None:
    """It was run by hand alone: nothing in the gate held what it says."""
    write_examples(tmp_path)
    (tmp_path / "wrong.py").write_text(WRONG)
    said = pyright(tmp_path)
    assert [one for one in said if one[0] != "wrong.py"] == []
    assert sorted({line for _, line, _ in said}) == WRONG_LINES, said


def test_the_keywords_are_the_fields_of_the_configuration() -> None:
    """One more, one fewer, or of another type, would be refused or let through at check time."""
    hints = get_type_hints(ConfigFields)
    fields = {field.name: field.type for field in dataclasses.fields(Config)}
    assert set(hints) == set(fields)
    assert set(get_type_hints(Settings)) == {*fields, "preset"}
    taken: dict[str, Any] = {
        "str": str,
        "bool": bool,
        "int": int,
        "float": float,
        "tuple[str, ...]": Strings,
        "Mapping[str, str | int | bool]": Mapping[str, str | int | bool],
        "frozenset[Mechanism]": Collection[Mechanism | str],
        "tuple[Service, ...]": Sequence[Service | Mapping[str, Any]],
        "tuple[Handler, ...]": Sequence[Handler | Mapping[str, Any]],
        "tuple[QueryHandler, ...]": Sequence[QueryHandler | Mapping[str, Any]],
    }
    assert hints == {name: taken[str(kind)] for name, kind in fields.items()}
    assert list(ConfigFields.__annotations__) == list(fields)


def test_a_clients_events_are_typed_as_the_control_api_writes_them() -> None:
    """A watch gave dictionaries of anything: a misspelt key was found when the event came."""
    text = "str"
    written = {
        "str": text,
        "NodeId": text,
        "Topic": text,
        "Address": text,
        "Generation": text,
        "bool": "bool",
        "int": "int",
        "float": "float",
        "Heartbeat": "int",
        "Drop": text,
        "PathFault": text,
        "Refusal": text,
        "RenewalReason": text,
        "HostState | None": "str | None",
        "tuple[Address, ...]": "list[str]",
        "tuple[NodeId, ...]": "list[str]",
        "tuple[str, ...]": "list[str]",
        "bytes": text,
    }
    typed = {
        get_args(get_type_hints(kind)["event"])[0]: kind
        for kind in get_args(event_types.WatchedEvent)
    }
    assert set(typed) == {"hello", "dropped", *events.KINDS}
    for name, kind in events.KINDS.items():
        shown = {
            each.name: written[str(each.type)]
            for each in dataclasses.fields(kind)
            if each.name != "at"
        }
        if name == "user_event":
            shown["payload_text"] = "str | None"  # the payload, where it is UTF-8
        found = {key: hint.__forward_arg__ for key, hint in typed[name].__annotations__.items()}
        del found["event"]
        assert found == {"time": "float", "text": text, **shown}, name


def test_every_event_is_public() -> None:
    kinds = {kind.__name__ for kind in get_args(events.Event)}
    assert set(public.__all__) == {*kinds, "Event", "KINDS"}
    for name in public.__all__:
        assert getattr(public, name) is getattr(events, name)


@pytest.mark.parametrize("module", [gossipmm, matchmaker])
def test_every_public_name_is_there_and_no_other(module: Any) -> None:
    for name in module.__all__:
        assert getattr(module, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'MatchMakerGosip'"):
        _ = module.MatchMakerGosip
