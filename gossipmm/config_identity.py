"""The settings of identities, checked together."""

from __future__ import annotations

from gossipmm.config_values import nearest
from gossipmm.errors import ConfigError
from gossipmm.publickeys import parse_public_key

__all__ = ("IDENTITIES", "check_identity")

#: What ``identity`` can be.
IDENTITIES = ("off", "announce", "require")


def check_identity(
    identity: str, key: str, certificate: str, authority: tuple[str, ...], revocations: str
) -> None:
    """Refuse settings that could not be used, or not together. Raises ConfigError.

    ``key``: ``identity_key``, or ``state_file``, beside which a key is made.
    """
    if identity not in IDENTITIES:
        known = f"{', '.join(IDENTITIES[:-1])} or {IDENTITIES[-1]}"
        why = f"{identity!r} is not {known}{nearest(identity, IDENTITIES)}"
        raise ConfigError(why, path="identity")
    for text in authority:
        parse_public_key(text, path="authority")
    if identity == "off":
        return
    if not key:
        why = (
            f"{identity!r} needs a key that outlives this process: set identity_key, or "
            "state_file, beside which it is made"
        )
        raise ConfigError(why, path="identity")
    for name, value in (("certificate", certificate), ("revocations", revocations)):
        if value and not authority:
            why = (
                f"is {value}, but authority does not say whose signature counts: add the line "
                "that gossipmm ca show prints"
            )
            raise ConfigError(why, path=name)
    if identity == "require" and authority and not certificate:
        why = (
            "is missing, and with authority and identity = 'require' nobody would take this "
            "node's word without one: gossipmm ca issue makes it"
        )
        raise ConfigError(why, path="certificate")
