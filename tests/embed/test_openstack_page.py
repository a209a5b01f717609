"""The examples of "Coming from OpenStack's matchmaker", run as they stand there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from gossipmm.config import Config
from tests.embed.helpers import SOON

PAGE = (Path(__file__).parents[2] / "gossipmm/docs/openstack.md").read_text()
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)


def test_the_page_has_its_examples() -> None:
    assert len(EXAMPLES) == 2
    assert "rpc_zmq_matchmaker = gossipmm.matchmaker.MatchMakerGossip" in PAGE


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_prints_what_it_says(number: int, tmp_path: Path) -> None:
    text = EXAMPLES[number]
    expected = re.findall(r"^ *print\(.*\) *# (.*)$", text, re.M)
    assert len(expected) == text.count("print(") >= 3
    script = tmp_path / "example.py"
    script.write_text(text.replace("127.0.0.1:7946", "127.0.0.1:0"))
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=SOON, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == expected


def test_the_settings_that_it_names_exist() -> None:
    table = PAGE.split("## Settings that matter")[1].split("## What differs")[0]
    named = set(re.findall(r"`([a-z_]+)`", "".join(re.findall(r"^\| (.*?) \|", table, re.M))))
    fields = set(Config.__dataclass_fields__)
    assert named - {"heartbeat_interval"} <= fields
    assert {"name", "bind", "join", "direct_checks_liveness", "ring_file"} <= named
