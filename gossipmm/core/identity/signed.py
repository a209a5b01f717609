"""What is signed, and how: the texts under the signatures of pages and of statements of life.

Each text begins with what it is and with the cluster, so that no signature serves for another one.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final, NamedTuple

import cbor2

from gossipmm.core.identity.keys import Signer
from gossipmm.core.values.types import Generation, Heartbeat, NodeId
from gossipmm.core.wire.pages import SIGNED_TAIL, Page, Seal

__all__ = ("Life", "Texts", "seal_of")

_PAGE: Final = b"gossipmm page 1"
_ALIVE: Final = b"gossipmm alive 1"
_EVENT: Final = b"gossipmm event 1"


class Life(NamedTuple):
    """What a statement of life says: this life was there when these questions were asked [P156]."""

    name: NodeId
    generation: Generation
    heartbeat: Heartbeat
    #: Random numbers of whoever asks: none that was not there can have answered them.
    questions: tuple[int, ...]
    #: Its wall clock, seconds since 1970; 0: it does not know.
    wall: int
    #: Number of the list of revocations that it holds; 0: none.
    revocations: int


class Texts:
    """The texts of one cluster."""

    __slots__ = ("_alive", "_event", "_page")

    def __init__(self, cluster: str) -> None:
        digest = blake2b(cluster.encode(), digest_size=16).digest()
        self._page = _PAGE + digest
        self._alive = _ALIVE + digest
        self._event = _EVENT + digest

    def of_bytes(self, unsigned: bytes) -> bytes:
        """Return the text of a page's bytes, without its signature and the head of that [P150]."""
        return self._page + unsigned

    def of_page(self, page: Page) -> bytes:
        """Return the text under the signature of a signed page."""
        return self._page + page.raw[:-SIGNED_TAIL]

    def of_life(self, life: Life) -> bytes:
        """Return the text of a statement of life."""
        return self._alive + cbor2.dumps([*life[:3], list(life.questions), *life[4:]])

    def of_event(self, key: int, number: int, text: bytes) -> bytes:
        """Return the text of a user event, of the life with that record key [P170]."""
        return self._event + key.to_bytes(8, "big") + number.to_bytes(4, "big") + text


def seal_of(signer: Signer, cluster: str) -> Seal:
    """Return what signs the pages of a node in a cluster."""
    texts = Texts(cluster)
    return Seal(signer.public, lambda unsigned: signer.sign(texts.of_bytes(unsigned)))
