"""What an agent would refuse at its start, without starting one: for ``gossipmm config check``."""

from __future__ import annotations

import os
import socket
from dataclasses import replace

from gossipmm.addresses import parse_address
from gossipmm.agent import state
from gossipmm.agent.binding import check_exposure, literal_of
from gossipmm.agent.network import Network, SystemNetwork
from gossipmm.agent.opening import build_node, identity_of
from gossipmm.config import Config
from gossipmm.errors import IdentityError
from gossipmm.matchmaker import load_ring

__all__ = ("check",)


async def check(config: Config, *, network: Network | None = None) -> None:
    """Refuse what ``open_agent`` and ``gossipmm agent`` would refuse, except that nothing is bound.

    Names of ``bind`` and ``advertise`` are resolved, the files that it names are read. Raises
    ConfigError, BindError, KeyringError, IdentityError, RegistrationError or RingFileError.
    """
    network = SystemNetwork() if network is None else network
    config = replace(config, name=config.name or socket.gethostname())
    config = _with_keys(config)
    name, port = parse_address(config.bind, path="bind")
    host = await literal_of(name, port, "bind", network)
    check_exposure(config, host)
    if config.advertise:
        name, wanted = parse_address(config.advertise, path="advertise", default_port=0)
        host, port = await literal_of(name, wanted or port, "advertise", network), wanted or port
    memory = state.Memory()
    identity = identity_of(config, memory, trial=True)
    build_node(config, network, ((host, port or 1),), memory, identity, trial=True)
    if config.certificate and config.identity != "off":
        _check_time(config.certificate, network)
    if config.on:
        from gossipmm.services.handlers import check_handlers

        check_handlers(config.on)
    if config.ring_file:
        load_ring(config.ring_file)


def _check_time(path: str, network: Network) -> None:
    """Refuse a certificate that does not count now, which an agent only complains of."""
    from gossipmm.identityfile import load_certificate, time_trouble

    if trouble := time_trouble(path, load_certificate(path), network.wall_ms() / 1000):
        raise IdentityError(trouble)


def _with_keys(config: Config) -> Config:
    """Read keys that an agent would copy at its start from where they are; nothing is copied."""
    if not config.keyring_seed or os.path.exists(config.keyring):
        return replace(config, keyring_seed="")
    return replace(config, keyring=config.keyring_seed, keyring_seed="")
