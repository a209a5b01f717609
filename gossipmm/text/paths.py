"""What is wrong with the path to a member, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gossipmm.addresses import format_address
from gossipmm.core.values.types import Address, NodeId, PathFault, PathView

__all__ = (
    "MENDED",
    "TOO_SMALL",
    "TROUBLE",
    "no_path",
    "path_mended",
    "path_trouble",
    "path_troubles",
)

#: Members that are named.
_SHOWN = 5
#: Fault -> what is wrong; ``{name}`` is the member, ``{at}`` the addresses that it is about;
#: ``{carries}`` and ``{loses}`` are sizes of datagrams in bytes.
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
    PathFault.SIZE: (
        "datagrams of {loses} bytes to member {name} at {at} are lost, those of {carries} bytes "
        "arrive: what this node has to tell it goes in parts; look at the MTU of tunnels and VPNs "
        "between the two, and let ICMP through"
    ),
}
#: Of ``PathFault.SIZE``, where not even parts arrive.
TOO_SMALL = (
    "datagrams of {loses} bytes to member {name} at {at} are lost, though smaller ones arrive: "
    "only others can tell it things; look at the MTU of tunnels and VPNs between the two"
)
#: Fault -> what is said once it is over.
MENDED: Mapping[PathFault, str] = {
    PathFault.SOURCE: "member {name} sends from {at}, as it announces",
    PathFault.NO_PATH: "member {name} answers this node again, at {at}",
    PathFault.SIZE: "datagrams of {carries} bytes to member {name} at {at} arrive again",
}


def path_trouble(view: PathView) -> str:
    """Say what is wrong with the path to a member."""
    too_small = view.fault is PathFault.SIZE and not view.carries
    return _say(TOO_SMALL if too_small else TROUBLE[view.fault], view)


def path_mended(view: PathView) -> str:
    """Say that it is over."""
    return _say(MENDED[view.fault], view)


def _say(words: str, view: PathView) -> str:
    at = _at(view.addresses)
    return words.format(name=view.name, at=at, carries=view.carries, loses=view.loses)


def path_troubles(views: Iterable[PathView]) -> dict[NodeId, str]:
    """Say what is wrong with each path: member -> words."""
    told: dict[NodeId, str] = {}
    for view in views:
        words = path_trouble(view)
        told[view.name] = f"{told[view.name]}; {words}" if view.name in told else words
    return told


def no_path(names: list[NodeId]) -> str:
    """Say that this node does not reach some members that live."""
    shown = ", ".join(names[:_SHOWN])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"no path leads from this node to {shown}{more}, though others reach them"


def _at(addresses: tuple[Address, ...]) -> str:
    return ", ".join(format_address(address) for address in addresses)
