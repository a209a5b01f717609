"""Why a certificate, or a list of revocations, does not count."""

from __future__ import annotations

from enum import StrEnum

__all__ = ("Fault",)


class Fault(StrEnum):
    """Why a certificate, or a list of revocations, does not count. Stable names: append only.

    The sentence of each is in ``gossipmm.text.certificates``.
    """

    TOO_LARGE = "too_large"
    TRUNCATED = "truncated"  #: its end is missing
    MALFORMED = "malformed"  #: something else, or of a later version
    FOREIGN_AUTHORITY = "foreign_authority"  #: signed by an authority that does not count here
    BAD_SIGNATURE = "bad_signature"  #: damaged, or forged
    FOREIGN_CLUSTER = "foreign_cluster"
    OTHER_NAME = "other_name"  #: of another node
    OTHER_KEY = "other_key"  #: for another key than the node has
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    REVOKED = "revoked"
    SUPERSEDED = "superseded"  #: a later one of the same name is known
    MISSING = "missing"  #: none is known
