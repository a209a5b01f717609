"""What signatures add to what is sent, in bytes: pinned, since everybody pays them."""

from __future__ import annotations

import cbor2

from gossipmm.core.identity.signed import Life, Texts
from gossipmm.core.values.types import NodeState, Registration
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import (
    MAX_OWN_PAGE_ZERO,
    MAX_PAGE_ZERO,
    encode_certificate_page,
    encode_entry,
    encode_page,
    encode_page_zero,
    page_overhead,
)
from tests.core.certified_mesh import issued
from tests.identities import seal, signed_mesh

GENERATION = 1_700_000_000_000 << 16
HERE = (("10.20.30.40", 7946),)


def zero(name: str, metadata: dict[str, str], *, signed: bool) -> int:
    by = seal(name) if signed else None
    return len(encode_page_zero(name, GENERATION, 1, NodeState.UP, HERE, metadata, None, 2, by).raw)


def test_key_and_signature_add_100_bytes_to_page_0_and_66_to_others() -> None:
    """[P150]."""
    assert zero("host-17", {}, signed=True) - zero("host-17", {}, signed=False) == 100
    entry = Registration("compute", "gpu-1")
    pairs = [(entry, encode_entry(entry))]
    plain, signed = (
        len(encode_page("host-17", GENERATION, 1, 2, pairs, by).raw)
        for by in (None, seal("host-17"))
    )
    assert signed - plain == 66
    assert page_overhead("a", signed=True) - page_overhead("a") == 66


def test_the_largest_signed_page_0_is_one_that_others_read() -> None:
    """[P124, P150]: the limit of what is told is the same, signed or not."""
    metadata = {"m": "x" * 200}
    while zero("a" * 64, metadata, signed=False) < MAX_OWN_PAGE_ZERO:
        metadata["m"] += "x"
    assert zero("a" * 64, metadata, signed=False) == MAX_OWN_PAGE_ZERO
    assert zero("a" * 64, metadata, signed=True) == MAX_PAGE_ZERO


def test_a_certificate_page_and_a_statement_of_life_have_these_sizes() -> None:
    """[P155, P156]."""
    certificate = issued("host-17")
    page = encode_certificate_page("host-17", GENERATION, 1, certificate.raw)
    assert len(certificate.raw) == 165
    assert len(page.raw) == 190
    told = [1 << 63, 70_000, [1 << 63], 1_700_000_000, 7, bytes(64)]
    assert len(cbor2.dumps({wire.OPT_LIFE: told})) == 99
    text = Texts("gossipmm").of_life(Life("host-17", GENERATION, 7, (1 << 63,), 0, 0))
    assert text.startswith(b"gossipmm alive 1")


def test_a_record_of_many_entries_fits_when_it_is_signed() -> None:
    """[P104, P150]: the room for entries is smaller by the signature."""
    mesh = signed_mesh("a", "b")
    for number in range(60):
        mesh["a"].register("compute", f"host-{number}", {"m": "x" * 90}, now=mesh.now)
    mesh.run(3)
    pages = mesh["b"].table.by_name["a"].pages
    assert max(len(page.raw) for page in pages.values()) <= 1000
    assert mesh.agreed()
