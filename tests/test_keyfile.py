"""Files of keys: what is read, what is refused, and that a failed write changes nothing."""

from __future__ import annotations

import base64
import json
import os
import random
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from gossipmm import keyfile
from gossipmm.config import Config
from gossipmm.core.sealing import cose
from gossipmm.core.sealing.envelope import CoseEnvelope, PlainEnvelope
from gossipmm.core.sealing.keyring import Key, Keyring
from gossipmm.core.values.rotation_state import Phase, RotationState
from gossipmm.errors import GossipError, KeyringError

A, B = Key(b"\x9f\x3a", bytes(range(32))), Key(b"\x07", bytes(range(100, 132)))
SECRETS = [base64.b64encode(key.secret).decode() for key in (A, B)]


def put(path: Path, data: object, mode: int = 0o600) -> Path:
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    path.chmod(mode)
    return path


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_says_which_key_sends_and_which_are_retired(tmp_path: Path) -> None:
    rows = [
        {"kid": "9f3a", "key": SECRETS[0]},
        {"kid": "07", "key": SECRETS[1], "retired": True},
    ]
    assert keyfile.load(put(tmp_path / "keys", rows)) == Keyring((A,), (B,))


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    for ring in (Keyring((A,)), Keyring((B, A)), Keyring((A,), (B,))):
        keyfile.save(path, ring)
        assert keyfile.load(path) == ring
        assert keyfile.parse(keyfile.dump(ring), "x") == ring
    assert mode_of(path) == 0o600
    assert os.listdir(tmp_path) == ["keys"]


def test_how_far_a_rotation_came_is_in_the_file(tmp_path: Path) -> None:
    register = RotationState(1, 7, Phase.USE, b"\x02\x03", b"\x01", True, 5, 3600)
    ring = Keyring((Key(b"\x01", b"k" * 32),), rotation=register)
    keyfile.create(tmp_path / "keys", ring)
    assert keyfile.load(tmp_path / "keys") == ring
    row = json.loads((tmp_path / "keys").read_text())[-1]["rotation"]
    assert (row["phase"], row["new"], row["old"]) == ("use", "0203", "01")
    assert (
        keyfile.parse(keyfile.dump(ring.add(Key(b"\x02\x03", b"n" * 32))), "x").rotation == register
    )


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [],
        {},
        {"phase": "later"},
        {"evictions": -1},
        {"epoch": 0},
        {"new": "zz"},
        {"old": ""},
        {"out_of_band": 1},
        {"keep": "1"},
    ],
)
def test_a_rotation_that_is_none_is_refused_with_what_to_do(wrong: object) -> None:
    row = json.loads(keyfile.dump(Keyring((Key(b"\x01", b"k" * 32),))))[0]
    good = RotationState(1, 7, Phase.USE, b"\x02", b"\x01", True, 5, 3600)._asdict()
    good |= {"phase": "use", "new": "02", "old": "01"}
    value = {**good, **wrong} if isinstance(wrong, dict) and wrong else wrong
    with pytest.raises(KeyringError, match="entry 2: is not a rotation: remove this entry"):
        keyfile.parse(json.dumps([row, {"rotation": value}]), "keys")
    assert keyfile.parse(json.dumps([row, {"rotation": good}]), "keys").rotation.epoch == 7


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o200])
def test_narrow_modes_are_accepted(tmp_path: Path, mode: int) -> None:
    path = put(tmp_path / "keys", keyfile.dump(Keyring((A,))), mode)
    if mode & 0o400 or os.geteuid() == 0:
        assert keyfile.load(path) == Keyring((A,))


@pytest.mark.parametrize("mode", [0o601, 0o604, 0o640, 0o644, 0o660, 0o700, 0o777, 0o4600])
def test_wider_modes_are_refused_with_the_command_that_helps(tmp_path: Path, mode: int) -> None:
    path = put(tmp_path / "keys", keyfile.dump(Keyring((A,))), mode)
    with pytest.raises(KeyringError, match=rf"has mode {mode:04o}, wider.*chmod 600 {path}"):
        keyfile.load(path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "is not JSON"),
        ("[" * 100_000, "is larger than 65536"),
        ("[" * 60_000, "is not JSON"),
        ("7", "is not a list of"),
        ({}, "is not a list of"),
        ("[]", "at least one key"),
        ([7], "entry 1: is not an object"),
        ([{"kid": "01"}], "entry 1: needs a kid and a key"),
        ([{"kid": 1, "key": SECRETS[0]}], "entry 1: needs a kid and a key"),
        ([{"kid": "xy", "key": SECRETS[0]}], "entry 1: the kid is not 2 to 8 hexadecimal"),
        ([{"kid": "", "key": SECRETS[0]}], "1 to 4 bytes, but this has 0"),
        ([{"kid": "0102030405", "key": SECRETS[0]}], "1 to 4 bytes, but this has 5"),
        ([{"kid": "01", "key": "no base64!"}], "the key of kid 01 is not base64"),
        ([{"kid": "01", "key": "é"}], "the key of kid 01 is not base64"),
        ([{"kid": "01", "key": "c2hvcnQ="}], "key 01: a key has 32 bytes, but this has 5"),
        ([{"kid": "01", "key": SECRETS[0], "use": 1}], "has unknown fields: use"),
        # It went into the answer of the control API as it was, which is UTF-8: a 500.
        ('[{"a\\udaaa\\u001b": 1}]', r"has unknown fields: a\\udaaa\\x1b"),
        ([{"kid": "01", "key": SECRETS[0], "retired": 1}], "retired is not true or false"),
        ([{"kid": "01", "key": SECRETS[0]}, {"kid": "01", "key": SECRETS[1]}], "appears twice"),
        ([{"kid": "01", "key": SECRETS[0], "retired": True}], "at least one key"),
    ],
)
def test_what_is_refused_names_file_and_entry_and_no_secret(
    tmp_path: Path, content: object, says: str
) -> None:
    path = put(tmp_path / "keys", content)
    with pytest.raises(KeyringError, match=says) as caught:
        keyfile.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert not any(secret in str(caught.value) for secret in SECRETS)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyringError, match=r"cannot be read: No such file.*keygen makes one"):
        keyfile.load(tmp_path / "missing")
    with pytest.raises(KeyringError, match="is not a regular file"):
        keyfile.load(tmp_path)
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(KeyringError, match="is not a regular file"):
        keyfile.load(tmp_path / "pipe")
    assert issubclass(KeyringError, GossipError)


def test_an_existing_file_is_never_overwritten_by_create(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    keyfile.create(path, Keyring((A,)))
    assert mode_of(path) == 0o600
    with pytest.raises(KeyringError, match="already exists"):
        keyfile.create(path, Keyring((B,)))
    assert keyfile.load(path) == Keyring((A,))
    with pytest.raises(KeyringError, match="cannot be written"):
        keyfile.create(tmp_path / "no" / "keys", Keyring((A,)))


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "keys"
    keyfile.save(path, Keyring((A,)))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keyfile.os, step, full)
    with pytest.raises(KeyringError, match="cannot be written: No space left"):
        keyfile.save(path, Keyring((B,)))
    monkeypatch.undo()
    assert keyfile.load(path) == Keyring((A,))
    assert os.listdir(tmp_path) == ["keys"]


def test_a_wide_umask_and_a_link_change_nothing(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    keyfile.save(real, Keyring((A,)))
    link.symlink_to(real)
    before = os.umask(0o777)
    try:
        keyfile.save(link, Keyring((B,)))
    finally:
        os.umask(before)
    assert link.is_symlink()
    assert keyfile.load(real) == Keyring((B,))
    assert mode_of(real) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_root_leaves_the_file_to_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    keyfile.save(path, Keyring((A,)))
    os.chown(path, 12345, 23456)
    keyfile.save(path, Keyring((B,)))
    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 23456)


def test_a_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever owns it could give this node other keys."""
    path = put(tmp_path / "keys", keyfile.dump(Keyring((A,))), 0o600)
    owner = os.stat(path).st_uid
    if owner == 0:
        os.chown(path, 12345, -1)
        owner = 12345
    else:
        monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(KeyringError, match=f"belongs to user {owner}, .*: chown {os.geteuid()} "):
        keyfile.load(path)
    assert keyfile.load(path, anybodys=True) == Keyring((A,))


def test_generated_keys_are_random_and_their_ids_differ() -> None:
    keys: list[Key] = []
    for _ in range(50):
        keys.append(keyfile.generate(*keys))
    assert len({key.kid for key in keys}) == len({key.secret for key in keys}) == 50
    assert {len(key.kid) for key in keys} == {2}


def test_the_configuration_decides_between_plain_and_sealed(tmp_path: Path) -> None:
    assert isinstance(keyfile.open_envelope(Config(), random.Random(1)), PlainEnvelope)
    path = tmp_path / "keys"
    keyfile.create(path, Keyring((A,)))
    sealed = keyfile.open_envelope(Config(keyring=str(path)), random.Random(1))
    assert isinstance(sealed, CoseEnvelope)
    assert sealed.keyring == Keyring((A,))
    with pytest.raises(KeyringError, match="missing"):
        keyfile.open_envelope(Config(keyring=str(tmp_path / "missing")), random.Random(1))


def test_cryptography_is_imported_only_with_a_key(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    keyfile.create(path, Keyring((A,)))
    program = (
        "import random, sys\n"
        "import gossipmm.core.node\n"
        "from gossipmm import keyfile\n"
        "from gossipmm.config import Config\n"
        "keyfile.open_envelope(Config(), random.Random(1))\n"
        "assert 'cryptography' not in sys.modules\n"
        "keyfile.open_envelope(Config(keyring=sys.argv[1]), random.Random(1))\n"
        "assert 'cryptography' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], check=True, timeout=30)


def test_a_folder_is_tried_and_left_as_it_was(tmp_path: Path) -> None:
    assert keyfile.why_not_writable(str(tmp_path / "keys")) == ""
    assert list(tmp_path.iterdir()) == []
    assert keyfile.why_not_writable(str(tmp_path / "none" / "keys")) == "No such file or directory"


def test_what_is_handed_over_may_be_read_by_its_group_and_nobody_else(tmp_path: Path) -> None:
    seed = put(tmp_path / "seed", keyfile.dump(Keyring((A,))), 0o640)
    assert keyfile.load(seed, handed=True) == Keyring((A,))
    own = str(tmp_path / "own")
    assert keyfile.take_seed(own, str(seed)) == f"keyring {own}: made from {seed}"
    assert keyfile.take_seed(own, str(seed)) == ""
    os.chmod(seed, 0o644)
    with pytest.raises(KeyringError, match="has mode 0644, wider than 0640"):
        keyfile.take_seed(own, str(seed))


def test_a_seed_with_a_key_that_was_put_aside_is_old(tmp_path: Path) -> None:
    seed, own = tmp_path / "seed", tmp_path / "own"
    keyfile.create(seed, Keyring((A,)))
    keyfile.create(own, Keyring((B,), (A,)))
    assert keyfile.take_seed(str(own), str(seed)) == ""
    assert keyfile.load(own) == Keyring((B,), (A,))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_uses_no_iv_of_its_parent(tmp_path):
    """Story: a copy of an envelope went on with its boot id and counter [P109].

    Two plaintexts under one IV of AES-GCM show what differs, and the key that authenticates.
    """
    path = tmp_path / "keys.json"
    keyfile.create(path, Keyring((keyfile.generate(),)))
    envelope = keyfile.open_envelope(Config(keyring=str(path)), random.SystemRandom())
    where = ("127.0.0.1", 1)
    envelope.seal(b"before", where, 0.0)
    there, here = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.write(here, envelope.seal(b"child", where, 0.0)[:40])
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(here)
    with os.fdopen(there, "rb") as pipe:
        of_child = pipe.read()
    of_parent = envelope.seal(b"parent", where, 0.0)[:40]
    at = cose.prefix_size_untrusted(of_parent)
    ivs = [data[at : at + cose.IV_SIZE] for data in (of_child, of_parent)]
    assert len(ivs[0]) == cose.IV_SIZE
    assert ivs[0][: cose.BOOT_SIZE] != ivs[1][: cose.BOOT_SIZE]
