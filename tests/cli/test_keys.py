"""``gossipmm keys``: what it prints, and how it ends."""

import json
import re
import shutil
import sys

import pytest

from gossipmm import keyfile
from gossipmm.cli import main
from gossipmm.core.sealing.keyring import Keyring
from gossipmm.core.values.rotation_state import Phase, RotationState
from tests.served import served


@pytest.fixture
def run(monkeypatch, capsys):
    """Run ``gossipmm keys``; returns (status, stdout, stderr)."""

    def run(*arguments, control):
        monkeypatch.setattr(sys, "argv", ["gossipmm", "keys", *arguments, "--control", control])
        with pytest.raises(SystemExit) as caught:
            main()
        out, err = capsys.readouterr()
        return caught.value.code or 0, out, err

    return run


@pytest.fixture
def two(tmp_path):
    """Agents a and b; yields a's socket and the paths of their files of keys."""
    files = [str(tmp_path / name) for name in ("a.json", "b.json")]
    keyfile.create(files[0], Keyring((keyfile.generate(),)))
    shutil.copy(*files)
    with (
        served(tmp_path / "a.sock", keyring=files[0]) as a,
        served(tmp_path / "b.sock", name="b", join=(a.address,), keyring=files[1]) as b,
    ):
        while a.do(a.agent.agreement).agree < 1 or b.do(b.agent.agreement).agree < 1:
            pass
        yield a.path, *files


def test_a_rotation_is_one_command(run, two):
    control, *files = two
    (old,) = keyfile.load(files[0]).keys
    status, out, err = run("rotate", control=control)
    assert (status, err) == (0, "")
    last = out.splitlines()[-1]
    assert re.fullmatch(
        rf"key {old.kid.hex()} -> (\w+): done; [012] of 2 members send with \1, "
        rf"{old.kid.hex()} is no longer accepted.*",
        last,
    )
    new = keyfile.load(files[0]).sending.kid.hex()
    status, out, _ = run("list", control=control)
    assert status == 0
    rows = [line.split() for line in out.splitlines()]
    assert rows[0][:2] == ["MEMBER", "STATE"]
    assert [row[:3] for row in rows[1:3]] == [["a", "live", new], ["b", "live", new]]
    assert f"removed from a: {old.kid.hex()}" in out


def test_out_of_band_says_what_is_missing_and_how_to_go_on(run, two):
    control, *files = two
    new = keyfile.generate()
    status, out, err = run("rotate", "--out-of-band", control=control)
    assert (status, out) == (2, "")
    assert "which key is the new one? Besides the one that sends there is none" in err
    keyfile.save(files[0], keyfile.load(files[0]).add(new))
    status, out, err = run("rotate", "--out-of-band", "--wait", "0.5", control=control)
    assert status == 1
    assert "1 of 2 members hold it; waiting for b (it is not in its file)" in out
    assert "gossipmm keys rotate --without b" in out
    status, out, err = run("rotate", "-o", "json", "--wait", "0", control=control)
    assert (status, json.loads(out)["rotation"]["waits_for"]) == (1, ["b"])
    keyfile.save(files[1], keyfile.load(files[1]).add(new))
    status, out, err = run("rotate", control=control)
    assert (status, err) == (0, "a rotation is under way already; this follows it\n")


def test_a_member_down_that_a_restarted_agent_forgot_is_waited_for_in_words(run, two):
    """Rotation was begun with three members; this agent has heard of two since it started."""
    control, *files = two
    old = keyfile.load(files[0]).sending
    new = keyfile.generate(old)
    using = RotationState(0, 1, Phase.USE, new.kid, old.kid, False, 3, 60)
    for file in files:
        keyfile.save(file, Keyring((new, old), rotation=using))
    with (
        served(f"{control}2", name="c", keyring=files[0]) as c,
        served(f"{control}3", name="d", join=(c.address,), keyring=files[1]),
    ):
        while c.do(c.agent.agreement).agree < 1:
            pass
        status, out, err = run("rotate", control=c.path)
    assert (status, err) == (1, "a rotation is under way already; this follows it\n")
    assert "waiting for 1 more member that c has not heard of since it started" in out
    assert f"key {old.kid.hex()} is still accepted, for" in out


def test_by_hand(run, two, tmp_path):
    control, *files = two
    (old,) = keyfile.load(files[0]).keys
    new = keyfile.generate(old)
    keyfile.create(tmp_path / "new", Keyring((new,)))
    kid = new.kid.hex()
    status, out, _ = run("add", str(tmp_path / "new"), control=control)
    assert (status, out) == (0, f"a reads key {kid}; {old.kid.hex()} sends\n")
    status, _, err = run("use", kid, control=control)
    assert (status, "b would not understand this node" in err) == (2, True)
    status, out, _ = run("remove", kid, control=control)
    assert (status, out) == (0, f"a no longer accepts key {kid}; it has {old.kid.hex()}\n")
    assert run("reload", control=control)[:2] == (0, "nothing differs\n")
    assert keyfile.load(files[0]) == Keyring((old,), (new,))


def test_wrong_use(run, two, tmp_path):
    control, *files = two
    before = keyfile.load(files[0])
    for arguments, words in (
        (("use", "zz"), "'zz' is not a key id"),
        (("use", "00"), "there is no key 00"),
        (("rotate", "--kid", "00"), "--kid is for --out-of-band"),
        (("rotate", "--without", "nobody"), "no member is called nobody: nothing was begun"),
        (("rotate", "--cancel"), "no rotation is under way"),
        (("add", str(tmp_path / "none")), "No such file"),
    ):
        status, out, err = run(*arguments, control=control)
        assert (status, out) == (2, ""), arguments
        assert words in err
    assert keyfile.load(files[0]) == before


def test_an_agent_without_a_keyring(run, tmp_path):
    with served(tmp_path / "plain.sock") as plain:
        for command in ("list", "rotate"):
            status, out, err = run(command, control=plain.path)
            assert (status, out) == (1, "")
            assert "does not encrypt" in err
