"""What is wrong with the path to a member, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gossipmm.addresses import format_address
from gossipmm.core.values.types import Address, NodeId, PathFault, PathView

__all__ = ("MENDED", "TROUBLE", "no_path", "path_mended", "path_trouble", "path_troubles")

#: Members that are named.
_SHOWN = 5
#: Fault -> what is wrong; ``{name}`` is the member, ``{at}`` the addresses that it is about.
TROUBLE: Mapping[PathFault, str] = {
    PathFault.SOURCE: (
        "member {name} sends from {at}, an address that it does not announce: a translator of "
        "addresses is in between, and its ports may change"
    ),
    PathFault.NO_PATH: (
        "member {name} answers others, but not this node, at {at}: no path leads there from here, "
        "and what this node has to tell it goes by others; look at address families, routes and "
        "firewalls between the two"
    ),
}
#: Fault -> what is said once it is over.
MENDED: Mapping[PathFault, str] = {
    PathFault.SOURCE: "member {name} sends from {at}, as it announces",
    PathFault.NO_PATH: "member {name} answers this node again, at {at}",
}


def path_trouble(fault: PathFault, name: NodeId, addresses: tuple[Address, ...]) -> str:
    """Say what is wrong with the path to a member."""
    return TROUBLE[fault].format(name=name, at=_at(addresses))


def path_mended(fault: PathFault, name: NodeId, addresses: tuple[Address, ...]) -> str:
    """Say that it is over."""
    return MENDED[fault].format(name=name, at=_at(addresses))


def path_troubles(views: Iterable[PathView]) -> dict[NodeId, str]:
    """Say what is wrong with each path: member -> words."""
    told: dict[NodeId, str] = {}
    for view in views:
        words = path_trouble(view.fault, view.name, view.addresses)
        told[view.name] = f"{told[view.name]}; {words}" if view.name in told else words
    return told


def no_path(names: list[NodeId]) -> str:
    """Say that this node does not reach some members that live."""
    shown = ", ".join(names[:_SHOWN])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"no path leads from this node to {shown}{more}, though others reach them"


def _at(addresses: tuple[Address, ...]) -> str:
    return ", ".join(format_address(address) for address in addresses)
