"""Identities of a node as its shell sees them: what it keeps, what it shows, what it changes.

With ``identity`` off there is nothing behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from gossipmm.core.failure.detector import Detector
from gossipmm.core.failure.probes import Probes
from gossipmm.core.failure.statements import Statements
from gossipmm.core.identity.certificates import GRACE, Certificate, certificate_untrusted
from gossipmm.core.identity.certified import Certified
from gossipmm.core.identity.keys import Identity
from gossipmm.core.identity.signed import Life
from gossipmm.core.identity.trust import Trust
from gossipmm.core.sending.broadcasts import BroadcastQueue
from gossipmm.core.sending.outbox import Outbox
from gossipmm.core.sending.replies import Replies
from gossipmm.core.sync.judge import Judge
from gossipmm.core.sync.revocations import RevocationList
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values.fault import Fault
from gossipmm.core.values.rotation_order import RotationOrder
from gossipmm.core.values.types import MemberView, NodeId
from gossipmm.mechanisms import Mechanism

__all__ = ("Identities",)


class Identities:
    """Which keys stand behind the names that a node knows."""

    def __init__(
        self, local: LocalState, identity: Identity | None, advance: Callable[[float], None]
    ) -> None:
        self._local = local
        self._advance = advance
        self._trust: Trust | None = None
        self._judge: Judge | None = None
        if identity is not None:
            most = local.config.max_members + local.config.max_closed_generations
            self._trust = Trust(identity, local.config.cluster, local.stats, most)
        self.statements = Statements(local, self._trust)
        if identity is not None and identity.certificate is not None:
            self._show(identity.certificate)
        self._ends = Mechanism.SIGNED_ENDS not in local.without
        local.all_sign = self._trust is not None and self._trust.require and self._ends
        self._revocations: RevocationList | None = None

    def judge(
        self,
        detector: Detector,
        outbox: Outbox,
        broadcasts: BroadcastQueue,
        replies: Replies,
        probes: Probes,
    ) -> Judge | None:
        """Make what judges pages by these identities; None: nothing is to be judged."""
        trust = self._trust
        if trust is not None and Mechanism.SIGNED_PAGES not in self._local.without:
            self._judge = Judge(self._local, trust, broadcasts, detector, probes, replies)
            certificates = self._judge.certificates
            if certificates is not None and trust.certified is not None:
                look = certificates.look_again
                self._revocations = RevocationList(self._local, outbox, trust.certified, look)
                self.statements.stated = self._stated
        return self._judge

    @property
    def trust(self) -> Trust | None:
        """The keys of names; None: nothing is signed."""
        return self._trust

    def _stated(self, member: Member, life: Life) -> None:
        """Take what a member states beside that it lives: its clock, its list of revocations."""
        if self._judge is not None and self._judge.certificates is not None:
            self._judge.certificates.hear_clock(member, life.wall)
        if self._revocations is not None:
            self._revocations.hear_number(member, life.revocations)

    def hear_revocations(self, sender: Member, raw: bytes) -> None:
        """Take a list of revocations that a member shows, or that it has none [P158]."""
        if self._revocations is not None:
            self._revocations.hear(sender, raw)

    def set_certificate(self, raw: bytes, now: float) -> Fault | None:
        """Announce another certificate of this node's key, in this life; why it does not count."""
        self._advance(now)
        certificates = self._judge.certificates if self._judge is not None else None
        if certificates is None:
            return None
        fault = certificates.take_own(raw)
        if fault is None:
            certificates.tell_own()
        return fault

    def _show(self, raw: bytes) -> None:
        """Let this node's record begin with a certificate, whatever anybody thinks of it."""
        read = certificate_untrusted(raw)
        if isinstance(read, Certificate):
            self._local.own.certificate = read.issue, raw

    @property
    def own_certificate(self) -> bytes | None:
        """This node's certificate, as it is shown to others."""
        certificate = self._local.own.certificate
        return None if certificate is None else certificate[1]

    def clock_ahead(self) -> float:
        """Return by how many seconds the clocks of others are ahead of this node's [P159].

        0: within the grace, or not known. Otherwise nothing is judged by time here.
        """
        ahead = self._trust.clocks.ahead if self._trust is not None else 0.0
        return ahead if abs(ahead) > GRACE else 0.0

    def binds(self, name: NodeId) -> bool:
        """Return whether only its own key ends lives of a name here [P157]."""
        trust = self._trust
        if trust is None or self._judge is None or not self._ends:
            return False
        return name == self._local.own.name or trust.key_of(name) is not None

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

    def revoked(self) -> tuple[NodeId, ...]:
        """Return names whose certificate is revoked, of those that are known here."""
        return () if self._certified is None else self._certified.revoked()

    @property
    def orders(self) -> Callable[[], RotationOrder | None] | None:
        """Gives the last rotation that the authority ordered; None: none has to be ordered.

        Where there is an authority, a rotation of keys may begin only when it has ordered that
        [P185].
        """
        certified = self._certified
        if certified is None or Mechanism.ROTATION_ORDERS in self._local.without:
            return None
        return certified.last_order

    def revocations(self) -> bytes | None:
        """Return the list of revocations held, for the state file [P165]."""
        return None if self._certified is None else self._certified.revocations

    def set_revocations(self, raw: bytes, now: float) -> Fault | None:
        """Take a list of revocations from this node's operator, and tell it if it is newer [P158].

        Returns why it does not count, or is not a newer one.
        """
        self._advance(now)
        return None if self._revocations is None else self._revocations.take(raw)
