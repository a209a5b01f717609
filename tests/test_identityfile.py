"""Files of identities: each mistake is told apart, with the file, what is wrong and what to run."""

from __future__ import annotations

import base64
import os
import stat
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from gossipmm import identityfile
from gossipmm.config import Config
from gossipmm.core.identity.certificates import Wanted, encode_certificate
from gossipmm.core.identity.keys import Ed25519Signer, IdentityMode
from gossipmm.core.identity.revocations import encode_revocations
from gossipmm.errors import ConfigError, IdentityError
from gossipmm.identityfile import CERTIFICATE, REVOCATIONS, dump
from gossipmm.publickeys import parse_public_key, public_key_text

AUTHORITY = Ed25519Signer.from_seed(bytes(range(32)))
OTHER = Ed25519Signer.from_seed(bytes(range(1, 33)))
NOW = 1_800_000_000.0


class Host:
    """One host's files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = folder / "b.identity"
        self.certificate = folder / "b.pem"
        self.signer = identityfile.create_key(str(self.key))

    def config(self, **changes: object) -> Config:
        fields = {
            "name": "b",
            "cluster": "prod",
            "identity": "announce",
            "identity_key": str(self.key),
            "certificate": str(self.certificate),
            "authority": (public_key_text(AUTHORITY.public),),
        }
        return Config(**(fields | changes))

    def certify(self, signer: Ed25519Signer = AUTHORITY, **changes: object) -> None:
        claims = {
            "name": "b",
            "cluster": "prod",
            "public": self.signer.public,
            "issue": 7,
            "not_before": int(NOW) - 86400,
            "expires": int(NOW) + 86400,
        }
        made = encode_certificate(signer, Wanted(**(claims | changes)))
        self.certificate.write_text(dump(CERTIFICATE, made.raw))


@pytest.fixture
def host(tmp_path: Path) -> Host:
    made = Host(tmp_path)
    made.certify()
    return made


def test_without_identity_nothing_is_read_or_made(tmp_path: Path) -> None:
    config = Config(identity_key=str(tmp_path / "key"), certificate="/no/such/file")
    assert identityfile.load_identity(config) is None
    assert os.listdir(tmp_path) == []


def test_what_is_right_is_taken(host: Host) -> None:
    found = identityfile.load_identity(host.config(), pins={"c": bytes(32)})
    assert found is not None
    assert (found.mode, found.signer.public) == (IdentityMode.ANNOUNCE, host.signer.public)
    assert (found.authorities, dict(found.pins)) == ((AUTHORITY.public,), {"c": bytes(32)})
    made = identityfile.load_certificate(str(host.certificate))
    assert found.certificate == made.raw
    assert identityfile.time_trouble("b.pem", made, NOW) == ""


def test_a_key_is_made_at_the_first_start_beside_the_state(tmp_path: Path) -> None:
    config = Config(name="b", identity="announce", state_file=str(tmp_path / "b.json"))
    assert identityfile.load_identity(config, trial=True) is not None
    assert os.listdir(tmp_path) == []
    first = identityfile.load_identity(config)
    again = identityfile.load_identity(config)
    assert first is not None
    assert again is not None
    assert first.signer.public == again.signer.public
    assert os.listdir(tmp_path) == ["b.json.identity"]
    assert stat.S_IMODE((tmp_path / "b.json.identity").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "c"}, "is for another name: for c, and this node is called b: issue another"),
        ({"cluster": "test"}, "is for another cluster: for test, and this node's is prod"),
        ({"public": OTHER.public}, "is for another key: for [0-9a-f]{16}, and this node's key is"),
        ({"signer": OTHER}, "is signed by an authority that is not configured here: by [0-9a-f]+"),
    ],
)
def test_a_certificate_of_somebody_else_is_refused(
    host: Host, changes: dict[str, object], words: str
) -> None:
    host.certify(**changes)  # type: ignore[arg-type]
    with pytest.raises(IdentityError, match=f"^{host.certificate}: {words}.*gossipmm ca issue b"):
        identityfile.load_identity(host.config())


def test_a_damaged_certificate_is_told_from_a_cut_and_from_a_forged_one(host: Host) -> None:
    text = host.certificate.read_text()
    made = identityfile.load_certificate(str(host.certificate))
    for data, words in (
        (text[:100], "is cut off: its end is missing: copy it again"),
        (dump(CERTIFICATE, made.raw[:-5]), "is cut off: its end is missing: copy it again"),
        (dump(CERTIFICATE, b"\x85" + made.raw[1:]), "is damaged, or of a later version"),
        (text.replace("\n-----END", "%%\n-----END"), "what it has is not base64"),
        ("", "is not a certificate of gossipmm: no line of it says -----BEGIN GOSSIPMM CERT"),
        (host.key.read_text(), "is not a certificate of gossipmm, but a private key"),
        (text.replace("GOSSIPMM CERT", "CERT"), "but a certificate of TLS"),
        ("x" * 20_000, "is larger than 16384 bytes"),
    ):
        host.certificate.write_text(data)
        with pytest.raises(IdentityError, match=f"^{host.certificate}: .*{words}"):
            identityfile.load_identity(host.config())
    forged = made.raw[:-1] + bytes((made.raw[-1] ^ 1,))
    host.certificate.write_text(dump(CERTIFICATE, forged))
    with pytest.raises(IdentityError, match="has a wrong signature: it was damaged or forged"):
        identityfile.load_identity(host.config())
    host.certificate.unlink()
    with pytest.raises(IdentityError, match="is not there: gossipmm ca issue makes one"):
        identityfile.load_identity(host.config())


def test_a_certificate_out_of_its_time_names_both_times_and_the_command(host: Host) -> None:
    host.certify(not_before=1_700_000_000, expires=1_700_100_000)
    made = identityfile.load_certificate(str(host.certificate))
    assert identityfile.time_trouble("b.pem", made, NOW) == (
        "certificate b.pem: has expired: it ended 2023-11-16 02:00 UTC, and this machine's clock "
        "says 2027-01-15 08:00 UTC: issue another one with gossipmm ca issue b"
    )
    assert "is not valid yet: it begins 2023-11-14 22:13 UTC" in identityfile.time_trouble(
        "b.pem", made, 1_600_000_000
    )


def test_a_key_file_that_others_could_read_is_refused_with_the_command_that_helps(
    host: Host,
) -> None:
    host.key.chmod(0o644)
    with pytest.raises(
        IdentityError,
        match=f"{host.key}: has mode 0644, wider than 0600: others could read or change the key; "
        f"chmod 600 {host.key}",
    ):
        identityfile.load_identity(host.config())


def test_a_key_file_of_another_user_is_refused(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = host.key.stat().st_uid
    if owner == 0:
        os.chown(host.key, 4321, 4321)
    monkeypatch.setattr(os, "geteuid", lambda: 1234)
    with pytest.raises(IdentityError, match="belongs to user .*could change the key.*chown 1234"):
        identityfile.load_identity(host.config())
    identityfile.load_key(str(host.key), anybodys=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can hand a file on")
def test_a_key_that_the_system_hands_on_is_taken(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A credential of systemd belongs to root; what lets the service read it shows as group's."""
    host.key.chmod(0o440)
    with pytest.raises(IdentityError, match="wider than 0600"):
        identityfile.load_key(str(host.key))
    monkeypatch.setattr(os, "geteuid", lambda: 1234)
    assert identityfile.load_key(str(host.key)).public == host.signer.public


def test_a_key_file_with_something_else_says_what_it_has(host: Host) -> None:
    for text, words in (
        (host.certificate.read_text(), "is not a private key, but a certificate of gossipmm"),
        (_pem(X25519PrivateKey.generate()), "is a key of another kind than Ed25519"),
        (
            _pem(Ed25519PrivateKey.generate(), BestAvailableEncryption(b"secret")),
            "is not a private key, but a private key with a passphrase",
        ),
        (dump("PRIVATE KEY", b"\x30\x00"), "is damaged: no key can be read from it"),
        (dump("PRIVATE KEY", b"\x30" * 3000), "is not a|is larger than 4096"),
    ):
        host.key.write_text(text)
        with pytest.raises(IdentityError, match=f"^{host.key}: {words}"):
            identityfile.load_key(str(host.key))
    with pytest.raises(IdentityError, match="gossipmm identity new makes one"):
        identityfile.load_key(f"{host.key}.none")
    with pytest.raises(IdentityError, match="already exists, and the key in it may be in use"):
        identityfile.create_key(str(host.key))


def _pem(key: object, encryption: object = None) -> str:
    made = key.private_bytes(  # type: ignore[attr-defined]
        Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption()
    )
    return str(made.decode())


def test_keys_are_those_of_openssl(host: Host, tmp_path: Path) -> None:
    """An operator may make them with it, or keep them elsewhere until they are needed."""
    made = tmp_path / "made.pem"
    command = ["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(made)]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=30)
    except FileNotFoundError:
        pytest.skip("no openssl here")
    made.chmod(0o600)
    command = ["openssl", "pkey", "-in", str(made), "-pubout", "-outform", "DER"]
    shown = subprocess.run(command, check=True, capture_output=True, timeout=30).stdout
    assert identityfile.load_key(str(made)).public == shown[-32:]
    command = ["openssl", "pkey", "-in", str(host.key), "-pubout", "-outform", "DER"]
    shown = subprocess.run(command, check=True, capture_output=True, timeout=30).stdout
    assert shown[-32:] == host.signer.public


# -- revocations -------------------------------------------------------------------------------


def test_the_newer_list_of_revocations_counts(host: Host) -> None:
    path = host.folder / "revocations.pem"
    lists = [
        encode_revocations(AUTHORITY, cluster="prod", number=number, least={"c": number}).raw
        for number in (1, 2)
    ]
    path.write_text(dump(REVOCATIONS, lists[1]))
    config = host.config(revocations=str(path))
    for held in (None, lists[0], lists[1], b"damaged"):
        found = identityfile.load_identity(config, revocations=held)
        assert found is not None
        assert found.revocations == lists[1]
    path.write_text(dump(REVOCATIONS, lists[0]))
    found = identityfile.load_identity(config, revocations=lists[1])
    assert found is not None
    assert found.revocations == lists[1]
    found = identityfile.load_identity(host.config(), revocations=lists[0])
    assert found is not None
    assert found.revocations == lists[0]


def test_a_list_of_somebody_else_is_refused(host: Host) -> None:
    path = host.folder / "revocations.pem"
    config = host.config(revocations=str(path))
    for signer, cluster, words in (
        (OTHER, "prod", "is signed by an authority that is not configured here"),
        (AUTHORITY, "test", "is for another cluster"),
    ):
        made = encode_revocations(signer, cluster=cluster, number=1, least={})
        path.write_text(dump(REVOCATIONS, made.raw))
        with pytest.raises(IdentityError, match=f"^{path}: {words}: copy it again"):
            identityfile.load_identity(config)
    path.write_text(dump(REVOCATIONS, made.raw[:-3]))
    with pytest.raises(IdentityError, match=f"^{path}: is cut off"):
        identityfile.load_identity(config)


# -- public keys as text -----------------------------------------------------------------------


def test_public_keys_are_text_that_can_be_copied() -> None:
    text = public_key_text(OTHER.public)
    assert parse_public_key(text) == OTHER.public
    for wrong, words in (
        ("", "is not a public key, which looks like ed25519:"),
        (text[8:], "is not a public key"),
        (text[:-1], "is not base64"),
        (text[:-4], "is cut off, or has too much"),
        (f"ed25519:{base64.b64encode(bytes(33)).decode()}", "is cut off, or has too much"),
        (f"{text} ", "is not base64"),
    ):
        with pytest.raises(ConfigError, match=words):
            parse_public_key(wrong, path="authority")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"identity": "demand"}, "identity: 'demand' is not off, announce or require"),
        (
            {"identity": "announce"},
            "identity: 'announce' needs a key .* set identity_key, or state",
        ),
        ({"authority": ["x"]}, "authority: 'x' is not a public key"),
        (
            {"identity": "announce", "state_file": "s", "certificate": "c"},
            "certificate: is c, but authority does not say",
        ),
        (
            {"identity": "announce", "state_file": "s", "revocations": "r"},
            "revocations: is r, but authority does not say",
        ),
        (
            {
                "identity": "require",
                "state_file": "s",
                "authority": [public_key_text(OTHER.public)],
            },
            "certificate: is missing, and with authority and identity = 'require' nobody",
        ),
    ],
)
def test_settings_that_do_not_go_together_are_refused(
    fields: dict[str, object], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        Config(**fields)
    assert Config(**(fields | {"identity": "off", "authority": ()})).identity == "off"


def test_a_pipe_in_the_place_of_a_public_file_holds_nobody(tmp_path: Path) -> None:
    """A certificate that was a pipe without a writer stopped the agent at its reload, for good."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for load in (identityfile.load_certificate, identityfile.load_revocations):
        with pytest.raises(IdentityError, match="is not a regular file: name the file itself"):
            load(str(pipe))
        with pytest.raises(IdentityError, match="is not a regular file"):
            load("/dev/null")
