"""Judges pages by who signed them, before they touch the table (PROTOCOL.md, section 27).

Only a node with an identity has one. What costs nothing is looked at first: a page that would
change nothing is not verified, and whoever tells what does not hold is charged for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Final

from gossipmm.core.failure.detector import Detector
from gossipmm.core.failure.probes import Probes
from gossipmm.core.identity.keys import key_id
from gossipmm.core.identity.trust import Trust
from gossipmm.core.sending.broadcasts import BroadcastQueue
from gossipmm.core.sending.inbound import Inbound
from gossipmm.core.sending.replies import Replies
from gossipmm.core.sync.certificates import Certificates, ask_for, tell_conflict
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values import events
from gossipmm.core.values.purpose import Purpose
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.trail import EvidenceKind
from gossipmm.core.values.types import IdentityState as State
from gossipmm.core.values.types import MemberView, NodeId, StatusReason
from gossipmm.core.wire.pages import MAX_PAGE, MAX_PAGE_NUMBER, Page, in_order, is_later
from gossipmm.mechanisms import Mechanism

__all__ = ("Judge",)

#: Intervals for which the owner of a provisional key may answer, before another one replaces it:
#: one question in each. At 25 % loss seven in a thousand questions bring nothing [P193].
_PATIENCE: Final = 3
#: Seconds after a proof against a name within which nothing of it is pushed on, and names
#: remembered.
_HUSHED, _PROVED = 60.0, 1024


class Judge:
    """Decides which pages count, by their signatures and by the keys of names."""

    def __init__(
        self,
        local: LocalState,
        trust: Trust,
        broadcasts: BroadcastQueue,
        detector: Detector,
        probes: Probes,
        replies: Replies,
    ) -> None:
        self._local = local
        self._trust = trust
        self._broadcasts = broadcasts
        self._detector = detector
        self._probes = probes
        self._replies = replies
        #: Where an authority says which key speaks for a name; None: names are pinned.
        self._certificates: Certificates | None = None
        if trust.certified is not None:
            self._certificates = Certificates(
                local, trust, trust.certified, broadcasts, self.evict, replies
            )
        self.certificates = self._certificates
        self._pins = Mechanism.PINS not in local.without
        #: Name -> when a proof against it was last seen here.
        self._proofs: dict[NodeId, float] = {}
        self._proves = Mechanism.EQUIVOCATION not in local.without

    # -- pages -------------------------------------------------------------------------------

    def in_order(self, pages: Sequence[Page]) -> list[Page]:
        """Return the pages of a datagram, what tells a key before what is signed with it.

        Two of them that say different things of one version are a proof, whatever is held.
        """
        found: dict[tuple[str, int, int, int], Page] = {}
        for page in pages:
            other = found.setdefault(page[:4], page)
            if other.raw != page.raw and page.signed and other.signed:
                self._compare(other, page)
        return sorted(pages, key=lambda page: in_order(page.number))

    def judge(self, inbound: Inbound, page: Page) -> Page | None:
        """Return a page as it counts here; None: it is refused, and counted [P151]."""
        table = self._local.table
        held = table.by_name.get(page.name)
        if page.number == MAX_PAGE_NUMBER and self._certificates is not None:
            self._certificates.hear(inbound, page, held)
            return None
        if page.generation <= table.minimum_generations.get(page.name, -1) or (
            held is not None and page.generation < held.generation
        ):
            return page if self._may_be_old(page) else None  # the table refuses it
        known = None
        if held is not None and held.generation == page.generation:
            known = held.pages.get(page.number)
        if known is not None and not is_later(page, known):
            if page.version == known.version and page.raw != known.raw:
                self._compare(known, page)
                return None
            return page
        reason = self._why_not(inbound, page, held)
        if reason is not None:
            self._local.stats.drop(reason)
            if reason in (Drop.UNSIGNED, Drop.NO_CERTIFICATE):
                self._trust.note_unsigned(page.name, self._local.now)
            return None
        if known is not None and known.version == page.version:
            self._compare(known, page, verified=True)
        return page if self._certificates is None else self._certificates.limited(page)

    def _may_be_old(self, page: Page) -> bool:
        """Return whether the key of a name signed a page of an earlier life of it [P188]."""
        trust = self._trust
        key = trust.key_of(page.name)
        if key is None or page.number == MAX_PAGE_NUMBER or not trust.require:
            return True
        reason = Drop.OTHER_KEY if page.number == 0 and page.signer != key else None
        if reason is None and not (page.signed and trust.holds(page, key)):
            reason = Drop.BAD_SIGNATURE
        if reason is not None:
            self._local.stats.drop(reason)
        return reason is None

    def _why_not(self, inbound: Inbound, page: Page, held: Member | None) -> Drop | None:
        """Return why a page that would change something does not count; None: it does."""
        trust = self._trust
        key = trust.key_of(page.name)
        if page.number == MAX_PAGE_NUMBER:  # nobody can tell here what it says: it is passed on
            known = held is not None and held.generation == page.generation
            return None if known else Drop.UNKNOWN_SIGNER
        if not page.signed:
            return Drop.UNSIGNED if trust.require or key is not None else None
        if page.number == 0:
            if self._certificates is not None:
                return self._certificates.why_not(inbound, page, held)
            return self._why_not_zero(page, held, key)
        if key is None and (key := trust.candidate(page.name, page.generation)) is None:
            if not trust.require and held is not None and held.complete:
                # Of somebody whose page 0 is not signed: signatures say nothing of it.
                return None if held.generation == page.generation else self._ask(inbound, page)
            return self._ask(inbound, page)
        if held is not None and held.generation < page.generation:
            return self._ask(inbound, page)  # page 0 is to end the life held, and not this
        if self._certificates is not None and self._certificates.has_ended(page.name, key):
            return Drop.BAD_CERTIFICATE
        return None if trust.holds(page, key) else Drop.BAD_SIGNATURE

    def _ask(self, inbound: Inbound, page: Page) -> Drop:
        """Ask for the whole record of a page that came before what tells its key."""
        ask_for(self._local, self._replies, inbound, page)
        return Drop.UNKNOWN_SIGNER

    def _why_not_zero(self, page: Page, held: Member | None, key: bytes | None) -> Drop | None:
        trust = self._trust
        if key is None:
            if held is not None and held.complete and held.generation == page.generation:
                return Drop.OTHER_KEY  # nobody begins to sign within a life
            return None if trust.holds(page, page.signer) else Drop.BAD_SIGNATURE
        if page.signer == key or not self._pins:
            return None if trust.holds(page, page.signer) else Drop.BAD_SIGNATURE
        if not trust.holds(page, page.signer):
            return Drop.BAD_SIGNATURE
        return self._other_key(page, held)

    def _other_key(self, page: Page, held: Member | None) -> Drop | None:
        """Take page 0 of a name under another key than the one held for it [P152]."""
        local, trust, name = self._local, self._trust, page.name
        lived = held is not None and held.k > 0
        tell_conflict(local, trust, name, held.addresses if held else (), page)
        if trust.is_firm(name, local.now, lived=lived):
            return Drop.OTHER_KEY
        interval = local.config.gossip_interval
        if trust.is_asked(name, local.now, interval) and held is not None:
            self._probes.start(held, Purpose.HELP)
        patience = _PATIENCE * interval if held is not None else 0.0
        if not trust.must_yield(name, page.signer, local.now, patience):
            return Drop.OTHER_KEY
        trust.replace(name, page.signer, local.now)
        if held is not None:
            self.evict(held)
        return None

    def evict(self, member: Member) -> None:
        """Forget a record whose key does not count, without closing its generation."""
        self._detector.forget(member)
        self._local.table.remove(member, self._local.now)

    def is_proved(self, page: Page) -> bool:
        """Return whether a page that counts is signed with a key known for its name before.

        A later life needs no answer then: nobody else can have written it [P153].
        """
        return page.signed and self._trust.key_of(page.name) is not None

    def still_counts(self, page: Page) -> bool:
        """Return whether a page that was kept until its life answered counts even now."""
        key = self._trust.key_of(page.name)
        return key is None or (page.signed and self._trust.holds(page, key))

    def taken(self, member: Member, page: Page) -> None:
        """Pin the first key of a name, once its page 0 is in the table [P152]."""
        trust, table = self._trust, self._local.table
        if self._certificates is not None:
            self._certificates.taken(member, page)
            return
        if page.number or not page.signed or trust.key_of(page.name) is not None:
            return

        def is_kept(name: NodeId) -> bool:
            return name in table.by_name or name in table.minimum_generations

        trust.pin(page.name, page.signer, self._local.now, is_kept)
        rest = [one for number, one in member.pages.items() if 0 < number < MAX_PAGE_NUMBER]
        if all(one.signed and trust.holds(one, page.signer) for one in rest):
            return
        # Somebody else wrote pages of it before its key was known: all of it is asked for again.
        self.evict(member)
        table.put(page, self._local.now)

    # -- this node's own name ------------------------------------------------------------------

    def of_own(self, page: Page) -> bool:
        """Return whether a page in this node's own name is to be acted on [P153].

        What its own key signed comes from a copy of it. Anything else nobody believes where all
        have to sign; else those may who do not look at signatures.
        """
        local, trust = self._local, self._trust
        mine = trust.identity.signer.public
        held = local.me.pages.get(page.number)
        if held is not None and held.raw == page.raw:
            return True
        if page.number == MAX_PAGE_NUMBER:
            return self._certificates is not None and self._certificates.hear_own(page)
        if page.signed and (page.number or page.signer == mine) and trust.holds(page, mine):
            return True
        if page.signed and page.number == 0:
            if trust.holds(page, page.signer):
                tell_conflict(local, trust, page.name, local.own.addresses, page)
            reason = Drop.OTHER_KEY
        else:
            reason = Drop.BAD_SIGNATURE if page.signed else Drop.UNSIGNED
        if trust.require:
            local.stats.drop(reason)
        return not trust.require

    # -- equivocation ----------------------------------------------------------------------------

    def _compare(self, one: Page, other: Page, *, verified: bool = False) -> None:
        """Take two pages of one version with different bytes: both signed, they are a proof [P154].

        ``verified``: both signatures hold.
        """
        local, trust = self._local, self._trust
        member = local.table.by_name.get(one.name)
        key = trust.key_of(one.name)
        if not (self._proves and key and member and one.signed and other.signed):
            return
        if member.generation != one.generation or member.barred is not None:
            return
        if not verified and not (trust.holds(other, key) and trust.holds(one, key)):
            local.stats.drop(Drop.BAD_SIGNATURE)
            return
        member.barred = StatusReason.EQUIVOCATES
        member.note(local.now, EvidenceKind.EQUIVOCATED, member.name, page=one.number)
        local.events.append(events.Equivocating(local.now, member.name, key_id(key), one.number))
        local.table.refresh(member, local.now)
        is_known = self.is_hushed(member.name)
        self._proofs.pop(member.name, None)
        if len(self._proofs) >= _PROVED:
            del self._proofs[next(iter(self._proofs))]
        self._proofs[member.name] = local.now
        if not is_known:
            self._tell_proof([one.raw, other.raw])

    def is_hushed(self, name: NodeId) -> bool:
        """Return whether its owner said two things lately: no more of that is pushed on [P187]."""
        return self._local.now - self._proofs.get(name, -inf) < _HUSHED

    def _tell_proof(self, raws: list[bytes]) -> None:
        """Push both pages once, in one datagram where they fit: then they prove it to anybody."""
        if sum(map(len, raws)) <= MAX_PAGE:
            self._broadcasts.relay(*raws)
        else:
            for raw in raws:
                self._broadcasts.relay(raw)

    # -- for people --------------------------------------------------------------------------------

    def view(self, view: MemberView, member: Member) -> MemberView:
        """Add to a member's view what stands behind its name."""
        own = member is self._local.me
        trust = self._trust
        key = trust.identity.signer.public if own else trust.key_of(member.name)
        if key is None and trust.certified is not None:
            revoked = trust.certified.of(member.name)
            key = revoked.public if revoked is not None else None
        if key is None:
            return view
        return view._replace(identity=self._state(member, own=own), key=key_id(key))

    def _state(self, member: Member, *, own: bool) -> State:
        trust, now = self._trust, self._local.now
        if member.barred is StatusReason.EQUIVOCATES:
            return State.EQUIVOCATING
        if trust.is_claimed(member.name, now):
            return State.CONFLICT
        if self._certificates is not None:
            return self._certificates.state(member)
        if own or trust.is_firm(member.name, now, lived=member.k > 0):
            return State.PINNED
        return State.PROVISIONAL
