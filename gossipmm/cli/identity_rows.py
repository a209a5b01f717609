"""What ``gossipmm status`` says of identities."""

from __future__ import annotations

import time
from typing import Any

from gossipmm.text.durations import duration
from gossipmm.text.identities import some_names

__all__ = ("identity_rows",)


def identity_rows(found: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the rows of a status; none for an agent without an identity."""
    own = found.get("identity", {})
    if not own.get("key"):
        return []
    rows = [("identity", f"{own['mode']}, key {own['key']}{_certificate(own)}")]
    states = ", ".join(f"{count} {state}" for state, count in own["members"].items())
    rows.append(("", states))
    if own["not_ready"]:
        rows.append(("", f"not ready for require: {some_names(own['not_ready'])}"))
    elif own["mode"] == "announce":
        rows.append(("", "all members are ready for require"))
    if own["conflicts"]:
        rows.append(("", f"used with another key as well: {some_names(own['conflicts'])}"))
    if own["equivocating"]:
        rows.append(("", f"signed two things as one: {some_names(own['equivocating'])}"))
    if own.get("revoked"):
        rows.append(("", f"certificate revoked: {some_names(own['revoked'])}"))
    for name, end in sorted(own["ending"].items(), key=lambda item: (item[1], item[0]))[:5]:
        rows.append(("", f"the certificate of {name} {_when(end)}"))
    return rows


def _certificate(own: dict[str, Any]) -> str:
    if own["expires"] is None:
        return "" if not own["authorities"] else ", no certificate"
    return f", certificate {_when(own['expires'])}"


def _when(end: float) -> str:
    left = end - time.time()
    return f"ends in {duration(left)}" if left > 0 else f"ended {duration(-left)} ago"
