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
from gossipmm.core.wire.frame import Frame
from gossipmm.mechanisms import Mechanism

__all__ = ("Fingerprints",)

#: Seconds for which a table must stand still before it is compared, or an interval where that is
#: shorter. Pushes reach everybody within a tenth of that, however rare exchanges are.
_STILL: Final = 0.5
#: Least time between two digests of one node, as a share of that.
_DIGEST_GAP: Final = 0.15
#: Time without agreement or digest after which one is sent whatever is changing, as a multiple.
_DIGEST_LATEST: Final = 2


#: Digests to one peer that change neither table until each waits twice as long as the one before;
#: seconds that the first of those waits, and the most.
_FREE, _FIRST_WAIT, _LONGEST_WAIT = 12, 0.5, 8.0
#: Peers to which digests were sent in vain that are remembered.
_KEPT: Final = 256


class _InVain:
    """Digests to one peer in a row that changed neither table, as far as fingerprints tell."""

    __slots__ = ("count", "own", "theirs", "until")

    def __init__(self, own: int) -> None:
        self.own = own
        #: Of the peer, what was seen of each half, and of the whole.
        self.theirs: dict[int, int] = {}
        self.count = 0
        self.until = 0.0


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
        self._in_vain: dict[int, _InVain] = {}

    def compare(self, peer: Member, frame: Frame, *, may_send: bool) -> None:
        """Compare a peer's fingerprint, or a half, that came with an exchange [P53, P59]."""
        local = self._local
        table = local.table
        fingerprint, half = frame.fingerprint, frame.half
        if not peer.complete:
            return  # its page 0 is not here yet: the tables differ, and that is asked for
        peer.peer_fingerprint, peer.peer_half = fingerprint, half
        if table.agrees(fingerprint, half):
            peer.differs_since = None
            self._in_vain.pop(peer.key, None)
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
            and not self._anti_entropy.fetches.expects_news
            and Mechanism.DIGESTS not in local.without
            and not self._waits(peer, fingerprint, half)
        ):
            address = self._paths.to(peer)
            if self._validation.missing(address):
                again = partial(self.compare, peer, frame, may_send=may_send)
                self._validation.ask(address, peer, peer.key, again)
                return
            self._digest_at = local.now
            self._count_digest(peer, fingerprint, half)
            self._anti_entropy.send_digest(peer)

    def _waits(self, peer: Member, fingerprint: int, half: int) -> bool:
        """Return whether digests to the peer bring nothing, so that the next one waits [P53]."""
        known = self._in_vain.get(peer.key)
        if known is None:
            return False
        seen = known.theirs.setdefault(half, fingerprint)
        if seen != fingerprint or known.own != self._local.table.fingerprint:
            del self._in_vain[peer.key]
            return False
        return self._local.now < known.until

    def _count_digest(self, peer: Member, fingerprint: int, half: int) -> None:
        known = self._in_vain.get(peer.key)
        if known is None:
            if len(self._in_vain) >= _KEPT:
                del self._in_vain[next(iter(self._in_vain))]
            known = self._in_vain[peer.key] = _InVain(self._local.table.fingerprint)
        known.theirs.setdefault(half, fingerprint)
        known.count += 1
        if known.count > _FREE:
            longer = _FIRST_WAIT * 2 ** min(known.count - _FREE, 8)
            known.until = self._local.now + min(longer, _LONGEST_WAIT)
