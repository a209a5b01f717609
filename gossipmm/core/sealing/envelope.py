"""Puts a frame into a datagram: as it is, or sealed with a shared key.

A sealed datagram is a COSE_Encrypt0 (``cose.py``). Its content is one of::

    frame  mark                      the usual case: see frame.py; and its receiver's mark, 3 bytes
    h'<cookie>'  frame               the same, sent again with the proof that was asked for
    h'<IV of yours> <cookie>'        a challenge: your datagram came, but who are you now?

The mark is the beginning of the receiver's boot id, zeros while that is not known: everybody has
the key, so without it what was sent to one node could be replayed to another one, much later.

A node that is challenged sends that one frame again, with the cookie, if it had just sent it, and
what it sends there meanwhile bears the cookie as well; nothing else answers a challenge. So a
challenge is itself a fresh answer of its sender, both sides are validated after one exchange, and
nothing can loop. An IV is never used twice: it is the probe id that a challenge must name.
(``sessions.py`` says what is kept about senders.)

Rules: authenticate before anything else is read. A frame counts if it bears this node's mark and
comes from a validated boot id and address, or if it bears a good cookie; whatever else is genuine
is challenged. Nothing is remembered of what does not authenticate, except a bounded list of key
ids. An address that is not validated is sent only a challenge, which is shorter than three times
the shortest datagram.
"""

from __future__ import annotations

import random
from typing import Any, Final, NamedTuple, Protocol

from gossipmm.core.sealing import cose
from gossipmm.core.sealing.keyring import KEY_SIZE, Key, Keyring
from gossipmm.core.sealing.sessions import COOKIE_SIZE, Cookies, Session, Sessions
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import Address
from gossipmm.core.wire.frame import LEAST_DATAGRAM, MAX_RECEIVE, bytes_head
from gossipmm.core.wire.strict import FromMyself, Refused

#: A boot id ends here: RFC 9053 section 4.1 allows 2**32 messages per key.
COUNTER_END: Final = (1 << 32) - 1
#: Datagrams that can still be sent again when a challenge names them, and for how long (seconds);
#: cookies that are borne, at most.
_KEPT: Final = 256
_ANSWER_WITHIN: Final = 2.0
#: Seconds for which datagrams bear a cookie that somebody asked for. It is good for eight at least.
_BEARS: Final = 6.0
#: Key ids and addresses of refused datagrams that are remembered.
_REFUSED: Final = 64

#: One of 2**24 nodes would accept what was meant for another.
MARK_SIZE: Final = 3
_NO_MARK: Final = bytes(MARK_SIZE)
_PROOF: Final = bytes((0x40 | COOKIE_SIZE,))
_CHALLENGE: Final = bytes((0x40 | cose.IV_SIZE + COOKIE_SIZE,))


class Envelope(Protocol):
    """What the core needs from an envelope."""

    #: Bytes added to a frame, at most.
    overhead: int
    #: Address -> id of the key it sends with, where that is not the first one of the keyring.
    spoken: dict[Address, bytes]
    #: Its own datagrams that wait to be sent: (kind, data, address). The core takes them.
    waiting: list[tuple[str, bytes, Address]]
    #: Where datagrams were challenged by who was asked there. The core takes them.
    challenged: list[Address]

    @property
    def keyring(self) -> Keyring | None:
        """The keys in use; None: it has none."""

    def seal(self, frame: bytes, to: Address, now: float, kid: bytes = b"") -> bytes:
        """Return the datagram for a frame; ``kid``: with that key, if it is held."""

    def open_untrusted(self, data: bytes, source: Address, now: float) -> bytes | None:
        """Return the frame of a datagram; None: it was for the envelope. Raises ``Refused``."""

    def new_boot(self) -> None:
        """Begin IVs that no copy of this process can use (a fork, a restored snapshot)."""


class PlainEnvelope:
    """No envelope: the frame is the datagram."""

    overhead = 0

    def __init__(self) -> None:
        self.waiting: list[tuple[str, bytes, Address]] = []
        self.challenged: list[Address] = []
        self.keyring: Keyring | None = None
        self.spoken: dict[Address, bytes] = {}

    def seal(self, frame: bytes, to: Address, now: float, kid: bytes = b"") -> bytes:
        """Return the frame itself."""
        return frame

    def open_untrusted(self, data: bytes, source: Address, now: float) -> bytes | None:
        """Return the datagram itself."""
        if data.startswith(b"\x83"):
            raise Refused(Drop.ENCRYPTED)
        return data

    def new_boot(self) -> None:
        """Do nothing: there is no IV."""


class Refusal(NamedTuple):
    """Senders that use a key that is not accepted: how often, from where, and when last."""

    kid: bytes
    source: Address
    times: int
    at: float  #: core time, seconds


class _Cipher:
    """One shared key, ready for use."""

    __slots__ = ("aad", "accepted", "encrypt", "info", "kid", "prefix", "secret")

    def __init__(self, key: Key, cluster: str, *, accepted: bool) -> None:
        self.kid = key.kid
        self.secret = key.secret
        self.accepted = accepted
        self.prefix = cose.prefix(key.kid)
        self.info = cose.kdf_info(cluster, key.kid)
        header = cose.protected_header(key.kid)
        self.aad = cose.enc_structure(header, cose.external_aad(cluster))
        #: AEAD of the sub-key of this node's boot id.
        self.encrypt: Any = None


class CoseEnvelope:
    """Seals with the first key of a keyring and opens with all of them [P108].

    ``rng`` gives boot ids and cookies (in production a ``random.SystemRandom``). ``limit`` is the
    largest datagram sent, ``most`` how many senders are remembered. Needs ``cryptography``.
    """

    overhead = cose.MAX_OVERHEAD + MARK_SIZE

    def __init__(
        self,
        keyring: Keyring,
        cluster: str,
        rng: random.Random,
        *,
        limit: int = 1200,
        most: int = 10_000,
    ) -> None:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        self._aead, self._hkdf, self._hash = AESGCM, HKDF, SHA256()
        self._invalid = InvalidTag
        self._cluster = cluster
        self._rng = rng
        self._limit = limit
        self._most_marks = 2 * most
        self._sessions = Sessions(most)
        self._cookies = Cookies(rng)
        self.waiting: list[tuple[str, bytes, Address]] = []
        self.challenged: list[Address] = []
        #: Key ids that are not in the keyring, by id; anybody can have sent them.
        self.strangers: dict[bytes, Refusal] = {}
        #: Addresses that sent something genuine, or a recording of it, with a retired key.
        self.stragglers: dict[Address, Refusal] = {}
        #: Validated address -> id of the accepted key it sends with, where that is not the first
        #: one.
        self.spoken: dict[Address, bytes] = {}
        self._boot = self._mark = b""
        self._counter = 0
        #: Address -> mark of the node that answers there.
        self._marks: dict[Address, bytes] = {}
        #: Those of the addresses whose mark was told by a datagram from there.
        self._firm: set[Address] = set()
        self._sent: dict[int, tuple[Address, bytes, float]] = {}
        #: Address -> the cookie that is asked for there, and when it came; until whoever is there
        #: has shown that it knows this node.
        self._cookies_of: dict[Address, tuple[bytes, float]] = {}
        self._ciphers: dict[bytes, _Cipher] = {}
        self.keyring = keyring
        self.new_boot()

    @property
    def boot(self) -> bytes:
        """The boot id in use."""
        return self._boot

    @property
    def keyring(self) -> Keyring:
        """The keys in use. Setting others takes effect with the next datagram."""
        return self._keyring

    @keyring.setter
    def keyring(self, keyring: Keyring) -> None:
        before: Keyring | None = getattr(self, "_keyring", None)
        self._keyring = keyring
        if before and (before.keys, before.retired) == (keyring.keys, keyring.retired):
            return  # only the rotation has progressed
        keys = [(key, True) for key in keyring.keys] + [(key, False) for key in keyring.retired]
        ciphers = [_Cipher(key, self._cluster, accepted=accepted) for key, accepted in keys]
        self._ciphers = {cipher.prefix: cipher for cipher in ciphers}
        self._by_kid = {cipher.kid: cipher for cipher in ciphers if cipher.accepted}
        self._sending = ciphers[0]
        self.spoken.clear()
        self._sessions.forget_ciphers()

    def new_boot(self) -> None:
        """Take a new boot id: every peer will challenge it once [P109]."""
        self._mark = _NO_MARK
        while self._mark == _NO_MARK:
            self._boot = self._rng.getrandbits(8 * cose.BOOT_SIZE).to_bytes(cose.BOOT_SIZE, "big")
            self._mark = self._boot[:MARK_SIZE]
        self._counter = 0
        self._sent.clear()
        self._cookies_of.clear()  # they are bound to the boot id
        for cipher in self._ciphers.values():
            cipher.encrypt = None

    # -- out -------------------------------------------------------------------------------

    def seal(self, frame: bytes, to: Address, now: float, kid: bytes = b"") -> bytes:
        """Return the datagram for a frame, which is kept for a while: it may have to be sent again.

        ``kid`` names another key than the first one of the keyring, for a receiver that has only
        that.
        """
        cipher = self._by_kid.get(kid, self._sending)
        proof = self._proof(len(frame), to, now) if self._cookies_of else b""
        said = proof + frame if proof else frame + self._marks.get(to, _NO_MARK)
        data = self._seal(cipher, said)
        self._sent[self._counter - 1] = (to, frame, now)
        return data

    def _proof(self, size: int, to: Address, now: float) -> bytes:
        """Return the proof that is asked for, if any path carries the frame with it [P192]."""
        cookie, came_at = self._cookies_of.get(to, (b"", now))
        if now - came_at > _BEARS:
            del self._cookies_of[to]
            return b""
        return _PROOF + cookie if cookie and self._has_room(size, LEAST_DATAGRAM) else b""

    @staticmethod
    def _has_room(size: int, limit: int) -> bool:
        """Return whether a frame of so many bytes fits into a datagram with a proof."""
        return size + len(_PROOF) + COOKIE_SIZE + cose.MAX_OVERHEAD <= limit

    def _seal(self, cipher: _Cipher, plaintext: bytes) -> bytes:
        if self._counter >= COUNTER_END:
            self.new_boot()
        encrypt = cipher.encrypt or self._own(cipher)
        counter = self._counter
        self._counter = counter + 1
        self._sent.pop(counter - _KEPT, None)
        iv = self._boot + counter.to_bytes(4, "big")
        ciphertext = encrypt(iv, plaintext, cipher.aad)
        return cipher.prefix + iv + bytes_head(len(ciphertext)) + ciphertext  # type: ignore[no-any-return]

    def _own(self, cipher: _Cipher) -> Any:
        cipher.encrypt = self._derive(cipher, self._boot).encrypt
        return cipher.encrypt

    def _derive(self, cipher: _Cipher, boot: bytes) -> Any:
        kdf = self._hkdf(self._hash, KEY_SIZE, boot, cipher.info)
        return self._aead(kdf.derive(cipher.secret))

    # -- in --------------------------------------------------------------------------------

    def open_untrusted(self, data: bytes, source: Address, now: float) -> bytes | None:
        """Return the frame of a datagram that is genuine, new, and from a validated sender [P110].

        None when the datagram was for the envelope itself. Raises Refused, and nothing else.
        """
        if len(data) > MAX_RECEIVE:
            raise Refused(Drop.TOO_LARGE)
        at = cose.prefix_size_untrusted(data)
        cipher = self._ciphers.get(data[:at])
        if cipher is None:
            raise Refused(self._why_foreign(data, source, now))
        iv = data[at : at + cose.IV_SIZE]
        ciphertext = cose.ciphertext_untrusted(data, at + cose.IV_SIZE)
        boot = iv[: cose.BOOT_SIZE]
        counter = int.from_bytes(iv[cose.BOOT_SIZE :], "big")
        session = self._sessions.get(boot)
        if session is not None:
            refused = session.refuses(counter)
            if refused is not None:
                raise Refused(refused)
            aead = session.ciphers.get(cipher.kid)
        elif boot == self._boot:
            raise FromMyself(self._own_frame(cipher, iv, ciphertext))
        else:
            aead = None
        if aead is None:
            aead = self._derive(cipher, boot)
        try:
            plaintext: bytes = aead.decrypt(iv, ciphertext, cipher.aad)
        except self._invalid:
            raise Refused(Drop.NOT_AUTHENTIC) from None
        if not cipher.accepted:
            _note(self.stragglers, source, cipher.kid, source, now)
            raise Refused(Drop.RETIRED_KEY)
        if (
            session is None
            or source not in session.addresses
            or plaintext[-MARK_SIZE:] != self._mark
            or plaintext[0] <= 0x57
        ):
            return self._handshake(plaintext, cipher, aead, iv, source, now)
        session.ciphers[cipher.kid] = aead
        session.mark(counter)
        session.heard = now
        if self._cookies_of:
            self._cookies_of.pop(source, None)
        if len(self._by_kid) > 1:
            self._spoke(cipher, source)
        return plaintext[:-MARK_SIZE]

    def _own_frame(self, cipher: _Cipher, iv: bytes, ciphertext: bytes) -> bytes:
        """Return the frame of a datagram of this node; empty: it is forged, or not a plain one."""
        try:
            plaintext: bytes = self._derive(cipher, self._boot).decrypt(iv, ciphertext, cipher.aad)
        except self._invalid:
            return b""
        return plaintext[:-MARK_SIZE]

    def _spoke(self, cipher: _Cipher, source: Address) -> None:
        """Remember which key a validated address uses, if it is not the first one here."""
        if cipher is self._sending:
            self.spoken.pop(source, None)
        elif source in self.spoken or len(self.spoken) < self._most_marks:
            self.spoken[source] = cipher.kid

    def _why_foreign(self, data: bytes, source: Address, now: float) -> Drop:
        kid = cose.kid_untrusted(data)
        if kid is not None:
            _note(self.strangers, kid, kid, source, now)
            return Drop.UNKNOWN_KEY
        plain = 0x85 <= data[0] <= 0x97 and data[2] == 0x44
        plain = plain or (data[0] == 0x58 and data[1] == len(data) - 2)
        return Drop.NOT_ENCRYPTED if plain else Drop.MALFORMED

    # -- who are you now? --------------------------------------------------------------------

    def _handshake(
        self, plaintext: bytes, cipher: _Cipher, aead: Any, iv: bytes, source: Address, now: float
    ) -> bytes | None:
        """Take what is genuine, but begins with a cookie or a challenge, or is not validated."""
        kind, frame = plaintext[:1], b""
        if kind == _CHALLENGE:
            session = self._challenged(plaintext[1:], cipher, iv, source, now)
        else:
            boot = iv[: cose.BOOT_SIZE]
            cookie = plaintext[1 : 1 + COOKIE_SIZE] if kind == _PROOF else b""
            if not cookie or not self._cookies.is_good(cookie, boot, source, now):
                self._challenge(cipher, iv, source, now)
                known = self._sessions.get(boot)
                proved = known is not None and source in known.addresses
                raise Refused(Drop.MISDIRECTED if proved else Drop.UNPROVEN)
            frame = plaintext[1 + COOKIE_SIZE :]
            session = self._session(iv, now)
            session.proved(source)
            self._answers(boot, source, source)
            self._cookies_of.pop(source, None)
        session.ciphers[cipher.kid] = aead
        session.mark(int.from_bytes(iv[cose.BOOT_SIZE :], "big"))
        session.heard = now
        self._spoke(cipher, source)
        return frame or None

    def _answers(self, boot: bytes, address: Address, source: Address) -> None:
        """Remember which node received what was sent to an address, as ``source`` shows."""
        if len(self._marks) >= self._most_marks:
            self._marks.clear()  # they are learned again from challenges
            self._firm.clear()
        self._marks[address] = boot[:MARK_SIZE]
        if address == source:
            self._firm.add(address)

    def _session(self, iv: bytes, now: float) -> Session:
        boot = iv[: cose.BOOT_SIZE]
        session = self._sessions.get(boot)
        if session is None:
            counter = int.from_bytes(iv[cose.BOOT_SIZE :], "big")
            session, crowded = self._sessions.add(boot, counter, now)
            if crowded:
                # A proof could be replayed at once, now that its session is forgotten.
                self._cookies.renew()
        return session

    def _challenge(self, cipher: _Cipher, iv: bytes, source: Address, now: float) -> None:
        """Ask for proof, with the key that the sender has shown it has [P111]."""
        cookie = self._cookies.make(iv[: cose.BOOT_SIZE], source, now)
        data = self._seal(cipher, _CHALLENGE + iv + cookie)
        self.waiting.append(("challenge", data, source))

    def _challenged(
        self, challenge: bytes, cipher: _Cipher, iv: bytes, source: Address, now: float
    ) -> Session:
        """Send one frame again, to where it went, if it was sent just now; refuse all else.

        [P111]
        """
        named, cookie = challenge[: cose.IV_SIZE], challenge[cose.IV_SIZE :]
        if len(cookie) != COOKIE_SIZE:
            raise Refused(Drop.MALFORMED)
        counter = int.from_bytes(named[cose.BOOT_SIZE :], "big")
        sent = self._sent.get(counter) if named[: cose.BOOT_SIZE] == self._boot else None
        if sent is None or now - sent[2] > _ANSWER_WITHIN:
            raise Refused(Drop.LATE_CHALLENGE)
        to, frame, _ = sent
        if to != source and to in self._firm:
            # Played to another node than it was sent to: whoever is there answers for itself.
            raise Refused(Drop.MISDIRECTED)
        del self._sent[counter]
        boot = iv[: cose.BOOT_SIZE]
        is_known = boot in self._sessions.by_boot
        session = self._session(iv, now)
        self._answers(boot, to, source)
        if to == source:
            session.proved(source)
            if not is_known:
                self._bear(cookie, to, now)
        proof = _PROOF + cookie
        if self._has_room(len(frame), self._limit):
            proof, frame = proof + frame, b""
        self.waiting.append(("proof", self._seal(cipher, proof), to))
        if frame:
            said = self._seal(cipher, frame + boot[:MARK_SIZE])
            self.waiting.append(("proof", said, to))
        return session

    def _bear(self, cookie: bytes, to: Address, now: float) -> None:
        """Have whatever is sent to an address bear the cookie: the proof may be lost [P192]."""
        if len(self._cookies_of) >= _KEPT:
            del self._cookies_of[next(iter(self._cookies_of))]
        self._cookies_of[to] = cookie, now
        self.challenged.append(to)


def _note(refusals: dict[Any, Refusal], key: Any, kid: bytes, source: Address, now: float) -> None:
    """Count a refusal; the source that was refused longest ago makes room."""
    before = refusals.pop(key, None)
    if len(refusals) >= _REFUSED:
        del refusals[next(iter(refusals))]
    refusals[key] = Refusal(kid, source, before.times + 1 if before is not None else 1, now)
