"""Where to bind, and which addresses to announce.

* Bound to one address: that one is announced. Port 0 is replaced by the port that the system chose.
* Bound to a wildcard: the primary address (the one towards the default route) is announced, of
  both families for ``[::]``. Without a default route it is the one that leads to a seed.
* ``advertise`` replaces all this; without a port, or with port 0, it takes the bound one.
* Anything but loopback requires a key, or ``insecure``.
"""

from __future__ import annotations

import errno
import ipaddress
import os
from collections.abc import Iterable
from contextlib import suppress

import trio

from gossipmm.addresses import format_address, parse_address, parse_seed
from gossipmm.agent.network import Network, Port
from gossipmm.config import Config
from gossipmm.core.values.types import Address
from gossipmm.errors import BindError

__all__ = ("WILDCARDS", "bind", "check_exposure", "is_loopback", "literal_of", "machine_addresses")

WILDCARDS = frozenset({"0.0.0.0", "::"})
#: Seconds in which seeds are resolved to find a route to one of them.
_RESOLVE = 5.0


async def bind(config: Config, network: Network) -> tuple[Port, tuple[Address, ...]]:
    """Bind the socket; return it and the addresses to announce. Raises BindError, ConfigError."""
    name, number = parse_address(config.bind, path="bind")
    host = await literal_of(name, number, "bind", network)
    check_exposure(config, host)
    try:
        port = network.bind(host, number)
    except OSError as exc:
        raise BindError(f"bind: cannot bind {config.bind}: {_reason(exc)}") from None
    try:
        return port, await _announced(config, network, port)
    except BaseException:
        port.close()
        raise


def check_exposure(config: Config, host: str) -> None:
    """Refuse to be reachable by others without a key, unless ``insecure``. Raises BindError."""
    if config.keyring or is_loopback(host):
        return
    if config.accept_drain:
        raise BindError(
            f"accept_drain: {config.bind} can be reached from other machines and no key is "
            "configured, so that anybody who can send a datagram there could take this host out "
            "of service: configure a keyring, or leave accept_drain out"
        )
    if config.insecure:
        return
    raise BindError(
        f"bind: {config.bind} can be reached from other machines and no key is configured; write "
        'either keyring = "/etc/gossipmm/keyring.json" (encrypted, from a file of keys) or '
        "insecure = true (anybody who can send a datagram there can change the table)"
    )


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches that literal."""
    return ipaddress.ip_address(host.partition("%")[0]).is_loopback


async def _announced(config: Config, network: Network, port: Port) -> tuple[Address, ...]:
    host, number = port.address
    if config.advertise:
        name, wanted = parse_address(config.advertise, path="advertise", default_port=0)
        literal = await literal_of(name, wanted or number, "advertise", network)
        if literal in WILDCARDS:
            raise BindError(
                f"advertise: {config.advertise} is not an address that others can send to"
            )
        return ((literal.partition("%")[0], wanted or number),)
    if host not in WILDCARDS:
        return (port.address,)
    addresses = machine_addresses(network, port.address)
    if not addresses and config.join:
        seeds = await _seeds(config, network)
        addresses = machine_addresses(network, port.address, towards=seeds)
    if not addresses:
        to_seeds = f", and none leads to a seed ({', '.join(config.join)})" if config.join else ""
        raise BindError(
            f"bind: {config.bind} is every address of this machine and none has a default route"
            f"{to_seeds}: say which one the others are to use, for example "
            f'advertise = "{format_address(("192.0.2.1", number))}"'
        )
    return addresses


def machine_addresses(
    network: Network,
    bound: Address,
    *,
    keep: Iterable[Address] = (),
    towards: Iterable[Address] = (),
) -> tuple[Address, ...]:
    """Return what a socket bound to a wildcard is to be announced as: one address of each family.

    One of ``keep`` that the machine still has, else the one towards the default route, else the one
    towards the first of ``towards`` to which there is a route. Empty: the machine has none.
    """
    host, number = bound
    found = []
    for v6 in (True, False) if host == "::" else (False,):
        kept = (literal for literal, _ in keep if (":" in literal) == v6)
        literal = next(filter(network.has_address, kept), None)
        literal = literal or network.primary_address(v6=v6)
        if literal is None:
            targets = (target for target, _ in towards if (":" in target) == v6)
            literal = next(filter(None, map(network.source_towards, targets)), None)
        if literal is not None:
            found.append((literal, number))
    return tuple(found)


async def _seeds(config: Config, network: Network) -> list[Address]:
    """Return the addresses of the seeds that can be resolved now."""
    found: list[Address] = []
    with trio.move_on_after(_RESOLVE):
        for seed in map(parse_seed, config.join):
            with suppress(OSError):
                if not seed.srv:
                    found.extend(await network.resolve(seed.host, seed.port))
    return found


async def literal_of(name: str, number: int, path: str, network: Network) -> str:
    """Return the first address of a name; a literal as it is, with its scope."""
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        pass
    else:
        return name
    try:
        found = await network.resolve(name, number)
    except OSError as exc:
        raise BindError(f"{path}: {name} cannot be resolved: {_reason(exc)}") from None
    if not found:
        raise BindError(f"{path}: {name} has no address")
    return found[0][0]


def _reason(exc: OSError) -> str:
    hints = {
        errno.EADDRINUSE: "the address is in use (is another agent running here, or another worker "
        "of this server? Workers share one agent, or have port 0 and a name each: name-{pid})",
        errno.EADDRNOTAVAIL: "it is not an address of this machine",
        errno.EACCES: "permission denied (ports below 1024 are for root)",
    }
    known = hints.get(exc.errno) if exc.errno is not None else None
    if known is not None:
        return known
    if exc.strerror:
        return exc.strerror
    return os.strerror(exc.errno) if exc.errno else str(exc)
