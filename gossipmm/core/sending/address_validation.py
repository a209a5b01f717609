"""Address validation: nothing large goes to an address whose holder may be elsewhere.

UDP sources can be forged, and a record may name anybody's address. A request from an address that
is not validated is kept here for a moment, and the address is asked in turn (a SYN with a random
probe id, shorter than the request); the answer validates it, and then the request is served.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Final

from gossipmm.core.sealing.admission import Admission
from gossipmm.core.sending.outbox import Outbox, Stranger
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values.types import Address
from gossipmm.core.wire import frame as wire

__all__ = ("AddressValidation",)

#: Addresses asked at a time, and requests kept for each.
_ADDRESSES: Final = 256
_REQUESTS: Final = 4
#: Seconds for which a request is worth serving: a sender that still wants it has asked again by
#: then.
_SERVE_WITHIN: Final = 2.0
#: Seconds after which a further request repeats the question, which may have been lost.
_AGAIN_AFTER: Final = 0.05


class _Question:
    """An address that was asked."""

    __slots__ = ("address", "asked_at", "at", "identity", "requests")

    def __init__(self, address: Address, identity: int, now: float) -> None:
        self.address = address
        self.identity = identity
        self.at = now
        self.asked_at = -inf
        self.requests: list[Callable[[], None]] = []


class AddressValidation:
    """Addresses being validated, and the requests that wait for that."""

    def __init__(self, local: LocalState, outbox: Outbox, admission: Admission) -> None:
        self._local = local
        self._outbox = outbox
        self.paths = outbox.paths
        self._admission = admission
        self._by_address: dict[Address, _Question] = {}
        self.open: dict[int, _Question] = {}
        #: Requests whose address is validated now; the node serves them next.
        self.ready: list[Callable[[], None]] = []
        #: True while they are served: what is still not validated then is not asked again.
        self.serving = False

    def missing(self, address: Address) -> bool:
        """Return whether the address is not validated."""
        return address not in self._admission.proved

    def ask(
        self,
        address: Address,
        member: Member | None,
        key: int,
        request: Callable[[], None] | None,
    ) -> None:
        """Ask the address, and keep the request until it answers. ``key``: of the expected member.

        [P96]
        """
        local = self._local
        if self.serving:
            return
        question = self._by_address.get(address)
        if question is None or local.now - question.at > _SERVE_WITHIN:
            if question is not None:
                self._forget(question)
            elif len(self._by_address) >= _ADDRESSES:
                self._forget(next(iter(self._by_address.values())))
            question = _Question(address, local.probe_id(), local.now)
            self._by_address[address] = question
            self.open[question.identity] = question
        if request is not None and len(question.requests) < _REQUESTS:
            question.requests.append(request)
        if local.now - question.asked_at >= _AGAIN_AFTER:
            question.asked_at = local.now
            to = member or Stranger(address, key)
            self._outbox.send(wire.SYN, to, address=address, probe=question.identity)

    def _forget(self, question: _Question) -> None:
        del self._by_address[question.address]
        del self.open[question.identity]

    def answered(self, identity: int) -> bool:
        """Return True when an ACK validates its address; waiting requests are then ready."""
        question = self.open.get(identity)
        if question is None:
            return False
        local = self._local
        self._forget(question)
        self._admission.prove(question.address, local.now)
        if local.now - question.at <= _SERVE_WITHIN:
            self.ready += question.requests
        return True

    def serve(self) -> None:
        """Serve the requests that waited."""
        ready, self.ready = self.ready, []
        self.serving = True
        try:
            for request in ready:
                request()
        finally:
            self.serving = False
