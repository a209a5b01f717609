"""Datagrams as a person reads them: names instead of keys, words instead of columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gossipmm.core.sealing import cose
from gossipmm.core.sealing.envelope import MARK_SIZE
from gossipmm.core.sealing.keyring import KEY_SIZE, Key
from gossipmm.core.sealing.sessions import COOKIE_SIZE
from gossipmm.core.values.rotation_state import Phase, Told, register_of
from gossipmm.core.values.types import EntryState, HostState, NodeState
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.frame import TRY
from gossipmm.core.wire.pages import Page, page_untrusted
from gossipmm.core.wire.slim import SHORT

__all__ = ("Names", "Opened", "event_parts", "frame_parts", "is_ordinary", "opened")

CLUSTER = "gossipmm"
#: Claims as words.
CLAIMS = {
    wire.ALIVE: "alive",
    wire.SUSPECT: "suspect",
    wire.DEAD: "dead",
    wire.LEFT: "left",
    wire.UNHEARD: "never heard alive",
}
#: Entries of a page that are named; of more only the number is told.
NAMED = 2


class Names:
    """Who is behind a record key, a generation or a fingerprint, in the order of appearance."""

    def __init__(self) -> None:
        self._lives: dict[str, list[int]] = {}
        self._keys: dict[int, tuple[str, int]] = {}
        self._tables: dict[int, str] = {}
        self._probes: dict[int, int] = {}

    def learn(self, name: str, generation: int) -> None:
        """Remember one life of a name."""
        lives = self._lives.setdefault(name, [])
        if generation not in lives:
            lives.append(generation)
            self._keys[wire.record_key(CLUSTER, name, generation)] = (name, generation)

    def life(self, name: str, generation: int) -> str:
        """A life: the bare name while there is one, else with its number ("b#2")."""
        self.learn(name, generation)
        number = self._lives[name].index(generation) + 1
        return name if number == 1 else f"{name}#{number}"

    def key(self, key: int) -> str:
        """Whose record key this is."""
        if key == 0:
            return "whoever is there"
        return self.life(*self._keys[key]) if key in self._keys else "somebody unknown"

    def whole(self, key: int) -> int:
        """The record key of which a slim frame has the low half."""
        return next((one for one in self._keys if (one ^ key) & SHORT == 0), key)

    def table(self, fingerprint: int, half: int) -> str:
        """A fingerprint as a letter; a half of one as that of the first table that it fits."""
        if half:
            shift = 32 if half == wire.HIGH_HALF else 0
            for known, letter in self._tables.items():
                if known >> shift & SHORT == fingerprint:
                    return letter
            fingerprint <<= shift
        if fingerprint not in self._tables:
            self._tables[fingerprint] = _letters(len(self._tables))
        return self._tables[fingerprint]

    def probe(self, identity: int) -> str:
        """A probe id as its number, and which try it is of a probe that was seen before."""
        identity &= SHORT
        first = identity & ~TRY
        if identity != first and first in self._probes:
            return f"{self._probes[first]}, try {(identity & TRY) + 1}"
        return str(self._probes.setdefault(identity, len(self._probes) + 1))


def _letters(number: int) -> str:
    high, low = divmod(number, 26)
    return (_letters(high - 1) if high else "") + chr(ord("A") + low)


# -- frames ------------------------------------------------------------------------------------


def frame_parts(frame: wire.Frame, names: Names, to: str) -> list[str]:
    """What a frame says. ``to`` is the life at the address: a target is told if it is another."""
    parts = []
    if frame.kind == wire.SYN or (frame.target and names.key(frame.target) != to):
        parts.append(f"for {names.key(frame.target)}")
    if frame.probe:
        parts.append(f"probe {names.probe(frame.probe)}")
    if frame.kind in (wire.SYN, wire.ACK):
        known = f", yours {frame.known}" if frame.known else ""
        parts.append(f"heartbeat {frame.heartbeat}{known}")
        parts.append(f"table {names.table(frame.fingerprint, frame.half)}")
    pages = [page_untrusted(raw) for raw in frame.options.get(wire.OPT_PAGES, ())]
    for page in pages:
        names.learn(page.name, page.generation)
    parts += row_parts(frame.rows, names)
    parts += [page_part(page, names) for page in pages]
    for key, value in frame.options.items():
        if key in OPTIONS:
            parts.append(OPTIONS[key](value, names))
    return parts


def is_ordinary(rows: bytes) -> bool:
    """True for no row, or for the one heartbeat of somebody that is alive."""
    return len(rows) <= wire.ROW_SIZE and all(row[2] == wire.ALIVE for row in wire.rows_in(rows))


def row_parts(rows: bytes, names: Names) -> list[str]:
    """Claims, an accusation with its accusers."""
    parts: list[str] = []
    for key, heartbeat, claim, age in wire.rows_in(rows):
        if claim == wire.ACCUSER:
            word = " and" if " by " in parts[-1] else " by"
            parts[-1] += f"{word} {names.key(key)}"
        else:
            parts.append(_claim(names.key(key), heartbeat, claim, age))
    return parts


def _claim(who: str, heartbeat: int, claim: int, age: int) -> str:
    at = f" at {heartbeat}" if claim in (wire.ALIVE, wire.SUSPECT, wire.DEAD) else ""
    seconds = wire.AGES[age]
    ago = (
        f" {seconds:.1f} s ago" if seconds >= 1 else f" {1000 * seconds:.0f} ms ago" if age else ""
    )
    return f'"{who} {CLAIMS[claim]}{at}{ago if age else ""}"'


def page_part(page: Page, names: Names) -> str:
    """A page: whose, which, its version and what is in it."""
    said = [] if page.state is NodeState.UP else [page.state.name.lower()]
    if page.keys is not None:
        said.append(_told(page.keys))
    if len(page.entries) > NAMED:
        said.append(f"{len(page.entries)} entries")
    else:
        for entry in page.entries:
            draining = " draining" if entry.state is EntryState.DRAINING else ""
            said.append(f"{entry.topic}={entry.host}{draining}")
    if page.number and not page.entries:
        said.append("empty")
    what = f" ({', '.join(said)})" if said else ""
    return f"page {names.life(page.name, page.generation)}/{page.number} v{page.version}{what}"


def _told(told: Told) -> str:
    keys = f"holds key {'+'.join(kid.hex() for kid in told.holds)}"
    return f"{keys}, {_register(told.register.row())}" if told.register.epoch else keys


def _register(row: list[Any]) -> str:
    register = register_of(row)
    assert register is not None
    phase = Phase(register.phase).name.lower()
    return f"{register.old.hex()} to {register.new.hex()}: {phase}"


def _digest(value: list[Any], names: Names) -> str:
    rows = wire.digest_rows_in(value[2])
    told = ", ".join(
        _claim(names.key(k), beat, claim, age)[1:-1] for k, beat, claim, age, _ in rows
    )
    return f"DIGEST {told}"


def _want(value: list[Any], names: Names) -> str:
    wants = []
    for want in value:
        held = wire.vector_in(want[1])
        have = ", ".join(f"{number} v{version}" for number, version in held.items())
        wants.append(f"{names.key(want[0])} ({f'has {have}' if have else 'has nothing'})")
    return f"WANT {', '.join(wants)}"


def _cursor(value: list[Any], names: Names) -> str:
    if not value:
        return "more to come"
    if value[:2] == [0, 0]:
        return "that is all"
    return f"up to page {value[0]} of {names.key(value[1])}"


def _pull(value: list[Any], names: Names) -> str:
    what = "the gone" if value[2:3] == [True] else "everything"
    after = "" if value[1] == 0 else f" after page {value[0]} of {names.key(value[1])}"
    return f"PULL {what}{after}"


OPTIONS: dict[int, Callable[[Any, Names], str]] = {
    wire.OPT_DIGEST: _digest,
    wire.OPT_BUCKETS: lambda value, _: f"BUCKETS {len(value[2]) // 4}",
    wire.OPT_WANT: _want,
    wire.OPT_MINIMUMS: lambda value, names: (
        f"closed: {', '.join(names.life(name, generation) for name, generation in value)}"
    ),
    wire.OPT_PULL: _pull,
    wire.OPT_MORE: _cursor,
    wire.OPT_TARGET: lambda value, names: f"about {names.key(value)}",
    wire.OPT_SLOW: lambda value, _: "my timers are late",
    wire.OPT_EXPIRE: lambda value, _: f"does {value[0]}={value[1]} stand?",
    wire.OPT_REACHED: lambda value, _: "it answered me",
    wire.OPT_BRIDGE: lambda value, names: f"reached by {names.key(value)}",
    wire.OPT_KEY: lambda value, _: f"the new key itself, {_register(value[0])}",
}


# -- events ------------------------------------------------------------------------------------


def event_parts(event: Any, names: Names, reporter: str) -> Iterator[str]:
    """What an event says: the life that it is about, then its other fields, but for the time.

    ``reporter`` is the node that told it: a generation without a name is its own.
    """
    values = {field.name: getattr(event, field.name) for field in fields(event)}
    del values["at"]
    name = values.pop("name", "")
    previous = values.get("previous")
    if isinstance(previous, int) and "generation" in values:
        values["previous"] = names.life(name or reporter, previous)
    if "generation" in values:
        yield names.life(name or reporter, values.pop("generation"))
    elif name:
        yield name
    for field, value in values.items():
        if not (field == "previous" and value is None):
            yield f"{field} {_value(value)}"


def _value(value: Any) -> str:
    if isinstance(value, tuple):
        if len(value) == 2 and isinstance(value[1], int):
            return str(value[0])  # an address
        return "+".join(map(_value, value)) or "-"
    if isinstance(value, HostState):
        return value.label
    if isinstance(value, float):
        return f"{value:.3g}"
    return "-" if value is None or value == "" else str(value)


# -- sealed datagrams --------------------------------------------------------------------------


class Opened:
    """What is inside a sealed datagram: key id, mark of the receiver, cookie, frame."""

    def __init__(self, kid: bytes, boot: bytes, plaintext: bytes) -> None:
        self.kid = kid
        self.boot = boot  #: of its sender
        self.mark = b""  #: beginning of the receiver's boot id
        self.challenge = self.proof = False
        self.frame = b""
        size = plaintext[0] - 0x40
        if size == cose.IV_SIZE + COOKIE_SIZE:
            self.challenge = True
        elif size == COOKIE_SIZE:
            self.proof, self.frame = True, plaintext[1 + COOKIE_SIZE :]
        else:
            self.frame, self.mark = plaintext[:-MARK_SIZE], plaintext[-MARK_SIZE:]


def opened(data: bytes, keys: tuple[Key, ...]) -> Opened | None:
    """Open a sealed datagram with whichever of the keys it is sealed with."""
    for key in keys:
        prefix = cose.prefix(key.kid)
        if not data.startswith(prefix):
            continue
        iv = data[len(prefix) : len(prefix) + cose.IV_SIZE]
        boot = iv[: cose.BOOT_SIZE]
        kdf = HKDF(SHA256(), KEY_SIZE, boot, cose.kdf_info(CLUSTER, key.kid))
        header = cose.protected_header(key.kid)
        aad = cose.enc_structure(header, cose.external_aad(CLUSTER))
        ciphertext = cose.ciphertext_untrusted(data, len(prefix) + cose.IV_SIZE)
        try:
            plaintext = AESGCM(kdf.derive(key.secret)).decrypt(iv, ciphertext, aad)
        except InvalidTag:
            continue
        return Opened(key.kid, boot, plaintext)
    return None
