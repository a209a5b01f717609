"""What an insider sends (``insider.py``): each attack yields datagrams, in the insider's name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count as numbers
from struct import pack_into
from typing import TYPE_CHECKING

from gossipmm.core.values.rotation_state import Phase, RotationState
from gossipmm.core.values.types import NodeState, Registration
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import Page, encode_entry, encode_page, encode_page_zero
from tests.bench.flood import hostile

if TYPE_CHECKING:
    from tests.bench.insider import Insider

#: Versions of page 0 in one datagram of the burst, and datagrams of a burst (S1).
_VERSIONS, _NEWS = 18, 128
_MARK = 0x0DDC0FFE << 4 & 0x0FFFFFFF

Lie = Iterator[bytes]


def none(insider: Insider) -> Lie:
    """Send nothing: what the machine itself does."""
    del insider
    while True:
        yield b""


def burst(insider: Insider) -> Lie:
    """S1: 140 registrations, and then versions of page 0 that alternate, many in each datagram."""
    # Made once, with versions that are written over: this process has to make 10 MB a second.
    states = (NodeState.UP, NodeState.DRAINING)
    pages = [insider.page_zero(states[n % 2], _MARK + n) for n in range(_VERSIONS)]
    template = bytearray(insider.frame(_1=[page.raw for page in pages]))
    places = [(template.index((_MARK + n).to_bytes(4, "big")), n) for n in range(_VERSIONS)]
    for version in numbers(1 << 17, 1 + _NEWS * _VERSIONS):
        entries = [Registration("compute", f"h{number}") for number in range(12)]
        for page in range(1, 13):
            yield insider.frame(_1=[_entries(insider, page, version, entries).raw])
        for news in range(_NEWS):
            first = version + news * _VERSIONS
            for at, later in places:
                pack_into(">I", template, at, first + later)
            yield bytes(template)


def flips(insider: Insider) -> Lie:
    """S7: a member with very many hosts drains, and takes that back."""
    for version in numbers(1000):
        state = NodeState.DRAINING if version % 2 else NodeState.UP
        yield insider.frame(_1=[insider.page_zero(state, version).raw])


def tables(insider: Insider) -> Lie:
    """S7: pages with ever new topics and hosts."""
    for version in numbers(1000):
        entries = [Registration(f"t{version % 50}-{n}", f"h{n}") for n in range(40)]
        yield insider.frame(_1=[_entries(insider, 1 + version % 40, version, entries).raw])


def _entries(insider: Insider, number: int, version: int, entries: list[Registration]) -> Page:
    pairs = [(entry, encode_entry(entry)) for entry in entries]
    return encode_page(insider.node.name, insider.node.generation, number, version, pairs)


def _accusing(insider: Insider) -> Lie:
    rng = insider.rng
    victims = insider.victims()
    claims = (wire.SUSPECT, wire.DEAD, wire.ACCUSER, wire.LEFT, wire.ALIVE, wire.UNHEARD)
    rows = b""
    for _ in range(40):
        victim = rng.choice(victims)
        ahead = rng.choice((0, 1, 100, 1 << 20, 1 << 31))
        beat = min(victim.heartbeat + ahead, 0xFFFF_FFFF)
        key = insider.key_of(victim.name, victim.generation)
        rows += wire.row(key, beat, rng.choice(claims)) + (
            wire.row(rng.getrandbits(64) or 1, 0, wire.ACCUSER) if rng.random() < 0.3 else b""
        )
    yield insider.frame(rows[: 60 * wire.ROW_SIZE])


def _far_generations(insider: Insider) -> Lie:
    victim = insider.rng.choice(insider.victims())
    for generation in ((1 << 59) - 2, victim.generation + (3_600_000 << 16), (1 << 62) - 1):
        page = encode_page_zero(victim.name, generation, 1, NodeState.UP, (insider.address,), {})
        key = insider.key_of(victim.name, generation)
        yield insider.frame(_1=[page.raw])
        yield insider.frame(sender=key, _1=[page.raw])
        yield insider.frame(_5=[[victim.name, generation]])


def _claimed(insider: Insider) -> Lie:
    victim = insider.rng.choice(insider.victims())
    for state in (NodeState.UP, NodeState.LEFT):
        version = 1000 + insider.rng.randrange(1 << 16)
        page = encode_page_zero(
            victim.name, victim.generation, version, state, victim.addresses, {}
        )
        yield insider.frame(_1=[page.raw])


def _registers(insider: Insider) -> Lie:
    rng = insider.rng
    for phase in Phase:
        state = RotationState(
            *(rng.choice((0, 7, 1 << 30)), rng.choice((7, 1 << 30)), phase),
            *(rng.randbytes(2), rng.randbytes(2), rng.random() < 0.5, 3, 0),
        )
        yield insider.frame(_12=[[*state[:2], int(phase), *state[3:]], rng.randbytes(32)])


def _questions(insider: Insider) -> Lie:
    rng = insider.rng
    yield insider.frame(_2=[0, b"\0", b""])
    yield insider.frame(_4=[[rng.getrandbits(64), b""] for _ in range(60)])
    yield insider.frame(_6=[0, rng.getrandbits(64), True, wire.MAX_PULL])
    yield insider.frame(_3=[10, 0, rng.randbytes(1000)])
    yield insider.frame(_10=["compute", "a"])


def lies(insider: Insider) -> Lie:
    """Everything that an insider can say of others, of keys and of nothing, over and over."""
    kinds: tuple[Callable[[Insider], Lie], ...] = (
        *(_accusing, _far_generations, _claimed, _registers, _questions),
    )
    junk = hostile()
    for number in numbers():
        for kind in kinds:
            yield from kind(insider)
        yield junk[number % len(junk)]


ATTACKS: dict[str, Callable[[Insider], Lie]] = {
    "none": none,
    "burst": burst,
    "flips": flips,
    "tables": tables,
    "lies": lies,
}
