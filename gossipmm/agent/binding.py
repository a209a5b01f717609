"""Where to bind, and which addresses to announce.

* Bound to one address: that one is announced. Port 0 is replaced by the port that the system chose.
* Bound to a wildcard: the primary address (the one towards the default route) is announced, of
  both families for ``[::]``.
* ``advertise`` replaces all this; without a port, or with port 0, it takes the bound one.
* Anything but loopback requires a key, or ``insecure``.
"""

from __future__ import annotations

import errno
import ipaddress
import os

from gossipmm.addresses import format_address, parse_address
from gossipmm.agent.network import Network, Port
from gossipmm.config import Config
from gossipmm.core.values.types import Address
from gossipmm.errors import BindError

__all__ = ("bind", "check_exposure", "is_loopback")

_WILDCARDS = {"0.0.0.0", "::"}


async def bind(config: Config, network: Network) -> tuple[Port, tuple[Address, ...]]:
    """Bind the socket; return it and the addresses to announce. Raises BindError, ConfigError."""
    name, number = parse_address(config.bind, path="bind")
    host = await _literal(name, number, "bind", network)
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
    if config.keyring or config.insecure or is_loopback(host):
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
        literal = await _literal(name, wanted or number, "advertise", network)
        if literal in _WILDCARDS:
            raise BindError(f"advertise: {config.advertise} is no address that others can send to")
        return ((literal.partition("%")[0], wanted or number),)
    if host not in _WILDCARDS:
        return (port.address,)
    families = (True, False) if host == "::" else (False,)
    found = [network.primary_address(v6=v6) for v6 in families]
    addresses = tuple((literal, number) for literal in found if literal is not None)
    if not addresses:
        raise BindError(
            f"bind: {config.bind} is every address of this machine and none has a default route: "
            "write which one others shall use, for example "
            f'advertise = "{format_address(("192.0.2.1", number))}"'
        )
    return addresses


async def _literal(name: str, number: int, path: str, network: Network) -> str:
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
        errno.EADDRINUSE: "the address is in use (is another agent running here?)",
        errno.EADDRNOTAVAIL: "it is no address of this machine",
        errno.EACCES: "permission denied (ports below 1024 are for root)",
    }
    known = hints.get(exc.errno) if exc.errno is not None else None
    if known is not None:
        return known
    if exc.strerror:
        return exc.strerror
    return os.strerror(exc.errno) if exc.errno else str(exc)
