"""What a hostile member says of others (``hostile_agent.py``): one function for each kind of lie.

Each returns datagrams, not sealed yet, in the name of the member itself. What can be signed is
signed with its own key, as it has no other.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gossipmm.core.identity.signed import seal_of
from gossipmm.core.values.types import NodeState, Registration
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import Seal, encode_entry, encode_page, encode_page_zero

if TYPE_CHECKING:
    from tests.bench.hostile_agent import Hostile

#: Where nobody is (RFC 5737).
_NOWHERE = ("203.0.113.9", 7946)
#: Pages, and rows, in a datagram.
_PAGES, _ROWS = 4, 60


def own_seal(liar: Hostile) -> Seal | None:
    """Return what signs with the only key that it has; None: it has none."""
    return seal_of(liar.identity.signer, liar.config.cluster) if liar.identity else None


def _rows(liar: Hostile, claim: int, ahead: int, more: bytes = b"") -> list[bytes]:
    rows = [
        wire.row(liar.key_of(one.name, one.generation), one.heartbeat + ahead, claim) + more
        for one in liar.victims()
        if one.name != liar.killed
    ]
    most = _ROWS * wire.ROW_SIZE // len(rows[0]) if rows else 1
    return [liar.frame(b"".join(rows[at : at + most])) for at in range(0, len(rows), most)]


def accuses(liar: Hostile) -> list[bytes]:
    """Say that all others do not answer: at their heartbeats, ahead of them, by others."""
    framed = b"".join(
        wire.row(liar.key_of(one.name, one.generation), 0, wire.ACCUSER)
        for one in liar.victims()[:3]
    )
    return [
        *_rows(liar, wire.SUSPECT, 0),
        *_rows(liar, wire.SUSPECT, 1000),
        *_rows(liar, wire.SUSPECT, 0, framed),
    ]


def forges_heartbeats(liar: Hostile) -> list[bytes]:
    """Tell heartbeats of all, ever higher."""
    return _rows(liar, wire.ALIVE, 1 + liar.told)


def says_that_they_left(liar: Hostile) -> list[bytes]:
    """Say by rows that all have left."""
    return _rows(liar, wire.LEFT, 0)


def retells_the_dead(liar: Hostile) -> list[bytes]:
    """Tell that the killed host lives, at ever higher heartbeats."""
    return [
        liar.frame(
            wire.row(liar.key_of(one.name, one.generation), one.heartbeat + liar.told, wire.ALIVE)
        )
        for one in liar.victims()
        if one.name == liar.killed
    ]


def _pages(liar: Hostile, make: Callable[[Any], bytes]) -> list[bytes]:
    raws = [make(one) for one in liar.victims() if one.name != liar.killed]
    return [liar.frame(_1=raws[at : at + _PAGES]) for at in range(0, len(raws), _PAGES)]


def claims_names(liar: Hostile) -> list[bytes]:
    """Tell of a later life of everybody, up or having left, where nobody is; and of floors."""
    generation = (int(time.time() * 1000) + 1000) << 16 | liar.rng.getrandbits(16)
    seal = own_seal(liar)

    def page(one: Any, state: NodeState) -> bytes:
        return encode_page_zero(one.name, generation, 9, state, (_NOWHERE,), {}, seal=seal).raw

    return [
        *_pages(liar, lambda one: page(one, NodeState.UP)),
        *_pages(liar, lambda one: page(one, NodeState.LEFT)),
        liar.frame(_5=[[one.name, generation] for one in liar.victims()]),
    ]


def forges_pages(liar: Hostile) -> list[bytes]:
    """Tell pages of the present lives: at its own address, with other entries, as having left."""
    version, seal = 1000 + liar.told, own_seal(liar)
    entry = Registration("compute", "x")
    entries = [(entry, encode_entry(entry))]

    def zero(one: Any, state: NodeState, where: Any, signs: Seal | None) -> bytes:
        at = one.generation, version, state, where
        return encode_page_zero(one.name, *at, {"forged": liar.told}, seal=signs).raw

    def rubbish(_: bytes) -> bytes:
        return liar.rng.randbytes(64)

    broken = Seal(seal.public, rubbish) if seal is not None else None
    mine = (liar.address,)
    return [
        *_pages(liar, lambda one: zero(one, NodeState.UP, mine, seal)),
        *_pages(liar, lambda one: zero(one, NodeState.UP, mine, broken)),
        *_pages(liar, lambda one: zero(one, NodeState.LEFT, one.addresses, seal)),
        *_pages(
            liar,
            lambda one: encode_page(one.name, one.generation, 1, version, entries, seal).raw,
        ),
    ]


def invents_a_host(liar: Hostile) -> list[bytes]:
    """Tell of a host that there is not, with a registration of the topic of all: one in 2 s."""
    if liar.told % 4:
        return []
    name, generation, seal = f"ghost-{liar.told}", int(time.time() * 1000) << 16, own_seal(liar)
    entry = Registration("compute", name)
    where = (liar.address,)
    zero = encode_page_zero(name, generation, 1, NodeState.UP, where, {}, seal=seal)
    one = encode_page(name, generation, 1, 2, [(entry, encode_entry(entry))], seal)
    row = wire.row(liar.key_of(name, generation), 5, wire.ALIVE)
    return [liar.frame(row, _1=[zero.raw, one.raw])]


def tells_twice(liar: Hostile) -> list[bytes]:
    """Sign another page 0 of its own version."""
    node: Any = liar.node
    version, seal = node._local.me.pages[0].version, own_seal(liar)
    at = node.generation, version, NodeState.UP, node.addresses
    page = encode_page_zero(node.name, *at, {"other": True}, seal=seal)
    return [liar.frame(_1=[page.raw])]


LIES: tuple[Callable[[Hostile], list[bytes]], ...] = (
    *(accuses, forges_heartbeats, says_that_they_left, retells_the_dead, claims_names),
    *(forges_pages, invents_a_host, tells_twice),
)
