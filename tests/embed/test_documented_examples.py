"""The Python examples of the page "In a Python program", run as they stand there.

Only their addresses are replaced: by a free port, and by that of a node of this process, which
serves ``compute`` as ``host-b``. What a line prints is the comment behind it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gossipmm.core.values.types import Status
from gossipmm.embed.thread import ThreadAgent
from tests.embed.helpers import SOON, config, until

PAGE = Path(__file__).parents[2] / "gossipmm/docs/embedding.md"
GEVENT = "from gevent import monkey\n\nmonkey.patch_all()"
EVENTLET = "import eventlet; eventlet.monkey_patch()"


def examples() -> dict[str, str]:
    """Return the blocks by the bold words before each."""
    blocks = re.findall(r"^\*\*(.+?)\*\*.*?^```python\n(.*?)^```", PAGE.read_text(), re.M | re.S)
    found = dict(blocks)
    found["eventlet"] = found["gevent, eventlet"].replace(GEVENT, EVENTLET)
    return found


@pytest.fixture
def host_b() -> Iterator[ThreadAgent]:
    thread = ThreadAgent(config("host-b"))
    thread.start()
    thread.register("compute")
    yield thread
    thread.close()


def test_there_is_an_example_for_each_embedding() -> None:
    assert set(examples()) == {
        "Threads",
        "Trio",
        "asyncio",
        "gevent, eventlet",
        "eventlet",
        "An RPC",
    }
    assert EVENTLET in examples()["eventlet"]


@pytest.mark.parametrize("name", examples())
def test_an_example_prints_what_it_says_and_leaves_at_its_end(
    host_b: ThreadAgent, name: str, tmp_path: Path
) -> None:
    text = examples()[name]
    expected = re.findall(r"^ *print\(.*\) *# (.*)$", text, re.M)
    assert expected
    assert len(expected) == text.count("print(")
    host, port = host_b.bound
    script = tmp_path / "example.py"
    script.write_text(
        text.replace('bind="127.0.0.1:7946"', 'bind="127.0.0.1:0"').replace(
            "127.0.0.1:7947", f"{host}:{port}"
        )
    )
    result = subprocess.run(
        # eventlet says of itself that it is old.
        [sys.executable, *(["-W", "ignore"] if name == "eventlet" else []), str(script)],
        capture_output=True,
        text=True,
        timeout=2 * SOON,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines() == expected
    until(host_b, lambda: _status(host_b, "host-a") is Status.LEFT)


def _status(thread: ThreadAgent, name: str) -> Status | None:
    """For the agent's own thread."""
    member = thread.agent.member(name)
    return member.status if member is not None else None
