"""Chooses the address of a member to send to: one that works, by what was measured of it.

Where a record has one address there is nothing to choose. Of several, the one from which an answer
came lately is used, for as long as questions that go there are answered. Which addresses have not
been measured is judged by their family: whether this node's socket has it, and how the last
questions fared that went by it.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import Final

from gossipmm.addresses import format_address
from gossipmm.core.sending.path_sizes import PathSizes
from gossipmm.core.table.local_state import LocalState
from gossipmm.core.table.member import Member
from gossipmm.core.table.path import Path
from gossipmm.core.values import events
from gossipmm.core.values.trail import EvidenceKind
from gossipmm.core.values.types import Address, PathFault, PathView
from gossipmm.mechanisms import Mechanism

__all__ = ("Paths",)

#: Failures in a row after which a family is taken to carry nothing. With random loss of 25 % each
#: way, one question of twelve is followed by two more that fail as well; all that it costs is the
#: use of the other family.
_BROKEN: Final = 3
#: Probes in a row that only a helper could answer until it is told that no path leads to a member.
#: At 25 % loss each way one probe in 27 is answered by a helper, four in a row once in 500,000.
_SURE: Final = 4
#: Of the turns of a member without a path in the round, one in so many is taken: each costs a
#: helper four datagrams.
_TURNS: Final = 4
#: Seconds without another source after which it is taken back that a member sends from elsewhere,
#: and IP addresses of one that are told.
_AGREES_FOR: Final = 60.0
_SOURCES: Final = 4
#: Members without a path that are remembered.
_LOST: Final = 1024
#: Classes of addresses, the best first. One that recovered was not answered, but others of its
#: family were since.
_WORKS, _HEARD, _UNTRIED, _RECOVERED, _DOUBTED, _FAILED = range(6)


class _Family:
    """How the last questions fared that went by one family of addresses."""

    __slots__ = ("answered", "failures")

    def __init__(self) -> None:
        #: In a row, though the member answered by another address, or another member reached it.
        self.failures = 0
        #: When one was last answered.
        self.answered = -inf

    @property
    def broken(self) -> bool:
        return self.failures >= _BROKEN


class Paths:
    """The addresses in use. Whoever asks a member something tells here what became of it."""

    def __init__(self, local: LocalState) -> None:
        self._local = local
        self.sizes = PathSizes(local)
        self._families: dict[bool, _Family] = {False: _Family(), True: _Family()}
        #: Rises whenever a family breaks or recovers, which ends each choice made before.
        self._version = 0
        self._measures = Mechanism.PATHS not in local.without
        #: Record keys of members to which no path leads: as helpers they are of no use.
        self.lost: dict[int, None] = {}

    # -- choosing --------------------------------------------------------------------------

    def to(self, member: Member) -> Address:
        """Return the address of a member that everything but probes goes to [P71]."""
        addresses = member.addresses
        if len(addresses) == 1 or not self._measures:
            return addresses[0]
        path = member.path
        if path is None or path.of is not addresses or path.version != self._version:
            path = self._choose(member)
        return path.address

    def order(self, member: Member) -> tuple[Address, ...]:
        """Return the addresses of a member for a probe: the one in use first, then the next best.

        [P65]
        """
        addresses = member.addresses
        if len(addresses) == 1 or not self._measures:
            return addresses
        self.to(member)
        return tuple(sorted(addresses, key=lambda address: self._rank(member, address)))

    def _choose(self, member: Member) -> Path:
        path = self._path(member)
        path.address = min(member.addresses, key=lambda address: self._rank(member, address))
        path.version = self._version
        return path

    def _path(self, member: Member) -> Path:
        path = member.path
        if path is None:
            path = member.path = Path()
        if path.of is not member.addresses:
            path.keep(member.addresses)
        return path

    def _rank(self, member: Member, address: Address) -> tuple[int, bool, float]:
        """Return how good an address is, the lower the better; equal ones are in the owner's order.

        That is its class; of those that work, whether it is another one than now; when it failed.
        """
        path = member.path
        assert path is not None
        failed = path.failed.get(address, -inf)
        family = self._families[":" in address[0]]
        if path.works(address):
            kind = _DOUBTED if family.broken else _WORKS
        elif failed > -inf:
            kind = _RECOVERED if family.answered > failed and not family.broken else _FAILED
        elif family.broken or not self._has_family(address):
            kind = _DOUBTED
        else:
            kind = _HEARD if address == member.source else _UNTRIED
        return kind, kind != _WORKS or address != path.address, failed

    def _has_family(self, address: Address) -> bool:
        """Return whether this node announces an address of that family, as its socket has it."""
        return any((":" in host) == (":" in address[0]) for host, _ in self._local.own.addresses)

    # -- measuring -------------------------------------------------------------------------

    def answered(self, member: Member, address: Address, silent: tuple[Address, ...]) -> None:
        """Take note that a question to an address was answered; others to ``silent`` were not."""
        for other in silent:
            self.failed(member, other)
        self._fares(address, well=True)
        path = member.path
        if path is None:
            return
        path.answered[address] = self._local.now
        if path.address != address:
            path.version = -1
        self._found(member, path)

    def failed(self, member: Member, address: Address) -> None:
        """Take note that a question to an address was not answered by a member that lives.

        Or that it could not even be sent.
        """
        self._fares(address, well=False)
        path = self._path(member)
        path.failed[address] = self._local.now
        path.version = -1

    def unreached(self, member: Member, silent: tuple[Address, ...]) -> bool:
        """Take note that a helper reached a member that answered at none of its addresses.

        Returns whether the member should be asked again, to be sure [P71].
        """
        for address in silent:
            self.failed(member, address)
        path = self._path(member)
        path.unreached += 1
        if path.unreached < _SURE:
            return True
        if not path.lost:
            path.lost = True
            if len(self.lost) >= _LOST:
                del self.lost[next(iter(self.lost))]
            self.lost[member.key] = None
            self._say(member, PathFault.NO_PATH, active=True)
        return False

    def passes_over(self, member: Member) -> bool:
        """Return whether the turn of a member without a path is left to those that have one."""
        path = member.path
        if path is None or not path.lost:
            return False
        path.turns += 1
        return path.turns % _TURNS != 0

    def _found(self, member: Member, path: Path) -> None:
        path.unreached = 0
        if path.lost:
            path.lost = False
            self.lost.pop(member.key, None)
            self._say(member, PathFault.NO_PATH, active=False)

    def _say(self, member: Member, fault: PathFault, *, active: bool) -> None:
        local = self._local
        kind = EvidenceKind.NO_PATH if active else EvidenceKind.PATH_FOUND
        where = member.addresses if active else (self.to(member),)
        shown = ", ".join(format_address(address) for address in where)
        member.note(local.now, kind, local.own.name, address=shown)
        local.events.append(events.PathTrouble(local.now, member.name, fault, active, where, 0, 0))

    def troubles(self) -> tuple[PathView, ...]:
        """Return what is wrong with the paths to members that live, as this node sees them."""
        found: list[PathView] = []
        for member in self._local.table.peers.values():
            path, source = member.path, member.source
            if path is None:
                continue
            if path.lost:
                found.append(PathView(member.name, PathFault.NO_PATH, member.addresses))
            if path.sources and source is not None:
                found.append(PathView(member.name, PathFault.SOURCE, (source,)))
        return (*found, *self._small())

    def count_small(self) -> int:
        """Return the number of paths to live members on which what is large is lost."""
        return sum(1 for _ in self._small())

    def _small(self) -> Iterator[PathView]:
        sizes, peers = self.sizes, self._local.table.peers
        for address, small in sizes.small.items():
            member = self._local.table.by_name.get(small.name)
            if small.told and member is not None and member.key in peers:
                loses = sizes.lost_by(small)
                yield PathView(member.name, PathFault.SIZE, (address,), small.carries, loses)

    def heard(self, member: Member) -> None:
        """Take note that a member sends from another address than before."""
        path = member.path
        if path is not None:
            path.version = -1
        if not member.complete:
            return
        if member.source not in member.addresses:
            self._differs(member)
        elif path is not None and path.sources:
            path.differed = self._local.now

    def _differs(self, member: Member) -> None:
        """Tell that a member sends from elsewhere: each IP address once, while it lasts [P71].

        Where a translator rewrites ports, they change with each flow: 30 to 60 lines in 40 s.
        """
        local, source = self._local, member.source
        assert source is not None
        path = self._path(member)
        path.differed = local.now
        if source[0] in path.sources or len(path.sources) >= _SOURCES:
            return
        if not path.sources:
            local.timers.at(local.now + _AGREES_FOR, self._review, member)
        path.sources = (*path.sources, source[0])
        shown = format_address(source)
        member.note(local.now, EvidenceKind.SOURCE_DIFFERS, member.name, address=shown)
        local.events.append(
            events.SourceDiffers(local.now, member.name, source, member.addresses, active=True)
        )

    def _review(self, member: Member) -> None:
        """Take it back once the member has sent from an address of its record only, for a while."""
        local, path, source = self._local, member.path, member.source
        if path is None or source is None or local.table.by_key.get(member.key) is not member:
            return
        over = path.differed + _AGREES_FOR
        if source not in member.addresses or local.now < over:
            local.timers.at(max(over, local.now + 1.0), self._review, member)
            return
        path.sources = ()
        shown = format_address(source)
        member.note(local.now, EvidenceKind.SOURCE_AGREES, member.name, address=shown)
        local.events.append(
            events.SourceDiffers(local.now, member.name, source, member.addresses, active=False)
        )

    def _fares(self, address: Address, *, well: bool) -> None:
        family = self._families[":" in address[0]]
        was = family.broken
        if well:
            family.failures = 0
            family.answered = self._local.now
        else:
            family.failures += 1
        if was != family.broken:
            self._version += 1
