"""python-cwt, an independent COSE library, reads our datagrams, and we read its.

It needs an older cbor2 than gossipmm, so it gets a virtual environment of its own, made here with
pip; without a package index the tests are skipped. ``GOSSIPMM_CWT_PYTHON`` names an interpreter
that has it already.
"""

from __future__ import annotations

import json
import os
import subprocess
import venv
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gossipmm.core.sealing import cose
from gossipmm.core.sealing.keyring import Key, Keyring
from tests.core.sealed_pair import FRAME, NEW, OLD, A, B, pair, refusal

pytestmark = pytest.mark.timeout(180)

CWT = "cwt==3.3.0"
#: Real frames of user events, queries and distances: options 24 to 29, and slim ones.
_CORPUS = Path(__file__).parents[1] / "fuzz" / "corpus" / "decoder"
_MESSAGES = [*sorted(_CORPUS.glob("*-2[4-9]")), *sorted(_CORPUS.glob("slim-*-where"))]
_SCRIPT = Path(__file__).with_name("cwt_side.py")


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return an interpreter that can import cwt."""
    given = os.environ.get("GOSSIPMM_CWT_PYTHON")
    if given:
        return given
    where = tmp_path_factory.mktemp("cwt")
    venv.create(where, with_pip=True)
    made = str(where / "bin" / "python")
    options = ["--quiet", "--disable-pip-version-check", "--retries=0", "--timeout=10"]
    install = [made, "-m", "pip", "install", *options, CWT]
    try:
        done = subprocess.run(install, capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired:
        pytest.skip(f"{CWT} could not be installed within two minutes")
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        pytest.skip(f"{CWT} could not be installed: {reason}")
    return made


def ask(python: str, *tasks: dict[str, bytes]) -> list[dict[str, Any]]:
    given = json.dumps([{name: value.hex() for name, value in task.items()} for task in tasks])
    done = subprocess.run(
        [python, str(_SCRIPT)], input=given, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


def common(key: Key, boot: bytes, cluster: str = "test") -> dict[str, bytes]:
    """Return what the other side has to know: from RFC 5869 and [P108], not from our code."""
    info = b"gossipmm1" + cluster.encode() + key.kid
    secret = HKDF(SHA256(), 32, boot, info).derive(key.secret)
    return {"kid": key.kid, "key": secret, "external": cose.external_aad(cluster)}


@pytest.mark.parametrize("key", [OLD, NEW], ids=["short kid", "long kid"])
def test_an_independent_library_decodes_our_datagrams(python: str, key: Key) -> None:
    a, b = pair(Keyring((key,)))
    messages = [path.read_bytes() for path in _MESSAGES]
    assert len(messages) >= 10
    frames = [b"\x85", FRAME, FRAME * 11, *messages]
    sealed = [a.seal(frame, B, 0.0) for frame in frames]
    known = common(key, a.boot)
    damaged = sealed[1][:-1] + bytes((sealed[1][-1] ^ 1,))
    foreign = {**known, "external": cose.external_aad("another")}
    *read, broken, other = ask(
        python,
        *({**known, "message": data} for data in sealed),
        {**known, "message": damaged},
        {**foreign, "message": sealed[1]},
    )
    assert [answer["payload"] for answer in read] == [
        (frame + b.boot[:3]).hex() for frame in frames
    ]
    assert {(answer["alg"], answer["kid"]) for answer in read} == {(3, key.kid.hex())}
    assert [answer["iv"][:16] for answer in read] == [a.boot.hex()] * len(frames)
    assert "refused" in broken
    assert "refused" in other


def test_we_open_what_an_independent_library_encodes(python: str) -> None:
    a, b = pair()
    known = common(OLD, a.boot)
    iv = a.boot + (1000).to_bytes(4, "big")
    good, foreign = ask(
        python,
        {**known, "payload": FRAME + b.boot[:3], "iv": iv},
        {
            **known,
            "payload": FRAME + b.boot[:3],
            "iv": iv,
            "external": cose.external_aad("another"),
        },
    )
    tag, message = bytes.fromhex(good["message"])[:1], bytes.fromhex(good["message"])[1:]
    assert tag == b"\xd0"
    refusal(b, bytes.fromhex(foreign["message"])[1:])
    assert b.open_untrusted(message, A, 0.0) == FRAME
    # Byte for byte what this side would have sent.
    a._counter = 1000
    assert a.seal(FRAME, B, 0.0) == message
