"""Fits an answer into its datagram: whole, else without additional records, else cut.

A set of records is whole or marked as truncated (RFC 2181, section 5 and 9): a router that takes a
part for the whole takes healthy hosts down. What has to be cut is cut in an order that depends on
the client and the record alone, so that each client keeps its part from query to query while the
clients together see all hosts.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

import dns.exception
import dns.flags
import dns.message
import dns.rrset

__all__ = ("fitted", "rank_for")

#: What a record takes beside its data, its owner's name being a pointer to the question.
_FIXED = 12


def rank_for(client: str) -> Callable[[str], bytes]:
    """Return the key by which records are sorted for a client (rendezvous hashing)."""
    key = blake2b(client.encode(), digest_size=16).digest()
    return lambda text: blake2b(text.encode(), key=key, digest_size=8).digest()


def fitted(response: dns.message.Message, size: int, client: str) -> tuple[bytes, bool]:
    """Write a response into at most ``size`` bytes; and return whether all of its answer is there.

    Changes the response.
    """
    whole = _written(response, size)
    if whole is None and response.additional:
        response.additional = []
        whole = _written(response, size)
    if whole is not None:
        return whole, True
    response.flags |= dns.flags.TC
    answer, response.answer = response.answer, []
    room = size - len(response.to_wire(want_shuffle=False))
    rank = rank_for(client)
    for rrset in answer:
        kept = []
        for rdata in sorted(rrset, key=lambda rdata: rank(rdata.to_text())):
            room -= _FIXED + len(rdata.to_wire() or b"")
            if room < 0:
                break
            kept.append(rdata)
        if kept:
            response.answer.append(dns.rrset.from_rdata_list(rrset.name, rrset.ttl, kept))
        if room < 0:
            break
    return response.to_wire(want_shuffle=False), False


def _written(response: dns.message.Message, size: int) -> bytes | None:
    """Write a response; None: it takes more than ``size`` bytes."""
    try:
        return response.to_wire(max_size=size, want_shuffle=False)
    except dns.exception.TooBig:
        return None
