"""The agent's identity: its key and certificate, read again at a reload, and who is not as far.

The core judges what others sign; this reads files, looks at the calendar and says what it sees.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

import trio

from gossipmm.agent.driver import Driver
from gossipmm.agent.faults import Faults
from gossipmm.agent.keys import AgentKeys
from gossipmm.agent.network import Network
from gossipmm.answers import IdentityStatus
from gossipmm.config import Config
from gossipmm.core.identity.keys import Identity
from gossipmm.core.values.fault import Fault
from gossipmm.core.values.types import IdentityState, MemberView, Status
from gossipmm.errors import IdentityError, RegistrationError
from gossipmm.publickeys import public_key_text
from gossipmm.text.certificates import FAULTS, what_to_do
from gossipmm.text.identities import excess_words, identity_words, own_words

if TYPE_CHECKING:
    from gossipmm.core.identity.certificates import Certificate

__all__ = ("WEEK", "AgentIdentity", "Credentials")

#: Seconds before its end from which a certificate is complained of: time for somebody to renew it.
WEEK: Final = 7 * 86_400.0
#: Seconds between two looks at how things are.
_LOOK: Final = 10.0
_LIVE = frozenset({Status.ALIVE, Status.SUSPECT, Status.PROBATION})
#: Members that agents with ``require`` refuse.
_NOT_READY = frozenset({IdentityState.UNSIGNED, IdentityState.EXPIRED})


class AgentIdentity:
    """The identity of one agent. With ``identity`` off it does nothing, and imports nothing."""

    def __init__(
        self,
        config: Config,
        own: Identity | None,
        driver: Driver,
        network: Network,
        faults: Faults,
    ) -> None:
        self._config = config
        self._own = own
        self._driver = driver
        self._network = network
        self._faults = faults
        self._identities = driver.node.identities

    def _wall(self) -> float:
        return self._network.wall_ms() / 1000

    # -- what there is -------------------------------------------------------------------------

    def status(self) -> IdentityStatus:
        """Return how far this node goes with identities, and who is not as far."""
        own = self._own
        if own is None:
            return IdentityStatus()
        from gossipmm.core.identity.keys import key_id

        certificate = self._certificate()
        live = [view for view in self._driver.node.members() if view.status in _LIVE]
        ends = dict(self._identities.certificate_ends())
        if certificate is not None:
            ends[self._driver.node.name] = certificate.expires
        soon, names = self._wall() + WEEK, {view.name for view in live}
        return IdentityStatus(
            mode=self._config.identity,
            key=key_id(own.signer.public),
            public=public_key_text(own.signer.public),
            authorities=tuple(map(key_id, own.authorities)),
            issue=certificate.issue if certificate is not None else None,
            expires=certificate.expires if certificate is not None else None,
            members=Counter([view.identity.value for view in live]),
            not_ready=self._not_ready(live),
            conflicts=dict(self._identities.conflicts()),
            equivocating=tuple(
                view.name for view in live if view.identity is IdentityState.EQUIVOCATING
            ),
            ending={
                name: end for name, end in sorted(ends.items()) if end < soon and name in names
            },
            clock_ahead=self._identities.clock_ahead(),
            revoked=self._revoked_names(certificate),
        )

    def _not_ready(self, live: list[MemberView]) -> tuple[str, ...]:
        refused = set(_NOT_READY)
        if self._config.authority:
            # A key without a certificate counts for nothing where there is an authority.
            refused |= {IdentityState.PINNED, IdentityState.PROVISIONAL}
        found = {view.name for view in live if view.identity in refused}
        found.update({*self._identities.unsigned()} - {view.name for view in live})
        found.discard(self._driver.node.name)
        if self._config.authority and self._identities.own_certificate is None:
            found.add(self._driver.node.name)
        return tuple(sorted(found))

    def _revoked_names(self, own: Certificate | None) -> tuple[str, ...]:
        from gossipmm.core.identity.revocations import Revocations, revocations_untrusted

        raw, found = self._identities.revocations(), {*self._identities.revoked()}
        read = revocations_untrusted(raw) if raw is not None else None
        if own is not None and isinstance(read, Revocations) and read.revokes(own):
            found.add(own.name)
        return tuple(sorted(found))

    # -- what this node may say --------------------------------------------------------------------

    def _certificate(self) -> Certificate | None:
        """Return this node's own certificate, as it is told to others."""
        raw = self._identities.own_certificate
        if raw is None:
            return None
        from gossipmm.core.identity.certificates import certificate_untrusted

        read = certificate_untrusted(raw)
        return None if isinstance(read, Fault) else read

    def refuse(self, topic: str) -> None:
        """Refuse a topic that this node's certificate does not name: others would drop it.

        Raises RegistrationError.
        """
        made = self._certificate() if self._own is not None else None
        if made is not None and not made.allows_topic(topic):
            raise RegistrationError(excess_words(made.name, [topic], ()))

    def _excess(self) -> str:
        """Say what this node announces although its certificate does not name it."""
        made, node = self._certificate(), self._driver.node
        if made is None:
            return ""
        now = self._driver.now()
        topics = {own.topic for own in node.registrations(now)}
        return excess_words(
            made.name,
            [topic for topic in topics if not made.allows_topic(topic)],
            [host for host, _ in node.addresses if not made.allows_host(host)],
        )

    # -- for the tasks that run it -------------------------------------------------------------

    async def run(self) -> None:
        """Complain of what is wrong, for as long as it lasts, for ever."""
        if self._own is None:
            return
        node = self._driver.node
        while True:
            found = self.status()
            others = {*found.revoked} - {node.name}
            wrong = (found.not_ready, found.conflicts, found.equivocating, others)
            self._say("identity", identity_words(found.mode, *wrong, found.clock_ahead))
            left = None if found.expires is None else found.expires - self._wall()
            words = own_words(node.name, left, WEEK, revoked=node.name in found.revoked)
            self._say("certificate", "; ".join(filter(None, (words, self._excess()))))
            await trio.sleep(_LOOK)

    def _say(self, code: str, words: str) -> None:
        if words:
            self._faults.set(code, words)
        else:
            self._faults.clear(code, f"{code}: as it should be again")

    # -- reload --------------------------------------------------------------------------------

    def reload(self, config: Config) -> list[str]:
        """Read certificate, revocations and key again; say in words what changed.

        ``config`` is the one read now. What is wrong changes nothing.
        """
        if self._own is None or config.identity == "off":
            return []
        said = []
        for what, read in (("certificate", self._renewed), ("revocations", self._revoked)):
            try:
                if words := read(config):
                    said.append(f"{what}: {words}")
            except IdentityError as exc:
                said.append(f"{what}: nothing was changed: {exc}")
        self._driver.flush()
        return said

    def _renewed(self, config: Config) -> str:
        from gossipmm import identityfile

        assert self._own is not None
        public = self._own.signer.public
        path = identityfile.key_path(self._config)
        if identityfile.load_key(path).public != public:
            return f"{path} has another key now, which needs a restart"
        if not config.certificate:
            return ""
        made = identityfile.load_certificate(config.certificate)
        if made.raw == self._identities.own_certificate:
            return ""
        identityfile.check_certificate(config.certificate, made, self._config, public)
        if trouble := identityfile.time_trouble(config.certificate, made, self._wall()):
            raise IdentityError(trouble)
        fault = self._identities.set_certificate(made.raw, self._driver.now())
        if fault is not None:
            renew = f"gossipmm ca issue {made.name}"
            raise IdentityError(
                f"{config.certificate}: {FAULTS[fault]}: {what_to_do(fault, renew)}"
            )
        return f"issue {made.issue}, until {identityfile.moment(made.expires)}"

    def _revoked(self, config: Config) -> str:
        from gossipmm import identityfile

        held = self._identities.revocations()
        trusted = replace(config, authority=self._config.authority)
        raw = identityfile.newest_revocations(trusted, held)
        if raw is None or raw == held:
            return ""
        fault = self._identities.set_revocations(raw, self._driver.now())
        if fault is not None:
            raise IdentityError(f"{config.revocations}: {FAULTS[fault]}")
        return "a newer list"


class Credentials(NamedTuple):
    """What an agent shows to others: the keys that they share, and what is its own."""

    keys: AgentKeys
    identity: AgentIdentity
