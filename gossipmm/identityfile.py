"""Files of identities: this node's key, its certificate, lists of revocations; all of them PEM.

The key is PKCS#8, as ``openssl genpkey -algorithm ed25519`` writes it, and is refused if anybody
but its owner may read it. Certificates and lists of revocations are public: the bytes that travel,
in base64 between two lines that say what they are.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import stat
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from gossipmm import secretfile
from gossipmm.addresses import parse_registration
from gossipmm.core.identity.certificates import Certificate, certificate_untrusted
from gossipmm.core.identity.keys import (
    Ed25519Signer,
    Identity,
    IdentityMode,
    key_id,
    verify_ed25519,
)
from gossipmm.core.identity.revocations import Revocations, revocations_untrusted
from gossipmm.core.identity.sign1 import authority_id
from gossipmm.core.values.fault import Fault
from gossipmm.errors import IdentityError
from gossipmm.publickeys import parse_public_key
from gossipmm.secretfile import Kind
from gossipmm.text.certificates import FAULTS, what_to_do
from gossipmm.text.identities import excess_words

if TYPE_CHECKING:
    from gossipmm.config import Config

__all__ = (
    "CERTIFICATE",
    "REVOCATIONS",
    "check_allowed",
    "check_certificate",
    "create_key",
    "dump",
    "key_path",
    "load_certificate",
    "load_identity",
    "load_key",
    "load_revocations",
    "moment",
    "newest_revocations",
    "read_public",
    "time_trouble",
)

#: What stands in the first line of each kind of file.
CERTIFICATE: Final = "GOSSIPMM CERTIFICATE"
REVOCATIONS: Final = "GOSSIPMM REVOCATIONS"
_KEY: Final = "PRIVATE KEY"
_KINDS: Final = {
    CERTIFICATE: "a certificate of gossipmm",
    REVOCATIONS: "a list of revocations of gossipmm",
    _KEY: "a private key",
    "ENCRYPTED PRIVATE KEY": "a private key with a passphrase",
    "PUBLIC KEY": "a public key",
    "CERTIFICATE": "a certificate of TLS (X.509)",
}
#: What a public key as text begins with.
_PUBLIC: Final = "ed25519:"
_SECRET = Kind("the key", "gossipmm identity new", IdentityError, most=4096)
_MOST: Final = 16_384
#: PKCS#8 of an Ed25519 key without anything else (RFC 8410): this, and its 32 bytes.
_PKCS8: Final = bytes.fromhex("302e020100300506032b657004220420")


# -- keys --------------------------------------------------------------------------------------


def key_path(config: Config) -> str:
    """Return the file of this node's key; empty: the configuration names none."""
    if config.identity_key:
        return config.identity_key
    return f"{config.state_file}.identity" if config.state_file else ""


def create_key(path: str) -> Ed25519Signer:
    """Make a new key in a new file, mode 0600. Raises IdentityError, also when it is there."""
    seed = os.urandom(32)
    secretfile.create(path, dump(_KEY, _PKCS8 + seed), _SECRET)
    return Ed25519Signer.from_seed(seed)


def load_key(path: str, *, made_by: str = _SECRET.made_by, anybodys: bool = False) -> Ed25519Signer:
    """Read a key. Raises IdentityError, which says what to do about it.

    One of root's that this user's group may read is taken: systemd's ``LoadCredential`` and
    Kubernetes' secrets are such. ``anybodys``: root prepares it for a service's user.
    """
    kind = _SECRET._replace(made_by=made_by)
    data = secretfile.read(path, kind, anybodys=anybodys, handed=None)
    raw = _armoured(path, data, _KEY)
    if raw[:-32] == _PKCS8:
        return Ed25519Signer.from_seed(raw[-32:])
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    try:
        key = load_der_private_key(raw, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise IdentityError(
            f"{path}: is damaged: no key can be read from it; if there is no copy, {made_by} "
            "makes another one"
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise IdentityError(
            f"{path}: is a key of another kind than Ed25519: {made_by} makes one that can be used"
        )
    return Ed25519Signer(key)


def read_public(text: str) -> bytes:
    """Read a public key, given as text or as a file that has it. Raises IdentityError.

    What a file has is never repeated: it may be the key itself.
    """
    if text.startswith(_PUBLIC):
        try:
            return parse_public_key(text)
        except ValueError as exc:
            raise IdentityError(f"{exc}; gossipmm identity show prints that of a host") from None
    if not os.path.exists(text):
        raise IdentityError(
            f"there is no file {text[:20]!a}, and it is not a public key, which begins with "
            f"{_PUBLIC}: give what gossipmm identity show prints on that host"
        )
    data = _read(text, "gossipmm identity show prints a public key", pipes=True)
    if b"PRIVATE KEY" in data:
        raise IdentityError(
            f"{text}: is a private key, which never leaves its host: give what gossipmm identity "
            "show prints there"
        )
    found = re.search(rb"ed25519:[A-Za-z0-9+/=]+", data)
    if found is None:
        raise IdentityError(f"{text}: has no public key: gossipmm identity show prints one")
    try:
        return parse_public_key(found[0].decode())
    except ValueError:
        raise IdentityError(f"{text}: the public key in it is cut off: copy it again") from None


# -- what is signed ----------------------------------------------------------------------------


def load_certificate(path: str) -> Certificate:
    """Read a certificate; only its form is judged. Raises IdentityError."""
    raw = _armoured(path, _read(path, "gossipmm ca issue makes one"), CERTIFICATE)
    found = certificate_untrusted(raw)
    if isinstance(found, Fault):
        raise IdentityError(f"{path}: {FAULTS[found]}: {what_to_do(found)}")
    return found


def load_revocations(path: str) -> Revocations:
    """Read a list of revocations; only its form is judged. Raises IdentityError."""
    raw = _armoured(path, _read(path, "gossipmm ca revoke makes one"), REVOCATIONS)
    found = revocations_untrusted(raw)
    if isinstance(found, Fault):
        raise IdentityError(f"{path}: {FAULTS[found]}: copy it again from the authority's folder")
    return found


def check_certificate(path: str, found: Certificate, config: Config, public: bytes) -> None:
    """Refuse a certificate that is not this node's, whatever the time. Raises IdentityError.

    The error names the file, what is wrong, and what to run.
    """
    renew = f"gossipmm ca issue {config.name}"

    def refuse(fault: Fault, why: str) -> None:
        raise IdentityError(f"{path}: {FAULTS[fault]}: {why}: {what_to_do(fault, renew)}")

    authorities = tuple(map(parse_public_key, config.authority))
    if found.cluster != config.cluster:
        refuse(Fault.FOREIGN_CLUSTER, f"for {found.cluster}, and this node's is {config.cluster}")
    if found.name != config.name:
        refuse(Fault.OTHER_NAME, f"for {found.name}, and this node is called {config.name}")
    fault = found.why_not_authentic(config.cluster, authorities, verify_ed25519)
    if fault is not None:
        known = ", ".join(authority_id(public).hex() for public in authorities)
        refuse(fault, f"by authority {found.signed.authority.hex()}, known here: {known}")
    if found.public != public:
        ids = f"for {key_id(found.public)}, and this node's key is {key_id(public)}"
        refuse(Fault.OTHER_KEY, ids)


def check_allowed(
    config: Config, certificate: bytes | None, addresses: tuple[tuple[str, int], ...]
) -> None:
    """Refuse topics of the configuration, and addresses, that this node's certificate leaves out.

    Raises IdentityError: others would drop them.
    """
    read = certificate_untrusted(certificate) if certificate is not None else None
    if not isinstance(read, Certificate):
        return
    topics = [parse_registration(text)[0] for text in config.register]
    topics += [service.topic for service in config.service]
    words = excess_words(
        read.name,
        sorted({topic for topic in topics if not read.allows_topic(topic)}),
        [host for host, _ in addresses if not read.allows_host(host)],
    )
    if words:
        raise IdentityError(f"{config.certificate}: {words}")


def time_trouble(path: str, found: Certificate, wall: float) -> str:
    """Say why a certificate does not count at that time; empty: it does."""
    fault = found.why_not_now(wall)
    if fault is None:
        return ""
    at = found.expires if fault is Fault.EXPIRED else found.not_before
    what = "ended" if fault is Fault.EXPIRED else "begins"
    why = f"it {what} {moment(at)}, and this machine's clock says {moment(wall)}"
    renew = f"gossipmm ca issue {found.name}"
    return f"certificate {path}: {FAULTS[fault]}: {why}: {what_to_do(fault, renew)}"


def moment(wall: float) -> str:
    """Write a time as people read it."""
    return f"{datetime.fromtimestamp(wall, UTC):%Y-%m-%d %H:%M} UTC"


# -- all of it ---------------------------------------------------------------------------------


def load_identity(
    config: Config,
    *,
    pins: Mapping[str, bytes] | None = None,
    revocations: bytes | None = None,
    trial: bool = False,
) -> Identity | None:
    """Return what the configuration makes of this node; None: it has no identity.

    The key is made where it is missing, except on ``trial``. ``pins`` and ``revocations`` are those
    of the last run. Raises IdentityError: what is wrong with which file, and what to do. The time
    is not looked at: ``time_trouble``.
    """
    if config.identity == "off":
        return None
    path = key_path(config)
    if os.path.lexists(path):
        signer = load_key(path)
    elif trial:
        signer = Ed25519Signer.from_seed(os.urandom(32))
    else:
        signer = create_key(path)
    certificate = None
    if config.certificate:
        certificate = load_certificate(config.certificate)
        if trial and not os.path.lexists(path):
            raise IdentityError(
                f"{path}: is not there, and the certificate {config.certificate} is for a key: "
                "copy that key here, or gossipmm identity new, then gossipmm ca issue"
            )
        check_certificate(config.certificate, certificate, config, signer.public)
    authorities = tuple(map(parse_public_key, config.authority))
    return Identity(
        IdentityMode(config.identity),
        signer,
        authorities=authorities,
        certificate=certificate.raw if certificate is not None else None,
        pins=pins or {},
        revocations=newest_revocations(config, revocations),
    )


def newest_revocations(config: Config, held: bytes | None) -> bytes | None:
    """Return the list of revocations in the file, or the one held, whichever is newer.

    Raises IdentityError for a file that is not of this cluster's authorities.
    """
    authorities = tuple(map(parse_public_key, config.authority))
    number = 0
    if held is not None:
        known = revocations_untrusted(held)
        number = 0 if isinstance(known, Fault) else known.number
    if not config.revocations:
        return held if number else None
    found = load_revocations(config.revocations)
    fault = found.why_not_authentic(config.cluster, authorities, verify_ed25519)
    if fault is not None:
        raise IdentityError(
            f"{config.revocations}: {FAULTS[fault]}: copy it again from the folder of the "
            "authority that this cluster has"
        )
    return found.raw if found.number > number else held


# -- text --------------------------------------------------------------------------------------


def dump(kind: str, raw: bytes) -> str:
    """Write bytes between the lines of PEM (RFC 7468)."""
    text = base64.b64encode(raw).decode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {kind}-----", *lines, f"-----END {kind}-----", ""])


def _read(path: str, hint: str, *, pipes: bool = False) -> bytes:
    """Read a public file; only a command that a person typed waits for who writes to a pipe."""
    try:
        # A pipe that nobody writes to would stop the whole agent at a reload.
        waits = 0 if pipes else os.O_NONBLOCK
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | waits), "rb") as file:
            if not pipes and not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise IdentityError(f"{path}: is not a regular file: name the file itself")
            data = file.read(_MOST + 1)
    except FileNotFoundError:
        raise IdentityError(f"{path}: is not there: {hint}") from None
    except OSError as exc:
        raise IdentityError(f"{path}: cannot be read: {exc.strerror}") from None
    if len(data) > _MOST:
        raise IdentityError(f"{path}: is larger than {_MOST} bytes: not a file of an identity")
    return data


def _armoured(path: str, data: bytes, kind: str) -> bytes:
    """Return the bytes in a file of that kind. Raises IdentityError, which says what it is."""
    found = re.search(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----", data)
    wanted = _KINDS[kind]
    if found is None:
        raise IdentityError(f"{path}: is not {wanted}: no line of it says -----BEGIN {kind}-----")
    label = found[1].decode()
    if label != kind:
        other = _KINDS.get(label, f"{label.lower()}")
        raise IdentityError(f"{path}: is not {wanted}, but {other}")
    end = data.find(f"-----END {kind}-----".encode(), found.end())
    if end < 0:
        raise IdentityError(
            f"{path}: {FAULTS[Fault.TRUNCATED]}: {what_to_do(Fault.TRUNCATED)}"
            if kind == CERTIFICATE
            else f"{path}: is cut off: its end is missing: copy it again"
        )
    try:
        return base64.b64decode(b"".join(data[found.end() : end].split()), validate=True)
    except binascii.Error:
        raise IdentityError(
            f"{path}: is damaged: what it has is not base64: copy it again"
        ) from None
