"""Identities of a node as its shell sees them: what it keeps, what it shows, what it changes.

With ``identity`` off there is nothing behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from gossipmm.core.failure.detector import Detector
from gossipmm.core.failure.probes import Probes
from gossipmm.core.failure.statements import Statements
from gossipmm.core.identity.certified import Certified
from gossipmm.core.identity.keys import Identity
from gossipmm.core.identity.trust import Trust
from gossipmm.core.sending.broadcasts import BroadcastQueue
from gossipmm.core.sending.replies import Replies
from gossipmm.core.sync.judge import Judge
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values.types import MemberView, NodeId
from gossipmm.mechanisms import Mechanism

__all__ = ("Identities",)


class Identities:
    """Which keys stand behind the names that a node knows."""

    def __init__(self, local: LocalState, identity: Identity | None) -> None:
        self._local = local
        self._trust: Trust | None = None
        self._judge: Judge | None = None
        if identity is not None:
            most = local.config.max_members + local.config.max_closed_generations
            self._trust = Trust(identity, local.config.cluster, local.stats, most)
        #: This node's certificate, as it is shown to others.
        self.own_certificate = identity.certificate if identity is not None else None
        self.statements = Statements(local, self._trust)

    def judge(
        self, detector: Detector, broadcasts: BroadcastQueue, replies: Replies, probes: Probes
    ) -> Judge | None:
        """Make what judges pages by these identities; None: nothing is to be judged."""
        trust = self._trust
        if trust is not None and Mechanism.SIGNED_PAGES not in self._local.without:
            self._judge = Judge(self._local, trust, broadcasts, detector, probes, replies)
        return self._judge

    def view(self, view: MemberView, member: Member) -> MemberView:
        """Add to a member's view what stands behind its name."""
        return view if self._judge is None else self._judge.view(view, member)

    @property
    def version(self) -> int:
        """Counts changes of what ``pins`` gives: then the shell writes it again."""
        return 0 if self._trust is None else self._trust.version

    def pins(self) -> Mapping[NodeId, bytes]:
        """Return the keys that names are bound to, for the state file [P152]."""
        return MappingProxyType({}) if self._trust is None else self._trust.firm_pins()

    def unsigned(self) -> tuple[NodeId, ...]:
        """Return names that have just been refused because nobody signed what they say."""
        return () if self._trust is None else self._trust.unsigned(self._local.now)

    def conflicts(self) -> tuple[tuple[NodeId, str], ...]:
        """Return names that somebody uses with another key than theirs, with the id of that."""
        return () if self._trust is None else self._trust.claimed(self._local.now)

    def forget(self, name: NodeId) -> bool:
        """Drop the key of a name by hand, so that its next one is a first one [P152].

        False: there is none, or its member lives and nobody else has just used the name.
        """
        trust, table = self._trust, self._local.table
        held = table.by_name.get(name)
        if trust is None or self._judge is None:
            return False
        if held is not None:
            if not trust.is_claimed(name, self._local.now) or held is self._local.me:
                return False
            self._judge.evict(held)
        return trust.forget(name)

    # -- certificates ----------------------------------------------------------------------------

    @property
    def _certified(self) -> Certified | None:
        return None if self._trust is None else self._trust.certified

    def certificate_ends(self) -> Mapping[NodeId, float]:
        """Return when the certificate of each name ends, in seconds since 1970."""
        return MappingProxyType({}) if self._certified is None else self._certified.ends()

    def set_certificate(self, raw: bytes, now: float) -> None:
        """Show another certificate of this node's own; no new life begins [P163]."""
        self._local.now = max(self._local.now, now)
        self.own_certificate = raw

    def revocations(self) -> bytes | None:
        """Return the list of revocations held, for the state file [P165]."""
        return None if self._certified is None else self._certified.revocations

    def set_revocations(self, raw: bytes, now: float) -> None:
        """Take a list of revocations from the operator; an older one changes nothing [P165]."""
        self._local.now = max(self._local.now, now)
        if self._certified is not None:
            self._certified.take_revocations(raw)
