"""What identities cost: bytes of idle nodes, and the processor's time of a newcomer.

    python -m tests.bench.identities

Bytes are of nodes in memory, in virtual time; times are of this machine, with real signatures.
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable

from gossipmm.config import Config
from gossipmm.core.identity.certificates import Wanted, encode_certificate
from gossipmm.core.identity.keys import Ed25519Signer, Identity, IdentityMode
from gossipmm.core.identity.signed import seal_of
from gossipmm.core.node import Node
from gossipmm.core.values.types import NodeState, Registration, make_generation
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import (
    encode_certificate_page,
    encode_entry,
    encode_page,
    encode_page_zero,
)
from tests.core.certified_mesh import certified
from tests.helpers import WALL, Mesh
from tests.identities import signing
from tests.puppets import datagram

NODES, SECONDS, MEMBERS = 20, 300, 1000
CLUSTER = "gossipmm"


def idle(identity: Callable[[str], Identity | None]) -> float:
    """Bytes a second that one of 20 nodes sends, once all agree and pins are firm."""
    mesh = Mesh(*(f"n{number}" for number in range(NODES)), identity=identity, wall=True)
    for name in mesh.names():
        mesh[name].register("compute", f"host-{name}", now=mesh.now)
    mesh.run(120)
    assert mesh.agreed()
    before = sum(mesh[name].stats.sent_bytes for name in mesh.names())
    mesh.run(SECONDS)
    after = sum(mesh[name].stats.sent_bytes for name in mesh.names())
    return (after - before) / SECONDS / NODES


def joining(*, signs: bool, authority: Ed25519Signer | None) -> tuple[float, float]:
    """Milliseconds that a newcomer takes for the records of 1,000 members; the longest datagram."""
    rng = random.Random(1)
    own = Ed25519Signer.from_seed(b"o" * 32)
    identity = Identity(
        IdentityMode.REQUIRE, own, authorities=(authority.public,) if authority else ()
    )
    node = Node(
        Config(join=("seed:7946",)),
        name="newcomer",
        addresses=(("10.9.9.9", 7946),),
        generation=make_generation(WALL, rng),
        rng=rng,
        now=0.0,
        wall_ms=WALL,
        identity=identity if signs else None,
    )
    datagrams = [_record(number, rng, signs, authority) for number in range(MEMBERS)]
    gc.collect()
    gc.freeze()  # what this program made before is not the newcomer's: collecting it took 50 ms
    longest = whole = 0.0
    for place, data in enumerate(datagrams):
        begin = time.process_time()
        node.receive_datagram(data, ("10.0.0.1", 7946), place * 0.001)
        took = time.process_time() - begin
        whole += took
        longest = max(longest, took)
        node.datagrams_to_send()
    assert len(node.members()) == MEMBERS + 1, node.stats.dropped
    return whole * 1000, longest * 1000


def _record(number: int, rng: random.Random, signs: bool, authority: Ed25519Signer | None) -> bytes:
    name, generation = f"node-{number}", make_generation(WALL, rng)
    signer = Ed25519Signer.from_seed(number.to_bytes(31, "big") + b"s")
    seal = seal_of(signer, CLUSTER) if signs else None
    where = ((f"10.1.{number // 250}.{number % 250 + 1}", 7946),)
    zero = encode_page_zero(name, generation, 1, NodeState.UP, where, {}, None, 2, seal)
    entry = Registration("compute", f"host-{number}")
    one = encode_page(name, generation, 1, 2, [(entry, encode_entry(entry))], seal)
    pages = [zero.raw, one.raw]
    if authority is not None:
        now = WALL // 1000
        said = Wanted(name, CLUSTER, signer.public, 1, now - 60, now + 86_400)
        raw = encode_certificate(authority, said).raw
        pages.insert(0, encode_certificate_page(name, generation, 1, raw).raw)
    options = {wire.OPT_PAGES: pages, wire.OPT_MORE: []}
    return datagram(wire.NEWS, sender=7, options=options)


def main() -> None:
    """Print all figures."""
    print("bytes a second of one of 20 idle nodes, without encryption:")
    for what, identity in (
        ("without", lambda _: None),
        ("pinned", signing()),
        ("certified", certified()),
    ):
        print(f"  {what:10} {idle(identity):6.1f}")
    print("a newcomer and 1,000 members with one registration each, ms in all and at once:")
    authority = Ed25519Signer.from_seed(b"a" * 32)
    for what, signs, by in (
        ("without", False, None),
        ("pinned", True, None),
        ("certified", True, authority),
    ):
        whole, longest = joining(signs=signs, authority=by)
        print(f"  {what:10} {whole:6.0f} {longest:6.2f}")


if __name__ == "__main__":
    main()
