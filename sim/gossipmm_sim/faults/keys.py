"""Rotation of the key of an encrypted cluster, step by step, host by host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gossipmm.core.sealing.keyring import Key
from gossipmm.errors import KeyringError
from gossipmm_sim.errors import UsageError
from gossipmm_sim.faults.base import Context, fault
from gossipmm_sim.faults.hosts import Each

if TYPE_CHECKING:
    from gossipmm_sim.engine.host import Host

__all__ = ("KeyStep",)


@fault("key")
@dataclass(frozen=True, slots=True, kw_only=True)
class KeyStep(Each):
    """Each of ``on`` adds, uses or removes the key ``kid`` (two characters, as ``k2``)."""

    step: str
    kid: str = "k2"

    def __post_init__(self) -> None:
        Each.__post_init__(self)
        if self.step not in ("add", "use", "remove"):
            raise ValueError(f"step={self.step!r} is none of add, use, remove")

    def one(self, run: Context, host: Host) -> None:
        """Change its keyring, running or not: the file is there either way."""
        kid = self.kid.encode()
        try:
            if self.step == "add":
                keyring = host.keyring.add(Key(kid, kid[-1:] * 32))
            elif self.step == "use":
                keyring = host.keyring.use(kid)
            else:
                keyring = host.keyring.remove(kid)
        except KeyringError as error:
            raise UsageError(f"key step={self.step} on {host.label}: {error}") from None
        host.set_keyring(keyring)
