"""COSE_Encrypt0 and HKDF against published vectors, and the exact bytes of a sealed datagram."""

from __future__ import annotations

import cbor2
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gossipmm.core.sealing import cose
from gossipmm.core.sealing.keyring import Key, Keyring
from gossipmm.core.values.stats import Drop
from gossipmm.core.wire.strict import Refused
from tests.core.sealed_pair import FRAME, RING, B, envelope

CONTENT = b"This is the content."
IV = "02d1f7e6f26c43d4868d87ce"
K128 = "849b57219dae48de646d07dbb533566e"
K256 = "0f1e2d3c4b5a69788796a5b4c3d2e1f01f2e3d4c5b6a798897a6b5c4d3e2f100"
EXTERNAL = "0011bbcc22dd4455dd220099"

#: RFC 9052 appendix C.4.1, and github.com/cose-wg/Examples by the names of the files there:
#: key, IV, external data, Enc_structure, COSE_Encrypt0 (tagged).
VECTORS = {
    "RFC 9052 C.4.1": (
        "849b5786457c1491be3a76dcea6c4271",
        "89f52f65a1c580933b5261a78c",
        "",
        "8368456e63727970743043a1010a40",
        "d08343a1010aa1054d89f52f65a1c580933b5261a78c"
        "581c5974e1b99a3a4cc09a659aa2e9e7fff161d38ce71cb45ce460ffb569",
    ),
    "aes-gcm-enc-01": (
        K128,
        IV,
        "",
        "8368456e63727970743043a1010140",
        f"d08343a10101a1054c{IV}"
        "582460973a94bb2898009ee52ecfd9ab1dd25867374b162e2c03568b41f57c3cc16f9166250a",
    ),
    "aes-gcm-enc-03": (
        K256,
        IV,
        "",
        "8368456e63727970743043a1010340",
        f"d08343a10103a1054c{IV}"
        "58249d64a5a59a3b04867dccf6b8ef82f7d1a3b25ef84eca2bc5d7593a96e943859a9cc24ad3",
    ),
    "enc-pass-02": (
        K128,
        IV,
        EXTERNAL,
        f"8368456e63727970743043a101014c{EXTERNAL}",
        f"d08343a10101a1054c{IV}"
        "582460973a94bb2898009ee52ecfd9ab1dd25867374b1dc3a143880ca2883a5630da08ae1e6e",
    ),
}


def aead(key: bytes, protected: bytes) -> AESGCM | AESCCM:
    return AESCCM(key, tag_length=8) if cbor2.loads(protected)[1] == 10 else AESGCM(key)


@pytest.mark.parametrize("name", VECTORS)
def test_published_examples_are_reproduced(name: str) -> None:
    key, iv, external, structure, message = (bytes.fromhex(text) for text in VECTORS[name])
    protected, unprotected, ciphertext = cbor2.loads(message).value
    aad = cose.enc_structure(protected, external)
    assert aad == structure
    assert unprotected == {5: iv}
    assert aead(key, protected).encrypt(iv, CONTENT, aad) == ciphertext
    # The head of the ciphertext: ours is found where this one is.
    assert cose.ciphertext_untrusted(message, len(message) - len(ciphertext) - 2) == ciphertext


def test_the_published_example_with_a_changed_tag_is_refused() -> None:
    # aes-gcm-enc-04: as enc-01, the last byte of the tag one higher.
    key, iv, _, aad, message = (bytes.fromhex(text) for text in VECTORS["aes-gcm-enc-01"])
    ciphertext = message[-36:-1] + bytes((message[-1] + 1,))
    with pytest.raises(InvalidTag):
        AESGCM(key).decrypt(iv, ciphertext, aad)


#: RFC 5869 appendix A.1 to A.3: secret, salt, info, output.
HKDF_VECTORS = [
    (
        "0b" * 22,
        "000102030405060708090a0b0c",
        "f0f1f2f3f4f5f6f7f8f9",
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
    ),
    (
        bytes(range(0x50)).hex(),
        bytes(range(0x60, 0xB0)).hex(),
        bytes(range(0xB0, 0x100)).hex(),
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c6"
        "5e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
    ),
    (
        "0b" * 22,
        "",
        "",
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
    ),
]


@pytest.mark.parametrize(("secret", "salt", "info", "output"), HKDF_VECTORS)
def test_published_hkdf_vectors(secret: str, salt: str, info: str, output: str) -> None:
    expected = bytes.fromhex(output)
    kdf = HKDF(SHA256(), len(expected), bytes.fromhex(salt), bytes.fromhex(info))
    assert kdf.derive(bytes.fromhex(secret)) == expected


# -- our own datagrams -------------------------------------------------------------------------


def test_a_sealed_datagram_is_what_a_cose_library_would_make_of_it() -> None:
    """[P108]."""
    data = envelope().seal(FRAME, B, 0.0)
    protected, unprotected, ciphertext = cbor2.loads(data)
    assert cbor2.dumps([protected, unprotected, ciphertext]) == data
    assert cbor2.loads(protected) == {1: 3, 4: b"\x01"}
    assert list(unprotected) == [5]
    iv = unprotected[5]
    assert iv == envelope().boot + bytes(4)

    # By hand, from RFC 9052 section 5.3 and [P108].
    key = HKDF(SHA256(), 32, iv[:8], b"gossipmm1" + b"test" + b"\x01").derive(RING.keys[0].secret)
    external = cbor2.dumps(["gossipmm", 1, "test"])
    aad = cbor2.dumps(["Encrypt0", protected, external])
    assert AESGCM(key).decrypt(iv, ciphertext, aad) == FRAME + bytes(3)


def test_the_bytes_are_pinned() -> None:
    """Whoever changes this changes the wire: old and new nodes no longer understand each other."""
    assert envelope().seal(b"\x85", B, 0.0).hex() == (
        "8346a20103044101"  # [<< {1: 3, 4: h'01'} >>,
        "a1054cc2ce6f447ed4d57b00000000"  # {5: boot id, counter},
        "54734af58c839551cb9958bb44dee3b592009620e7"  # 1 byte, no mark yet, tag]
    )


@pytest.mark.parametrize("kid", [b"k", b"ki", b"kid", b"kid4"])
@pytest.mark.parametrize("size", [1, 4, 5, 100, 236, 237, 1100, 1152])
def test_overhead_is_at_most_48_bytes(kid: bytes, size: int) -> None:
    """[P108]."""
    ring = Keyring((Key(kid, bytes(range(32))),))
    sealing = envelope(ring=ring)
    overhead = len(sealing.seal(bytes(size), B, 0.0)) - size
    # Array 1, protected 6 + kid, {5: IV} 15, head of the ciphertext 1-3, mark 3, tag 16.
    head = 1 if size + 19 < 24 else 2 if size + 19 < 256 else 3
    assert overhead == 41 + len(kid) + head
    assert overhead <= sealing.overhead == 48


@pytest.mark.parametrize("size", [*range(1, 12), *range(236, 244)])
def test_every_length_of_ciphertext_has_one_head(size: int) -> None:
    ciphertext = bytes(size + 16)
    data = cbor2.dumps(ciphertext)
    assert cose.ciphertext_untrusted(data, 0) == ciphertext
    for other in (
        b"\x58" + bytes((len(ciphertext) & 255,)) + ciphertext,
        b"\x59" + len(ciphertext).to_bytes(2, "big") + ciphertext,
        b"\x5a" + len(ciphertext).to_bytes(4, "big") + ciphertext,
        b"\x5f" + data + b"\xff",
        b"\x60" + data[1:],
        data + b"\x00",
        data[:-1],
    ):
        if other != data:
            with pytest.raises(Refused) as caught:
                cose.ciphertext_untrusted(other, 0)
            assert caught.value.reason is Drop.MALFORMED


def test_the_key_id_of_any_bytes_is_read_or_is_none() -> None:
    data = envelope().seal(FRAME, B, 0.0)
    assert cose.kid_untrusted(data) == b"\x01"
    for kid in (b"k", b"ki", b"kid", b"kid4"):
        assert cose.kid_untrusted(cose.prefix(kid)) == kid
    assert cose.kid_untrusted(cose.prefix(b"kid45")) is None
    assert cose.kid_untrusted(cose.prefix(b"")) is None
    for size in range(11):
        assert cose.kid_untrusted(data[:size]) is None
    for place in range(7):
        assert cose.kid_untrusted(data[:place] + b"\xff" + data[place + 1 :]) is None
