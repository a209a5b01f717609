"""Why a certificate, or a list of revocations, does not count: a phrase for each fault.

A phrase completes "the certificate of b ...".
"""

from __future__ import annotations

from collections.abc import Mapping

from gossipmm.core.values.fault import Fault

__all__ = ("FAULTS", "RENEW", "what_to_do")

#: Fault -> its phrase. All are here.
FAULTS: Mapping[Fault, str] = {
    Fault.TOO_LARGE: "is larger than any that is read",
    Fault.TRUNCATED: "is cut off: its end is missing",
    Fault.MALFORMED: "is damaged, or of a later version of gossipmm",
    Fault.FOREIGN_AUTHORITY: "is signed by an authority that is not configured here",
    Fault.BAD_SIGNATURE: "has a wrong signature: it was damaged or forged",
    Fault.FOREIGN_CLUSTER: "is for another cluster",
    Fault.OTHER_NAME: "is for another name",
    Fault.OTHER_KEY: "is for another key",
    Fault.NOT_YET_VALID: "is not valid yet",
    Fault.EXPIRED: "has expired",
    Fault.REVOKED: "was revoked by the authority",
    Fault.SUPERSEDED: "was replaced by a later one",
    Fault.MISSING: "is not known here",
}

#: What gives a node another certificate.
RENEW = "gossipmm ca issue"
_AGAIN = "copy it again from where it was issued, or issue another one with {renew}"
_ISSUE = "issue another one with {renew}"
_WHAT: Mapping[Fault, str] = {
    Fault.TRUNCATED: _AGAIN,
    Fault.MALFORMED: _AGAIN,
    Fault.BAD_SIGNATURE: _AGAIN,
    Fault.FOREIGN_AUTHORITY: (
        "have it issued by that authority with {renew}, or add the authority that signed it to "
        "the setting authority (gossipmm ca show prints the line)"
    ),
    Fault.OTHER_KEY: "{renew} takes the key that gossipmm identity show prints on this host",
    Fault.NOT_YET_VALID: "look at this machine's clock, and at that of the authority",
}


def what_to_do(fault: Fault, renew: str = RENEW) -> str:
    """Say what mends it, as a phrase; ``renew`` is the command that issues one."""
    return _WHAT.get(fault, _ISSUE).format(renew=renew)
