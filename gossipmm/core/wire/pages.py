"""Pages: the last-writer-wins registers that a record is made of [P2, P3].

A page is one CBOR array, ``[name, generation, number, version, body ...]``, that travels and is
stored as the owner encoded it: relays pass on fields that they do not know. Page 0 has ``state,
addresses, metadata`` and, if its node encrypts, the ids of its keys; the others have a list of
entries ``[topic, host, state, metadata]`` (trailing defaults left out). A signature is the last
element [P150]; page 65,535 has a certificate behind an empty list [P155].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from hashlib import blake2b
from ipaddress import ip_address
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import cbor2

from gossipmm.core.values.rotation_state import Told, told_of
from gossipmm.core.values.stats import Drop, Stats
from gossipmm.core.values.types import (
    MAX_GENERATION,
    NO_METADATA,
    Address,
    EntryState,
    Generation,
    Metadata,
    NodeId,
    NodeState,
    Registration,
)
from gossipmm.core.wire.frame import MAX_COUNTER, OPT_PAGES
from gossipmm.core.wire.strict import Refused, loads_untrusted
from gossipmm.errors import LimitError
from gossipmm.names import MAX_METADATA_ITEMS, is_name, why_not_host, why_not_topic

#: Bytes. A page leaves room for the frame, the envelope and two rows in 1,200.
MAX_PAGE: Final = 1000
#: What is read of page 0, and what is written: members of wire version 1 read no more than that.
MAX_PAGE_ZERO: Final = 500
MAX_OWN_PAGE_ZERO: Final = 400
MAX_ENTRY: Final = 800
MAX_PAGE_NUMBER: Final = 0xFFFF
#: The last page that may list registrations. The one behind it is kept free for what concerns the
#: record as a whole, and is passed on unread [P124].
MAX_ENTRIES_NUMBER: Final = MAX_PAGE_NUMBER - 1
MAX_ADDRESSES: Final = 8
#: Bytes at the end of a signed page: the signature, with its head.
SIGNED_TAIL: Final = 66
_SIGNATURE_HEAD: Final = b"\x58\x40"
_PUBLIC_HEAD: Final = b"\x58\x20"
#: First bytes of arrays: of the shortest signed page 0, of other pages, and of what is too long.
_SIGNED_FIRST, _SIGNED_LATER, _LONG_ARRAY = 0x8B, 0x86, 0x98
#: Bytes of a public key, and bytes of it and the signature in page 0, heads included.
_PUBLIC: Final = 32
_SIGNED_ZERO: Final = 2 + _PUBLIC + SIGNED_TAIL
#: Steps of work to read a page, beside one for each entry; and the bytes of the shortest entry.
_READ: Final = 5
_LEAST_ENTRY: Final = 7
#: All bits of an entry's state that this version knows.
_LAST_STATE: Final = max(EntryState)


class Seal(NamedTuple):
    """What signs pages: the public key, and from a page's bytes without signature to that."""

    public: bytes
    sign: Callable[[bytes], bytes]


class Page(NamedTuple):
    """One page, decoded, with the bytes it arrived in [P5]."""

    name: NodeId
    generation: Generation
    number: int
    version: int
    raw: bytes
    #: Hash of ``raw``, 64 bits: of two pages of one version, the greater one counts [P3].
    digest: int
    state: NodeState = NodeState.UP
    addresses: tuple[Address, ...] = ()
    metadata: Metadata = NO_METADATA
    entries: tuple[Registration, ...] = ()
    #: In page 0 of a node that encrypts: its keys. None: it does not, or is an older version.
    keys: Told | None = None
    #: In page 0: the highest wire version that its node reads [P122].
    reads: int = 1

    @property
    def signed(self) -> bool:
        """True if it ends with a signature, whoever may have made it [P150].

        Found in its bytes: a field would take memory for each page of everybody.
        """
        raw = self.raw
        least = _SIGNED_LATER if self.number else _SIGNED_FIRST
        return (
            raw[-SIGNED_TAIL : 2 - SIGNED_TAIL] == _SIGNATURE_HEAD
            and least <= raw[0] < _LONG_ARRAY
            and self.number <= MAX_ENTRIES_NUMBER
        )

    @property
    def signer(self) -> bytes:
        """The public key that page 0, signed, names for its owner; empty: none."""
        raw = self.raw
        named = raw[-_SIGNED_ZERO : 2 - _SIGNED_ZERO] == _PUBLIC_HEAD
        return raw[2 - _SIGNED_ZERO : -SIGNED_TAIL] if named and self.signed else b""

    @property
    def certificate(self) -> bytes:
        """The certificate of page 65,535, unread; empty: none."""
        fields = loads_untrusted(self.raw, Drop.BAD_PAGE)
        return fields[5] if len(fields) > 5 and type(fields[5]) is bytes else b""

    @property
    def signature(self) -> bytes:
        """The signature that it ends with."""
        return self.raw[2 - SIGNED_TAIL :]


def is_later(page: Page, held: Page) -> bool:
    """Return whether a page counts before the one held: by version, then by digest [P3]."""
    return (page.version, page.digest) > (held.version, held.digest)


def page_digest(raw: bytes) -> int:
    """Return the digest of a page's bytes; number and version are among them."""
    return int.from_bytes(blake2b(raw, digest_size=8, person=b"gossipmm-bytes").digest(), "big")


def encode_page_zero(
    name: NodeId,
    generation: Generation,
    version: int,
    state: NodeState,
    addresses: tuple[Address, ...],
    metadata: Metadata,
    keys: Told | None = None,
    reads: int = 1,
    seal: Seal | None = None,
) -> Page:
    """Build page 0. Raises LimitError above 400 bytes, key and signature not counted.

    ``reads`` is the wire version that it announces, unless that alone would exceed the limit.
    """
    body: list[Any] = [int(state), [[host, port] for host, port in addresses], dict(metadata)]
    if keys is not None:
        body.append(keys.row())
    raw = cbor2.dumps([name, generation, 0, version, *body])
    if reads > 1:
        told = [*body, reads] if keys is not None else [*body, None, reads]
        telling = cbor2.dumps([name, generation, 0, version, *told])
        if len(telling) <= MAX_OWN_PAGE_ZERO:
            raw = telling
        else:
            reads = 1
    if seal is not None:
        told = [keys.row() if keys is not None else None, reads if reads > 1 else None]
        raw = _sealed([name, generation, 0, version, *body[:3], *told, seal.public], seal)
    if len(raw) > MAX_OWN_PAGE_ZERO + (0 if seal is None else _SIGNED_ZERO):
        raise LimitError(
            f"node {name!r}: addresses and metadata take "
            f"{len(raw) - (0 if seal is None else _SIGNED_ZERO)} bytes, more than "
            f"the {MAX_OWN_PAGE_ZERO} allowed: shorten the metadata"
        )
    return Page(
        name,
        generation,
        0,
        version,
        raw,
        page_digest(raw),
        state,
        addresses,
        metadata,
        keys=keys,
        reads=reads,
    )


def _sealed(fields: list[Any], seal: Seal) -> bytes:
    """Return an array that ends with the signature of everything before that."""
    return _signed(cbor2.dumps([*fields, None])[:-1], seal)


def _signed(text: bytes, seal: Seal) -> bytes:
    return text + _SIGNATURE_HEAD + seal.sign(text)


def encode_entry(entry: Registration) -> bytes:
    """Return the bytes of one entry, for packing. Raises LimitError above 800."""
    fields: list[Any] = [entry.topic, entry.host]
    if entry.state or entry.metadata:
        fields.append(int(entry.state))
    if entry.metadata:
        fields.append(dict(entry.metadata))
    raw = cbor2.dumps(fields)
    if len(raw) > MAX_ENTRY:
        raise LimitError(
            f"registration {entry.topic[:80]!r} of host {entry.host[:80]!r} takes {len(raw)} "
            f"bytes, more than the {MAX_ENTRY} allowed: shorten its metadata or its names"
        )
    return raw


def encode_page(
    name: NodeId,
    generation: Generation,
    number: int,
    version: int,
    written: Mapping[Registration, bytes] | list[tuple[Registration, bytes]],
    seal: Seal | None = None,
) -> Page:
    """Build page 1 ... n from entries and their bytes."""
    pairs = list(written.items()) if isinstance(written, Mapping) else written
    rest = [None] if seal is None else [None, None]
    prefix = cbor2.dumps([name, generation, number, version, *rest])[: -len(rest)]
    raw = prefix + _array_head(len(pairs)) + b"".join(raw for _, raw in pairs)
    if seal is not None:
        raw = _signed(raw, seal)
    entries = tuple(entry for entry, _ in pairs)
    return Page(name, generation, number, version, raw, page_digest(raw), entries=entries)


def encode_certificate_page(
    name: NodeId, generation: Generation, issue: int, certificate: bytes
) -> Page:
    """Build page 65,535: the same bytes, whoever of the holders builds it."""
    raw = cbor2.dumps([name, generation, MAX_PAGE_NUMBER, issue, [], certificate])
    return Page(name, generation, MAX_PAGE_NUMBER, issue, raw, page_digest(raw))


def in_order(number: int) -> int:
    """Return where a page stands among those of a datagram: what tells a key before the rest."""
    return (number + 1) % (MAX_PAGE_NUMBER + 1)


def page_overhead(name: NodeId, *, signed: bool = False) -> int:
    """Return the most bytes that a page of this owner takes around its entries."""
    return len(name.encode()) + 3 + 9 + 3 + 5 + 1 + 3 + (SIGNED_TAIL if signed else 0)


def _array_head(count: int) -> bytes:
    if count < 24:
        return bytes((0x80 | count,))
    if count < 256:
        return bytes((0x98, count))
    return b"\x99" + count.to_bytes(2, "big")


# -- reading -------------------------------------------------------------------------------


@lru_cache(maxsize=128)  # a hostile page can be 30 kB when read: 4 MB at most
def page_untrusted(raw: bytes) -> Page:
    """Read one page. Raises Refused(BAD_PAGE or OUT_OF_RANGE) [P104].

    Pure, and therefore cached: broadcasts bring the same bytes several times within a moment.
    """
    if len(raw) > MAX_PAGE:
        raise Refused(Drop.BAD_PAGE)
    fields = loads_untrusted(raw, Drop.BAD_PAGE)
    if type(fields) is not list or len(fields) < 5:
        raise Refused(Drop.BAD_PAGE)
    name, generation, number, version = fields[:4]
    if type(name) is not str or not is_name(name):
        raise Refused(Drop.BAD_PAGE)
    if any(type(value) is not int for value in (generation, number, version)):
        raise Refused(Drop.BAD_PAGE)
    if not (
        0 < generation < MAX_GENERATION
        and 0 <= number <= MAX_PAGE_NUMBER
        and 0 < version < MAX_COUNTER
    ):
        raise Refused(Drop.OUT_OF_RANGE)
    if number == 0:
        return _page_zero(raw, name, generation, version, fields[4:])
    digest = page_digest(raw)
    if number > MAX_ENTRIES_NUMBER:
        return Page(name, generation, number, version, raw, digest)
    entries = fields[4]
    if type(entries) is not list:
        raise Refused(Drop.BAD_PAGE)
    read = tuple(map(_entry_untrusted, entries))
    return Page(name, generation, number, version, raw, digest, entries=read)


def pages_untrusted(
    options: Mapping[int, Any], read: Callable[[bytes], Page], stats: Stats
) -> list[Page]:
    """Read the pages in a frame's options, by ``read``; those that it refuses are counted."""
    pages = []
    for raw in options.get(OPT_PAGES, ()):
        stats.work += _READ
        try:
            page = read(raw)
        except Refused as refused:
            stats.drop(refused.reason)
            stats.work += len(raw) // _LEAST_ENTRY
        else:
            stats.work += len(page.entries)
            pages.append(page)
    return pages


def _page_zero(
    raw: bytes, name: NodeId, generation: Generation, version: int, body: list[Any]
) -> Page:
    if len(body) < 3 or len(raw) > MAX_PAGE_ZERO:
        raise Refused(Drop.BAD_PAGE)
    state, addresses, metadata = body[:3]
    if type(state) is not int or type(addresses) is not list:
        raise Refused(Drop.BAD_PAGE)
    try:
        node_state = NodeState(state)
    except ValueError:
        raise Refused(Drop.OUT_OF_RANGE) from None
    if not 0 < len(addresses) <= MAX_ADDRESSES:
        raise Refused(Drop.BAD_PAGE)
    return Page(
        name,
        generation,
        0,
        version,
        raw,
        page_digest(raw),
        node_state,
        tuple(map(_address_untrusted, addresses)),
        _metadata_untrusted(metadata),
        # Keys that are not understood here count as not announced.
        keys=told_of(body[3]) if len(body) > 3 else None,
        reads=_wire_version(body[4]) if len(body) > 4 else 1,
    )


def _wire_version(value: Any) -> int:
    """Read the announced wire version; what is not understood announces nothing."""
    return value if type(value) is int and value > 1 else 1


def _address_untrusted(value: Any) -> Address:
    if type(value) is not list or len(value) < 2:
        raise Refused(Drop.BAD_PAGE)
    host, port = value[:2]
    if type(host) is not str or type(port) is not int:
        raise Refused(Drop.BAD_PAGE)
    if not 0 < port < 65536 or not is_ip_literal(host):
        raise Refused(Drop.OUT_OF_RANGE)
    return host, port


def _metadata_untrusted(value: Any) -> Metadata:
    if type(value) is not dict or len(value) > MAX_METADATA_ITEMS:
        raise Refused(Drop.BAD_PAGE)
    if not value:
        return NO_METADATA
    for key, item in value.items():
        if type(key) is not str or type(item) not in (str, int, bool):
            raise Refused(Drop.BAD_PAGE)
    return MappingProxyType(value)


def _entry_untrusted(value: Any) -> Registration:
    if type(value) is not list or len(value) < 2:
        raise Refused(Drop.BAD_PAGE)
    topic, host = value[:2]
    if type(topic) is not str or type(host) is not str:
        raise Refused(Drop.BAD_PAGE)
    if why_not_topic(topic) or why_not_host(host):
        raise Refused(Drop.BAD_PAGE)
    # Of a later version: it takes the entry out of picks, and nothing else out of the page [P123].
    state = value[2] if len(value) > 2 else 0
    if type(state) is not int or state < 0:
        raise Refused(Drop.OUT_OF_RANGE)
    metadata = _metadata_untrusted(value[3]) if len(value) > 3 else NO_METADATA
    known = EntryState(state) if state <= _LAST_STATE else EntryState.UNKNOWN
    return Registration(topic, host, known, metadata)


def is_ip_literal(value: str) -> bool:
    """Return True for an IPv4 or IPv6 address without a scope: sending would resolve a name."""
    try:
        return "%" not in value and bool(ip_address(value))
    except ValueError:
        return False
