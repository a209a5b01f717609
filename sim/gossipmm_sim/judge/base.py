"""The base of all checks: a frozen value that prints and parses, and returns a breach or None."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from gossipmm_sim.faults import Context
from gossipmm_sim.values import Printed, parse

if TYPE_CHECKING:
    from gossipmm_sim.engine.host import Host
    from gossipmm_sim.judge.tracker import Tracker
    from gossipmm_sim.judge.violations import Breach

__all__ = ("CHECKS", "Check", "Judged", "check", "lasts_too_long", "parse_check")

#: Kinds of checks by the first word of their text.
CHECKS: dict[str, type[Check]] = {}
C = TypeVar("C", bound="type[Check]")
K = TypeVar("K")


class Judged(Context, Protocol):
    """What a check sees of the run that it judges."""

    tracker: Tracker
    figures: dict[str, Any]
    #: Seconds until all views were complete after the boot; None: not by the end of the warm-up.
    joined_after: float | None
    #: Seconds until all views agreed after the last fault; None: not at the end of the run.
    converged_after: float | None
    #: First difference between the live tables, or between one and the owners' records.
    difference: Breach | None
    #: View of each host when the warm-up ended, by label.
    first_fingerprints: dict[str, int]
    #: Highest heartbeat seen: (host, boot, member, generation) -> heartbeat.
    heartbeats: dict[tuple[int, int, str, int], int]
    #: Most bytes and datagrams a second that one host sent in any ten seconds, and its label.
    peak_bytes: tuple[float, str]
    peak_datagrams: tuple[float, str]

    def looked_at(self) -> list[Host]:
        """Return the hosts whose tables this sample examines."""


def lasts_too_long(
    since: dict[K, float], what: K, now: float, within: float, *, wrong: bool
) -> float | None:
    """Return for how many seconds something has been wrong, once that is more than ``within``.

    ``since`` remembers when each thing began to be, from one sample to the next.
    """
    if not wrong:
        since.pop(what, None)
        return None
    lasted = now - since.setdefault(what, now)
    return lasted if lasted > within else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Check(Printed):
    """A promise."""

    def sample(self, run: Judged) -> Breach | None:
        """Examine a running cluster, every half second, until the first breach."""
        return None

    def judge(self, run: Judged) -> Breach | None:
        """Examine a finished run."""
        return None


def check(kind: str) -> Callable[[C], C]:
    """Class decorator: this class is what ``kind ...`` parses to."""

    def add(cls: C) -> C:
        CHECKS[kind] = cls
        cls.kind = kind
        return cls

    return add


def parse_check(text: str) -> Check:
    """Read a check; raises UsageError, naming the nearest kind or parameter that exists."""
    return parse(text, CHECKS, "check")
