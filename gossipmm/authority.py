"""The folder of an authority: its key, its certificates, and the nodes that it revoked.

    authority.pem      its key, mode 0600: whoever has it can speak in every name
    ledger.json        what was issued, and the list of revocations; mode 0600
    certificates/      the certificates, one file each: not secret
    revocations.pem    the list of revocations, once there is one: not secret

Issue numbers are minutes since 1970, or one above the last: they rise although a ledger is lost.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from gossipmm import secretfile
from gossipmm.core.identity.certificates import Certificate, Wanted, encode_certificate
from gossipmm.core.identity.keys import Ed25519Signer
from gossipmm.core.identity.revocations import encode_revocations
from gossipmm.core.values.rotation_order import RotationOrder, order_of_text
from gossipmm.errors import IdentityError
from gossipmm.identityfile import CERTIFICATE, REVOCATIONS, create_key, dump, load_key
from gossipmm.names import why_not_name
from gossipmm.publickeys import parse_public_key, public_key_text
from gossipmm.secretfile import Kind

__all__ = ("Authority", "Issued", "Request")

_LEDGER = Kind("the ledger", "gossipmm ca init", IdentityError, most=64 * 1024 * 1024)
_PUBLIC = Kind("the file", "gossipmm ca issue", IdentityError)
_DAY: Final = 86_400
#: Seconds that a certificate counts before it was issued: of a host whose clock is behind.
_BEFORE: Final = 300


class Request(NamedTuple):
    """What is to be certified.

    None is what the last certificate of that name has; without one, any topic or network.
    """

    name: str
    public: bytes | None
    days: float
    topics: tuple[str, ...] | None = None
    networks: tuple[str, ...] | None = None


class Issued(NamedTuple):
    """One certificate that was issued, as the ledger has it."""

    name: str
    issue: int
    public: bytes
    not_before: int
    expires: int
    topics: tuple[str, ...] | None
    networks: tuple[str, ...] | None

    def row(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {**self._asdict(), "public": public_key_text(self.public)}


class Authority:
    """The authority of one folder. Every method raises IdentityError, with what to do."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._key = os.path.join(folder, "authority.pem")
        self._ledger = os.path.join(folder, "ledger.json")
        self.revocations_file = os.path.join(folder, "revocations.pem")

    def init(self, cluster: str) -> bytes:
        """Make the folder, and a key in it; return the public one. Nothing is overwritten."""
        if reason := why_not_name("cluster name", cluster):
            raise IdentityError(reason)
        for path in (self._key, self._ledger):
            if os.path.lexists(path):
                raise IdentityError(
                    f"{path}: is there already, and what it signed may be in use: gossipmm ca show "
                    f"--folder {self.folder} tells; for another authority name another folder"
                )
        try:
            os.makedirs(self.folder, mode=0o700, exist_ok=True)
        except OSError as exc:
            raise IdentityError(f"{self.folder}: cannot be made: {exc.strerror}") from None
        public = create_key(self._key).public
        state = {"cluster": cluster, "revocations": {"number": 0, "least": {}}, "issued": []}
        secretfile.create(self._ledger, _text(state), _LEDGER)
        return public

    # -- what there is -------------------------------------------------------------------------

    def signer(self) -> Ed25519Signer:
        """Read its key."""
        return load_key(self._key, made_by="gossipmm ca init")

    @property
    def cluster(self) -> str:
        """The cluster that it issues for."""
        return str(self._state()["cluster"])

    def issued(self) -> list[Issued]:
        """Return the last certificate of each name, by name."""
        last: dict[str, Issued] = {}
        for row in self._state()["issued"]:
            one = _issued(row)
            if one.name not in last or one.issue > last[one.name].issue:
                last[one.name] = one
        return [last[name] for name in sorted(last)]

    def revoked(self) -> dict[str, int]:
        """Return the names in the list of revocations: the least issue number that counts."""
        return dict(self._state()["revocations"]["least"])

    def path_of(self, name: str) -> str:
        """Return where the certificate of a name is put."""
        return os.path.join(self.folder, "certificates", f"{quote(name, safe='')}.pem")

    # -- changes -------------------------------------------------------------------------------

    def issue(self, request: Request, wall: float, out: str = "") -> tuple[Certificate, str]:
        """Certify the key of a name; return the certificate, and the file that has it."""
        with self._locked() as state:
            last = {one.name: one for one in self.issued()}.get(request.name)
            public = request.public or (last and last.public)
            if not public:
                raise IdentityError(
                    f"{request.name}: no certificate of it was issued yet, so its key is not known "
                    "here: give --key and what gossipmm identity show prints on that host"
                )
            issue = max(int(wall // 60), last.issue + 1 if last else 1)
            issue = max(issue, state["revocations"]["least"].get(request.name, 0))
            begins = int(wall) - _BEFORE
            wanted = Wanted(
                request.name,
                state["cluster"],
                public,
                issue,
                begins,
                int(wall + request.days * _DAY),
                _kept(request.topics, last.topics if last else None),
                _kept(request.networks, last.networks if last else None),
            )
            made = encode_certificate(self.signer(), wanted)
            row = Issued(made.name, issue, public, begins, made.expires, made.topics, None).row()
            row["networks"] = None if made.networks is None else list(map(str, made.networks))
            # Those of a name that have ended are not needed: the last one has the highest number.
            kept = [old for old in state["issued"] if old["name"] != made.name]
            ends = [old for old in state["issued"] if old["name"] == made.name]
            kept += [old for old in ends if old["expires"] > wall]
            state["issued"] = [*kept, row]
            secretfile.replace(self._ledger, _text(state), _LEDGER)
            path = out or self.path_of(made.name)
            _publish(path, dump(CERTIFICATE, made.raw))
        return made, path

    def revoke(self, names: Iterable[str], wall: float) -> tuple[int, str]:
        """Revoke all certificates that these names have; return the list's number and file.

        Names whose revoked certificates have ended since leave the list.
        """
        with self._locked() as state:
            return self._publish_list(state, names, wall, _order(state))

    def order(self, order: RotationOrder, wall: float) -> tuple[int, str]:
        """Order a rotation of the gossip key, instead of the last one; return as ``revoke``."""
        with self._locked() as state:
            last = _order(state)
            if last is not None and order[:2] < last[:2]:
                raise IdentityError(
                    f"{order.text()}: is of an earlier rotation than the last that was ordered, "
                    f"{last.text()}: take the word that an agent gives now (gossipmm keys rotate)"
                )
            return self._publish_list(state, (), wall, order)

    def ordered(self) -> RotationOrder | None:
        """Return the rotation of keys that was ordered last; None: none was."""
        return _order(self._state())

    def _publish_list(
        self,
        state: dict[str, Any],
        names: Iterable[str],
        wall: float,
        order: RotationOrder | None,
    ) -> tuple[int, str]:
        """Write the next list: the names revoked so far and ``names``, and the order."""
        least = dict(state["revocations"]["least"])
        rows = [_issued(row) for row in state["issued"]]
        for name in names:
            mine = [one.issue for one in rows if one.name == name]
            if not mine:
                raise IdentityError(
                    f"{name}: no certificate of it was issued here: gossipmm ca show lists all"
                )
            least[name] = max(mine) + 1
        ends: dict[str, float] = {}
        for one in rows:
            if one.issue < least.get(one.name, 0):
                # Those that hold it keep it for a day and some minutes after its end.
                ends[one.name] = max(ends.get(one.name, 0), one.expires + 2 * _DAY)
        least = {name: least[name] for name in least if ends.get(name, 0) > wall}
        number = state["revocations"]["number"] + 1
        made = encode_revocations(
            self.signer(), cluster=state["cluster"], number=number, least=least, order=order
        )
        state["revocations"] = {"number": number, "least": least}
        if order is not None:
            state["rotation"] = order.text()
        secretfile.replace(self._ledger, _text(state), _LEDGER)
        _publish(self.revocations_file, dump(REVOCATIONS, made.raw))
        return number, self.revocations_file

    # -- the ledger ----------------------------------------------------------------------------

    @contextmanager
    def _locked(self) -> Iterator[dict[str, Any]]:
        """Give the ledger, which nobody else changes meanwhile."""
        import fcntl  # not on every system, and only here

        self.signer()  # which says best what is wrong with the folder
        with open(self._key, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield self._state()

    def _state(self) -> dict[str, Any]:
        if not os.path.lexists(self._key):
            raise IdentityError(
                f"{self._key}: is not there: gossipmm ca init --cluster NAME --folder "
                f"{self.folder} makes an authority; --folder names another one's"
            )
        data = secretfile.read(self._ledger, _LEDGER)
        try:
            state: dict[str, Any] = json.loads(data)
            least = state["revocations"]["least"]
            if not isinstance(state["cluster"], str) or not all(map(_issued, state["issued"])):
                raise ValueError
            if not all(isinstance(each, int) for each in (*least.values(), _number(state))):
                raise ValueError
            _order(state)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise IdentityError(
                f"{self._ledger}: is damaged: put a copy of it back; without one, write "
                '{"cluster": "NAME", "revocations": {"number": N, "least": {}}, "issued": []}, '
                "with N above the number of every list that was given out"
            ) from None
        return state


def _kept(wanted: tuple[str, ...] | None, last: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Return what a certificate shall say: a renewal takes nothing away that was not named."""
    return last if wanted is None else wanted


def _order(state: dict[str, Any]) -> RotationOrder | None:
    """Read the rotation that was ordered last. Raises ValueError or AttributeError."""
    word = state.get("rotation")
    return None if word is None else order_of_text(word)


def _number(state: dict[str, Any]) -> object:
    return state["revocations"]["number"]


def _issued(row: dict[str, Any]) -> Issued:
    """Read a row of the ledger. Raises one of several errors for another one."""
    topics, networks = row["topics"], row["networks"]
    return Issued(
        str(row["name"]),
        int(row["issue"]),
        parse_public_key(row["public"]),
        int(row["not_before"]),
        int(row["expires"]),
        None if topics is None else tuple(topics),
        None if networks is None else tuple(networks),
    )


def _text(state: dict[str, Any]) -> str:
    return json.dumps(state, indent=1) + "\n"


def _publish(path: str, text: str) -> None:
    """Write a file that everybody may read."""
    try:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    except OSError as exc:
        raise IdentityError(f"{path}: cannot be written: {exc.strerror}") from None
    secretfile.replace(path, text, _PUBLIC)
    os.chmod(path, 0o644)
