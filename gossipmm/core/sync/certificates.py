"""Certificates in the table: page 65,535 of a record, and what follows from what it says [P155].

A certificate is authentic by itself and speaks for a name, whatever life of it is held. So it goes
to what is known of names, and its page into the record only beside the pages of that life: each
holder writes the same page.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gossipmm.core.identity.certified import Certified
from gossipmm.core.identity.keys import key_id
from gossipmm.core.identity.trust import Trust
from gossipmm.core.sending.broadcasts import BroadcastQueue
from gossipmm.core.sending.inbound import Inbound
from gossipmm.core.sending.replies import Replies
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.values import events
from gossipmm.core.values.fault import Fault
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import Address, NodeId, StatusReason
from gossipmm.core.values.types import IdentityState as State
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import MAX_PAGE_NUMBER, Page, encode_certificate_page, page_untrusted

__all__ = ("Certificates", "ask_for", "tell_conflict")

#: Seconds between two looks at which certificates have ended.
_LOOK: Final = 60.0
#: Seconds after which a record is asked for again whose page 0 came without a certificate, or under
#: another key than that of the certificate: whoever tells it could have all ask for it.
_ASKED_AGAIN, _CLAIMED_AGAIN = 1.0, 5.0
#: Why a member is on probation by its certificate.
_BARRED: Final = (StatusReason.EXPIRED, StatusReason.REVOKED)


def ask_for(
    local: LocalState, replies: Replies, inbound: Inbound, page: Page, *, again: float = 0.0
) -> None:
    """Ask who told a page for the whole record that it is of; for so long nobody is asked again."""
    key = wire.record_key(local.config.cluster, page.name, page.generation)
    replies.ask(inbound.reply, key)
    if again and not local.doubts(key):
        local.doubt(key, local.now + again)


def tell_conflict(
    local: LocalState, trust: Trust, name: NodeId, held: tuple[Address, ...], page: Page
) -> None:
    """Say once that somebody uses a name with another key [P152]."""
    if trust.claims(name, page.signer, local.now):
        keys = key_id(trust.key_of(name) or trust.identity.signer.public), key_id(page.signer)
        local.events.append(
            events.IdentityConflict(local.now, name, held, keys[0], page.addresses, keys[1])
        )


class Certificates:
    """Takes certificates, judges page 0 by them, and cuts pages to what they allow."""

    def __init__(
        self,
        local: LocalState,
        trust: Trust,
        certified: Certified,
        broadcasts: BroadcastQueue,
        evict: Callable[[Member], None],
        replies: Replies,
    ) -> None:
        self._local = local
        self._trust = trust
        self._certified = certified
        self._broadcasts = broadcasts
        self._evict = evict
        self._replies = replies
        #: Until the clocks of others are known, nothing is judged by time.
        certified.judges_time = False
        if trust.identity.certificate is not None:
            self.take_own(trust.identity.certificate)
        local.timers.at(local.now + _LOOK, self._look, None)

    def _is_kept(self, name: NodeId) -> bool:
        table = self._local.table
        return name in table.by_name or name in table.minimum_generations

    # -- certificates ------------------------------------------------------------------------

    def hear(self, inbound: Inbound, page: Page, held: Member | None) -> None:
        """Take the page of a certificate; it makes no record, and moves no generation."""
        before = self._certified.of(page.name)
        if before is not None and before.raw == page.certificate:
            return
        was = self._trust.key_of(page.name)
        fault = self._certified.take(page.name, page.certificate, self._local.wall(), self._is_kept)
        if fault is Fault.SUPERSEDED:
            if held is not None and held.generation == page.generation:
                inbound.reply.pages += [
                    one.raw for one in (held.pages.get(MAX_PAGE_NUMBER),) if one is not None
                ]
        elif fault is not None:
            self._local.stats.drop(Drop.BAD_CERTIFICATE)
        elif held is not None:
            pushes = wire.OPT_MORE not in inbound.frame.options
            self._changed(held, was, pushes=pushes)
            if held is not self._local.table.by_name.get(page.name):
                ask_for(self._local, self._replies, inbound, page)

    def _changed(self, held: Member, was: bytes | None, *, pushes: bool) -> None:
        """Judge a record again by the certificate that its name has now."""
        key = self._trust.key_of(held.name)
        pages = [one for number, one in held.pages.items() if number != MAX_PAGE_NUMBER]
        zero = held.pages.get(0)
        if key is not None and (zero is None or zero.signer != key):
            if pages:
                self._evict(held)  # its new key comes with its next life, or was never its own
            return
        if key is not None and key != was:  # they were taken without a look at who signed them
            holds = self._trust.holds
            if not all(one.signed and holds(one, key) for one in pages):
                self._evict(held)
                return
        for page in pages:
            limited = self._certified.limited(page_untrusted(page.raw))
            if limited is None:
                self._evict(held)
                return
            if limited != page:
                self._local.table.replace_page(held, limited, self._local.now)
        self._write(held, pushes=pushes)
        self._bar(held)

    def _write(self, held: Member, *, pushes: bool = False) -> None:
        """Put the page of the certificate that a name has into its record."""
        known = self._certified.of(held.name)
        if known is None:
            return
        page = encode_certificate_page(held.name, held.generation, known.issue, known.raw)
        old = held.pages.get(MAX_PAGE_NUMBER)
        if old is None or old.raw != page.raw:
            self._local.table.replace_page(held, page, self._local.now)
            if pushes:
                self._broadcasts.page(held, MAX_PAGE_NUMBER)

    def taken(self, member: Member, page: Page) -> None:
        """Write the page of the certificate beside page 0 of a new life."""
        if page.number == 0 and page.signed and MAX_PAGE_NUMBER not in member.pages:
            self._write(member)
            self._bar(member)

    # -- pages -------------------------------------------------------------------------------

    def why_not(self, inbound: Inbound, page: Page, held: Member | None) -> Drop | None:
        """Return why page 0, signed, does not count; None: it does [P163]."""
        local = self._local
        same = held is not None and held.generation == page.generation
        fault = self._certified.why_not(page.name, page.signer, local.wall(), held=same)
        if fault is Fault.MISSING:
            if not self._trust.require:
                return None  # as of somebody who does not sign
            ask_for(local, self._replies, inbound, page, again=_ASKED_AGAIN)
            return Drop.NO_CERTIFICATE
        if fault is Fault.OTHER_KEY:
            if self._trust.holds(page, page.signer):
                where = held.addresses if held is not None else ()
                tell_conflict(local, self._trust, page.name, where, page)
            if not same:  # its certificate may be a newer one
                ask_for(local, self._replies, inbound, page, again=_CLAIMED_AGAIN)
            return Drop.OTHER_KEY
        if fault is not None:
            return Drop.BAD_CERTIFICATE
        return None if self._trust.holds(page, page.signer) else Drop.BAD_SIGNATURE

    def has_ended(self, name: NodeId, key: bytes) -> bool:
        """Return whether pages of a life that is held no longer count [P163]."""
        wall = self._local.wall()
        return self._certified.why_not(name, key, wall, held=True) is not None

    def limited(self, page: Page) -> Page | None:
        """Return a page with what its owner may announce; None: none of its addresses [P164]."""
        limited = self._certified.limited(page)
        if limited is not page:
            self._local.stats.drop(Drop.NOT_CERTIFIED)
        return limited

    # -- this node's own ---------------------------------------------------------------------

    def take_own(self, raw: bytes) -> Fault | None:
        """Take this node's own certificate; its page is written beside page 0."""
        own = self._local.own
        fault = self._certified.take(own.name, raw, self._local.wall(), self._is_kept)
        known = self._certified.of(own.name)
        if fault is None and known is not None and known.public == self._public:
            own.certificate = known.issue, known.raw
        return fault

    @property
    def _public(self) -> bytes:
        return self._trust.identity.signer.public

    def hear_own(self, page: Page) -> bool:
        """Take a certificate for this node's own name; False: there is nothing else to do.

        A newer one for its key is its own: it was issued, and not read here yet.
        """
        fault = self.take_own(page.certificate)
        if fault not in (None, Fault.SUPERSEDED):
            self._local.stats.drop(Drop.BAD_CERTIFICATE)
        elif fault is None:
            self.tell_own()
        return False

    def tell_own(self) -> None:
        """Write the page of this node's own certificate again, and push it."""
        local, own = self._local, self._local.own
        if own.certificate is not None:
            page = encode_certificate_page(own.name, own.generation, *own.certificate)
            if page.raw != local.me.first_pages[0]:
                local.table.replace_page(local.me, page, local.now)
                self._broadcasts.page(local.me, MAX_PAGE_NUMBER)

    # -- time and revocations ------------------------------------------------------------------

    def _look(self, _: None) -> None:
        self._local.timers.at(self._local.now + _LOOK, self._look, None)
        self.look_again()

    def hear_clock(self, member: Member, wall: int) -> None:
        """Take the time that a member states; by it this node's own is believed, or not [P159]."""
        local = self._local
        if not wall or not local.wall():
            return
        clocks = self._trust.clocks
        clocks.heard(member.name, wall - local.wall())
        agree = clocks.agree(len(local.table.peers))
        if agree != self._certified.judges_time:
            self._certified.judges_time = agree
            self.look_again()

    def look_again(self) -> None:
        """Put who has no certificate that counts on probation, and take back who has [P163]."""
        for member in list(self._local.table.by_name.values()):
            if member is not self._local.me:
                self._bar(member)

    def _bar(self, member: Member) -> None:
        zero = member.pages.get(0)
        if (
            zero is None
            or not zero.signed
            or (member.barred is not None and member.barred not in _BARRED)
        ):
            return
        wall = self._local.wall()
        fault = self._certified.why_not(member.name, zero.signer, wall, held=True)
        barred = (
            {
                Fault.EXPIRED: StatusReason.EXPIRED,
                Fault.REVOKED: StatusReason.REVOKED,
            }.get(fault)
            if fault is not None
            else None
        )
        if barred is not member.barred:
            member.barred = barred
            self._local.table.refresh(member, self._local.now)

    def state(self, member: Member) -> State:
        """Return what stands behind a member's name."""
        ended = self._certified.has_ended(member.name, self._local.wall())
        return State.EXPIRED if ended else State.CERTIFIED
