"""Keys of nodes: what is refused, and that a signature holds for its key and its text only."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gossipmm.core.identity.keys import (
    SIGNATURE_SIZE,
    Ed25519Signer,
    Identity,
    IdentityMode,
    key_id,
    verify_ed25519,
)
from gossipmm.errors import IdentityError

SIGNER = Ed25519Signer.from_seed(b"\x01" * 32)
OTHER = Ed25519Signer.from_seed(b"\x02" * 32)


def test_the_key_of_a_seed_is_that_of_the_standard() -> None:
    """The first test vector of RFC 8032, section 7.1."""
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    signer = Ed25519Signer.from_seed(seed)
    assert signer.public.hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    assert signer.sign(b"").hex().startswith("e5564300c360ac729086e2cc806e828a")


def test_a_signature_holds_for_its_key_and_its_text_only() -> None:
    signature = SIGNER.sign(b"text")
    assert len(signature) == SIGNATURE_SIZE
    assert signature == SIGNER.sign(b"text"), "the same page has the same bytes"
    assert verify_ed25519(SIGNER.public, b"text", signature)
    assert not verify_ed25519(SIGNER.public, b"texts", signature)
    assert not verify_ed25519(OTHER.public, b"text", signature)


@pytest.mark.parametrize(
    ("public", "signature"),
    [
        (b"", SIGNER.sign(b"text")),
        (b"\xff" * 32, SIGNER.sign(b"text")),
        (SIGNER.public + b"0", SIGNER.sign(b"text")),
        (SIGNER.public, b""),
        (SIGNER.public, bytes(64)),
        (SIGNER.public, SIGNER.sign(b"text")[:-1]),
    ],
)
def test_any_bytes_may_be_given_and_none_of_them_hold(public: bytes, signature: bytes) -> None:
    assert not verify_ed25519(public, b"text", signature)


@pytest.mark.parametrize(
    ("seed", "says"), [(b"short", "has 32 bytes, but this has 5"), (bytes(32), "all zeros")]
)
def test_a_secret_that_cannot_be_one_is_refused(seed: bytes, says: str) -> None:
    with pytest.raises(IdentityError, match=says):
        Ed25519Signer.from_seed(seed)


def test_a_key_shows_its_id_and_never_its_secret() -> None:
    identity = Identity(IdentityMode.ANNOUNCE, SIGNER)
    assert key_id(SIGNER.public) in repr(identity)
    assert "01" * 32 not in repr(identity)
    assert len(key_id(SIGNER.public)) == 16


def test_without_identities_no_cryptography_is_loaded() -> None:
    code = (
        "import gossipmm.core.node, gossipmm.core.identity.keys, sys;"
        "sys.exit('cryptography.hazmat.primitives.asymmetric.ed25519' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
