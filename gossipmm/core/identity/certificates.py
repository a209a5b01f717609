"""Certificates: an authority says which key speaks for a name, for which topics, from where [P160].

A certificate is a CWT (RFC 8392), signed as ``gossipmm.core.identity.sign1`` says::

    { 2: name, 3: cluster, 4: expires, 5: not before,   / sub, aud, exp, nbf: seconds since 1970 /
      8: {1: {1: 1, -1: 6, -2: key}},                   / cnf (RFC 8747): an Ed25519 key         /
      -70001: issue,                                    / the highest of a name counts           /
      -70002: [globs of topics],                        / without it: any topic                  /
      -70003: [networks] }                              / without it: any address                /

Pure: nothing reads a clock. What it says about topics and networks is asked of it; whether it
counts is asked step by step, so that each mistake has its own name.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, Final, NamedTuple

from gossipmm.core.identity.keys import PUBLIC_SIZE, Signer, Verify
from gossipmm.core.identity.sign1 import Signed, seal, signed_untrusted, why_not_signed
from gossipmm.core.values.fault import Fault
from gossipmm.core.values.types import NodeId
from gossipmm.core.wire.frame import MAX_COUNTER
from gossipmm.errors import IdentityError
from gossipmm.names import is_name, is_text, why_not_name

__all__ = (
    "GRACE",
    "HELD_GRACE",
    "MAX_CERTIFICATE",
    "MAX_GLOBS",
    "MAX_NETWORKS",
    "Certificate",
    "Wanted",
    "certificate_untrusted",
    "encode_certificate",
    "glob_matches",
    "why_not_glob",
)

#: Seconds by which clocks may differ: a certificate counts so long before and after its time
#: [P161].
GRACE: Final = 300
#: Seconds for which a member that is held stays listed after its certificate has ended.
HELD_GRACE: Final = 86_400
#: Bytes. Its page adds name, generation and heads, 90 at most, and may have 1,000.
MAX_CERTIFICATE: Final = 900
#: Globs and networks of one certificate: each is looked at for each topic, or address, of a record.
MAX_GLOBS: Final = 16
MAX_NETWORKS: Final = 16
MAX_GLOB: Final = 100
#: Seconds since 1970 that a time may have: up to the year 9999, which every library can print.
_LAST_TIME: Final = 253_402_300_799

_SUB, _AUD, _EXP, _NBF, _CNF = 2, 3, 4, 5, 8
_ISSUE, _TOPICS, _NETWORKS = -70001, -70002, -70003
_COSE_KEY, _KTY, _CRV, _X = 1, 1, -1, -2
_OKP, _ED25519 = 1, 6

_Network = IPv4Network | IPv6Network


class Wanted(NamedTuple):
    """What a certificate is to say; see ``Certificate``."""

    name: str
    cluster: str
    public: bytes
    issue: int
    not_before: int
    expires: int
    topics: Iterable[str] | None = None
    networks: Iterable[str] | None = None


class Certificate(NamedTuple):
    """One certificate, read. ``why_not_authentic`` and ``why_not_now`` say if it counts."""

    name: NodeId
    cluster: str
    public: bytes
    #: The highest of a name counts, and ends those below.
    issue: int
    #: Seconds since 1970.
    not_before: int
    expires: int
    #: Globs of topics, and networks of addresses, that its node may announce. None: any.
    topics: tuple[str, ...] | None
    networks: tuple[_Network, ...] | None
    signed: Signed
    #: As it was issued, and travels.
    raw: bytes

    def why_not_authentic(
        self, cluster: str, authorities: tuple[bytes, ...], verify: Verify
    ) -> Fault | None:
        """Say why it is not one of this cluster by one of these authorities, whatever the time.

        The signature is checked last: a verification takes 57 us.
        """
        if self.cluster != cluster:
            return Fault.FOREIGN_CLUSTER
        return why_not_signed(self.signed, authorities, verify)

    def why_not_now(self, wall: float, grace: float = GRACE) -> Fault | None:
        """Say why it does not count at that time, in seconds since 1970."""
        if wall < self.not_before - grace:
            return Fault.NOT_YET_VALID
        return Fault.EXPIRED if wall >= self.expires + grace else None

    def allows_topic(self, topic: str) -> bool:
        """Return whether its node may register hosts for that topic."""
        return self.topics is None or _any_matches(self.topics, topic)

    def allows_host(self, host: str) -> bool:
        """Return whether its node may announce that IP address."""
        if self.networks is None:
            return True
        try:
            address = ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in self.networks)


@lru_cache(maxsize=4096)  # a page has many entries of few topics
def _any_matches(globs: tuple[str, ...], topic: str) -> bool:
    return any(glob_matches(glob, topic) for glob in globs)


def glob_matches(glob: str, text: str) -> bool:
    """Return whether a text matches; ``*`` is any run of characters, and nothing else is special.

    Takes at most as many steps as the product of the lengths: both come from others.
    """
    first, *rest = glob.split("*")
    if not rest:
        return glob == text
    *middle, last = rest
    if len(text) < len(first) + len(last) or not text.startswith(first):
        return False
    end = len(text) - len(last)
    if text[end:] != last:
        return False
    at = len(first)
    for part in middle:
        at = text.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True


def why_not_glob(glob: object) -> str:
    """Say why that cannot be a glob of topics; empty: it can."""
    if not isinstance(glob, str) or not glob or not is_text(glob):
        return f"{glob!r} is not text that a topic could match: write it like 'compute*'"
    if len(glob) > MAX_GLOB:
        return f"{glob[:40]!r}... has {len(glob)} characters, more than the {MAX_GLOB} allowed"
    return ""


# -- writing -------------------------------------------------------------------------------


def encode_certificate(signer: Signer, wanted: Wanted) -> Certificate:
    """Issue a certificate, signed by an authority. Raises IdentityError for what cannot be one."""
    name, issue = wanted.name, wanted.issue
    for what, value in (("node name", name), ("cluster name", wanted.cluster)):
        if reason := why_not_name(what, value):
            raise IdentityError(reason)
    claims: dict[int, Any] = {
        _SUB: name,
        _AUD: wanted.cluster,
        _EXP: wanted.expires,
        _NBF: wanted.not_before,
        _CNF: {_COSE_KEY: {_KTY: _OKP, _CRV: _ED25519, _X: wanted.public}},
        _ISSUE: issue,
    }
    if wanted.topics is not None:
        claims[_TOPICS] = _checked_globs(wanted.topics)
    if wanted.networks is not None:
        claims[_NETWORKS] = _checked_networks(wanted.networks)
    raw = seal(claims, signer)
    if len(raw) > MAX_CERTIFICATE:
        raise IdentityError(
            f"the certificate of {name} would take {len(raw)} bytes, more than the "
            f"{MAX_CERTIFICATE} allowed: name fewer topics or networks"
        )
    read = certificate_untrusted(raw)
    if isinstance(read, Fault):
        raise IdentityError(
            f"a certificate of {name} with issue {issue}, from {wanted.not_before} to "
            f"{wanted.expires}, for a key of {len(wanted.public)} bytes is none that could be read"
        )
    return read


def _checked_globs(topics: Iterable[str]) -> list[str]:
    globs = list(dict.fromkeys(topics))
    for glob in globs:
        if reason := why_not_glob(glob):
            raise IdentityError(reason)
    if len(globs) > MAX_GLOBS:
        raise IdentityError(f"{len(globs)} globs of topics are more than the {MAX_GLOBS} allowed")
    return globs


def _checked_networks(networks: Iterable[str]) -> list[str]:
    try:
        texts = list(dict.fromkeys(str(ip_network(text)) for text in networks))
    except ValueError as exc:
        raise IdentityError(f"{exc}: write it like 10.0.0.0/8") from None
    if len(texts) > MAX_NETWORKS:
        raise IdentityError(f"{len(texts)} networks are more than the {MAX_NETWORKS} allowed")
    return texts


# -- reading -------------------------------------------------------------------------------


@lru_cache(maxsize=256)  # the same one comes with each page 0 that is pushed
def certificate_untrusted(raw: bytes) -> Certificate | Fault:
    """Read a certificate; its signature is not checked. Returns what is wrong with its form."""
    signed = signed_untrusted(raw, MAX_CERTIFICATE)
    if isinstance(signed, Fault):
        return signed
    try:
        return _read(raw, signed)
    except (KeyError, ValueError, TypeError, AttributeError):
        return Fault.MALFORMED


def _read(raw: bytes, signed: Signed) -> Certificate:
    """Read the claims. Raises one of several errors for what is not a certificate."""
    claims = signed.claims
    name, cluster, key = claims[_SUB], claims[_AUD], claims[_CNF][_COSE_KEY]
    public, issue = key[_X], claims[_ISSUE]
    not_before, expires = claims[_NBF], claims[_EXP]
    texts = type(name) is type(cluster) is str and is_name(name) and is_name(cluster)
    keys = key[_KTY] == _OKP and key[_CRV] == _ED25519 and type(public) is bytes
    numbers = type(issue) is type(not_before) is type(expires) is int
    if not (texts and keys and numbers and len(public) == PUBLIC_SIZE):
        raise ValueError
    if not (0 < issue < MAX_COUNTER and 0 <= not_before < expires <= _LAST_TIME):
        raise ValueError
    topics, networks = claims.get(_TOPICS), claims.get(_NETWORKS)
    if topics is not None:
        topics = tuple(_list(topics, MAX_GLOBS))
        if any(why_not_glob(glob) for glob in topics):
            raise ValueError
    if networks is not None:
        networks = tuple(ip_network(text) for text in _list(networks, MAX_NETWORKS))
    return Certificate(
        name, cluster, public, issue, not_before, expires, topics, networks, signed, raw
    )


def _list(value: object, most: int) -> list[str]:
    if type(value) is not list or len(value) > most or any(type(one) is not str for one in value):
        raise ValueError
    return value
