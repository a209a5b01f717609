"""Faults of this node or its machine: reported once, shown while they last, and taken back.

Each fault has a code, for metrics and programs, and words for people.
"""

from __future__ import annotations

import logging

from gossipmm.core.values.events import (
    Event,
    Isolated,
    NotAdmitted,
    RotationUnordered,
    SelfSuspected,
    TableFull,
)
from gossipmm.text.events import as_line

__all__ = ("CODES", "Faults")

#: Every code: an announced address that the machine no longer has; no datagram leaves the machine;
#: others suspect this node again and again; the state file, or the file of keys, cannot be written;
#: no path leads to a member that others reach; the table has no room for newcomers; others have
#: none for this node; members tell of a rotation of keys that was not ordered; it prefers its own
#: zone, and has none, or near hosts, and keeps no coordinate; somebody uses a name with another
#: key, said two things, or is refused here as unsigned; this node's own certificate ends soon.
CODES = (
    "address_gone",
    "sends_fail",
    "suspected",
    "state_file",
    "keyring",
    "no_path",
    "table_full",
    "not_admitted",
    "rotation_unordered",
    "no_zone",
    "no_distances",
    "identity",
    "certificate",
)
#: What the core says of this node -> its code.
_EVENTS = {
    SelfSuspected: "suspected",
    TableFull: "table_full",
    NotAdmitted: "not_admitted",
    RotationUnordered: "rotation_unordered",
}

_log = logging.getLogger(__name__)


class Faults:
    """The faults of one agent."""

    def __init__(self) -> None:
        self._words: dict[str, str] = {}
        #: The core holds that this node may be the one cut off.
        self.alarmed = False

    def set(self, code: str, words: str, *, log: bool = True) -> None:
        """Take a fault, or other words for one; ``log`` is False if it is logged elsewhere."""
        assert code in CODES
        if self._words.get(code) != words:
            self._words[code] = words
            if log:
                _log.warning("%s", words)

    def clear(self, code: str, words: str = "") -> None:
        """Take a fault back, and say so in ``words``; nothing if there was none."""
        if self._words.pop(code, None) is not None and words:
            _log.info("%s", words)

    def tell(self, event: Event) -> None:
        """Take an event of the core, which is logged as all events are."""
        if isinstance(event, Isolated):
            self.alarmed = event.active
        if isinstance(event, (SelfSuspected, TableFull, NotAdmitted, RotationUnordered)):
            code = _EVENTS[type(event)]
            if event.active:
                self.set(code, as_line(event, ""), log=False)
            else:
                self.clear(code)

    def now(self) -> dict[str, str]:
        """Return the present faults: code -> words."""
        return dict(self._words)
