"""``gossipmm rtt`` and ``members --near``, as an operator types them."""

import json
import re
import time

import pytest
from click.testing import CliRunner

from gossipmm.cli.app import cli
from tests.served import served


@pytest.fixture
def run(tmp_path, monkeypatch):
    with (
        served(tmp_path / "a.sock", name="a", distances=True) as a,
        served(tmp_path / "b.sock", name="b", join=(a.address,), distances=True) as b,
        served(tmp_path / "c.sock", name="c", join=(a.address,)) as c,
    ):
        while not all(len(one.do(one.agent.members)) == 3 for one in (a, b, c)):
            time.sleep(0.01)
        while a.do(lambda: a.agent.member("b").rtt) is None:
            time.sleep(0.01)
        monkeypatch.setenv("GOSSIPMM_CONTROL", a.path)

        def run(*arguments):
            found = CliRunner().invoke(cli, arguments)
            return found.exit_code, found.stdout, found.stderr

        yield run


def test_distances_are_shown(run):
    status, out, _ = run("rtt", "b")
    assert status == 0
    assert out.startswith("b - this node: ")
    assert json.loads(run("rtt", "b", "a", "-o", "json")[1])["outcome"] == "done"
    status, _, err = run("rtt", "nobody")
    assert (status, "nobody: no other member has that name" in err) == (1, True)
    status, _, err = run("rtt", "b", "c")
    assert status == 1
    assert "c: it keeps no coordinate (distances = true, there)" in err
    assert run("rtt", "zz", "-o", "json")[0] == 1
    status, out, err = run("members", "--near")
    assert [line.split()[0] for line in out.splitlines()] == ["NAME", "a", "b", "c"]
    assert "DISTANCE" in out
    assert re.search(r"^b .* \d+\.\d ms ±\d+% ", out, re.M)
    assert re.search(
        r"^distances +on; estimates from here are usually \d+% off$", run("status")[1], re.M
    )
    assert "1 member of unknown distance" in err
