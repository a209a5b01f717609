"""``gossipmm keygen``, as a process: what it writes, and what it never does."""

import stat
import subprocess
import sys

from gossipmm import keyfile


def keygen(*arguments):
    command = [sys.executable, "-m", "gossipmm", "keygen", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


def test_a_new_file_holds_one_key_that_only_the_owner_can_read(tmp_path):
    path = tmp_path / "keys"
    done = keygen(str(path))
    (key,) = keyfile.load(path).keys
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{path}: key {key.kid.hex()}, mode 0600\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_without_a_file_it_comes_on_stdout():
    done = keygen()
    assert done.returncode == 0
    assert len(keyfile.parse(done.stdout, "stdout").keys) == 1
    assert keygen().stdout != done.stdout


def test_an_existing_file_is_left_alone_or_added_to(tmp_path):
    path = tmp_path / "keys"
    keygen(str(path))
    before = keyfile.load(path)
    done = keygen(str(path))
    assert done.returncode == 2
    assert f"{path}: already exists" in done.stderr
    assert keyfile.load(path) == before
    done = keygen("--add", str(path))
    first, second = keyfile.load(path).keys
    assert first == before.sending
    assert done.stdout == f"{path}: key {second.kid.hex()} added; {first.kid.hex()} still sends\n"


def test_wrong_use_says_what_is_missing(tmp_path):
    assert "needs the FILE" in keygen("--add").stderr
    done = keygen("--add", str(tmp_path / "none"))
    assert done.returncode == 2
    assert "cannot be read: No such file" in done.stderr
