"""Compares fingerprints: whether a peer's table agrees with this one, and what follows if not.

Fingerprints travel in every exchange. A digest follows only when two have differed while this
node's stood still for an interval.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from gossipmm.core.sending.address_validation import AddressValidation
from gossipmm.core.sync.anti_entropy import AntiEntropy
from gossipmm.core.sync.founding import Founding
from gossipmm.core.sync.pace import Pace
from gossipmm.core.sync.transfer import Transfer
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.mechanisms import Mechanism

__all__ = ("Fingerprints",)

#: Seconds for which a table must stand still before it is compared, or an interval where that is
#: shorter. Pushes reach everybody within a tenth of that, however rare exchanges are.
_STILL: Final = 0.5
#: Least time between two digests of one node, as a share of that.
_DIGEST_GAP: Final = 0.15
#: Time without agreement or digest after which one is sent whatever is changing, as a multiple.
_DIGEST_LATEST: Final = 2


class Fingerprints:
    """Compares fingerprints, and asks for what one table lacks."""

    def __init__(
        self,
        local: LocalState,
        validation: AddressValidation,
        anti_entropy: AntiEntropy,
        transfer: Transfer,
        pace: Pace,
        founding: Founding,
    ) -> None:
        self._local = local
        self._paths = validation.paths
        self._validation = validation
        self._anti_entropy = anti_entropy
        self._transfer = transfer
        self._pace = pace
        self._founding = founding
        self._digest_at = local.now
        self._agreed_at = local.now

    def compare(self, peer: Member, fingerprint: int, *, half: int = 0, may_send: bool) -> None:
        """Compare a peer's fingerprint, or a half, that came with an exchange [P53, P59]."""
        local = self._local
        table = local.table
        if not peer.complete:
            return  # its page 0 is not here yet: the tables differ, and that is asked for
        peer.peer_fingerprint, peer.peer_half = fingerprint, half
        if table.agrees(fingerprint, half):
            peer.differs_since = None
            self._agreed_at = local.now
            if peer.joining:
                self._founding.agreed()
                return
            if not table.joined:
                self._pace.joined()
            if not table.knows_gone:
                self._transfer.pull(self._paths.to(peer), peer.key, gone=True)
            return
        if peer.differs_since is None:
            peer.differs_since = local.now
        still = min(_STILL, local.config.gossip_interval)
        # Where something changes all the time no fingerprint ever stands still: then now and then.
        stood = (
            local.now - table.changed_at > still
            or local.now - max(self._agreed_at, self._digest_at) > _DIGEST_LATEST * still
            or local.now < self._anti_entropy.eager_until
        )
        self._pace.soon()
        if (
            (stood if may_send else self._pace.hurried)
            and local.now - self._digest_at >= _DIGEST_GAP * still
            and Mechanism.DIGESTS not in local.without
        ):
            address = self._paths.to(peer)
            if self._validation.missing(address):
                again = partial(self.compare, peer, fingerprint, half=half, may_send=may_send)
                self._validation.ask(address, peer, peer.key, again)
                return
            self._digest_at = local.now
            self._anti_entropy.send_digest(peer)
