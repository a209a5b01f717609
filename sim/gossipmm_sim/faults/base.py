"""The base of all faults: a frozen value with a time, which acts on a running cluster.

``at`` counts from the end of the warm-up, in seconds; a fault with a window ends at ``until`` (0:
never). Hosts are chosen by a selector, which is text:

    all  seeds  others (not the seeds)  3  n07  0-9  1,4,7  first:10  last:5  half  rest
    even  odd  random:10  random:10%  random:10#b  and any of them negated: !0-9

``random`` draws from a stream named by its own text: the same text means the same hosts throughout
a run, so ``crash on=random:3`` and ``restart on=random:3`` mean the same three.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from gossipmm_sim.errors import UsageError
from gossipmm_sim.values import Printed

if TYPE_CHECKING:
    from random import Random

    from gossipmm_sim.engine.cluster import Cluster
    from gossipmm_sim.engine.host import Host
    from gossipmm_sim.faults.embedding import Embedding

__all__ = ("FAULTS", "Context", "Fault", "Window", "fault", "select")

#: Kinds of faults by the first word of their text.
FAULTS: dict[str, type[Fault]] = {}
C = TypeVar("C", bound="type[Fault]")


class Context(Protocol):
    """What a fault sees of the run that it acts in."""

    cluster: Cluster
    #: Hosts that were in the scenario from its start; selectors choose among them.
    cast: list[Host]
    #: Virtual time at which the warm-up ended.
    zero: float
    #: Figures that faults leave behind.
    measured: dict[str, float]
    #: How well coordinates embed round trips, by the name of who measured it.
    embeddings: dict[str, Embedding]

    def stream(self, name: str) -> Random:
        """Return the stream of that name; the same object for the same name."""

    def memory(self, key: str, make: Callable[[], Any]) -> Any:
        """Return the state that a fault keeps under its key for the length of the run."""

    def ill(self, host: Host, until: float) -> None:
        """Note that a host is not healthy from now to ``until`` (virtual time; inf: for good)."""

    def gone(self, host: Host, how: str) -> None:
        """Note that a host's process ends now (``how``: crash, leave): others must notice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault(Printed):
    """A fault, or anything else that happens to a cluster at ``at``."""

    at: float = 0.0

    def __post_init__(self) -> None:
        if self.at < 0:
            raise ValueError(f"at={self.at:g} is before the end of the warm-up")

    @property
    def last(self) -> float:
        """Seconds from the end of the warm-up until it no longer acts."""
        return self.at

    def prepare(self, run: Context, key: str) -> None:
        """Arrange what holds from the beginning: called before the first host boots."""

    def plan(self, run: Context, key: str) -> None:
        """Put its action on the clock; ``key`` distinguishes it from the others of the run."""
        run.cluster.clock.at(run.zero + self.at, self._act, run, key)

    def _act(self, run: Context, key: str) -> None:
        self.act(run, key)

    def act(self, run: Context, key: str) -> None:
        """Do it."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Window(Fault):
    """A fault that lasts from ``at`` to ``until`` (0: to the end of the run)."""

    until: float = 0.0

    def __post_init__(self) -> None:
        Fault.__post_init__(self)
        if self.until and self.until < self.at:
            raise ValueError(f"until={self.until:g} is before at={self.at:g}")

    @property
    def last(self) -> float:
        """Seconds from the end of the warm-up until it no longer acts."""
        return self.until or self.at

    def plan(self, run: Context, key: str) -> None:
        """Put begin and end on the clock."""
        run.cluster.clock.at(run.zero + self.at, self._act, run, key)
        if self.until:
            run.cluster.clock.at(run.zero + self.until, self._end, run, key)

    def _end(self, run: Context, key: str) -> None:
        self.end(run, key)

    def end(self, run: Context, key: str) -> None:
        """Stop doing it."""
        raise NotImplementedError

    def over(self, run: Context) -> float:
        """Virtual time at which the window ends; inf when it does not."""
        return run.zero + self.until if self.until else inf


def fault(kind: str) -> Callable[[C], C]:
    """Class decorator: this class is what ``kind ...`` parses to."""

    def add(cls: C) -> C:
        FAULTS[kind] = cls
        cls.kind = kind
        return cls

    return add


def select(run: Context, text: str) -> list[Host]:
    """Return the hosts that a selector chooses, in the order of the cast.

    The same words choose the same hosts all through a run; ``random:3#b`` draws others.

    Raises UsageError when the selector does not parse or matches no host.
    """
    cast = run.cast
    if text.startswith("!"):
        out = {host.index for host in select(run, text[1:])}
        return [host for host in cast if host.index not in out]
    chosen: list[Host] = []
    for part in text.split(","):
        chosen += _part(run, part.strip(), text)
    wanted = {host.index for host in chosen}
    extra = [host for host in chosen if host not in cast]
    return [host for host in cast if host.index in wanted] + extra


def _part(run: Context, part: str, text: str) -> list[Host]:
    cast, count = run.cast, len(run.cast)
    seeds = run.cluster.seeds
    simple: dict[str, Callable[[], list[Host]]] = {
        "all": lambda: cast,
        "none": list,
        "seeds": lambda: list(seeds),
        "others": lambda: [host for host in cast if host not in seeds],
        "half": lambda: cast[: count // 2],
        "rest": lambda: cast[count // 2 :],
        "even": lambda: cast[::2],
        "odd": lambda: cast[1::2],
    }
    if part in simple:
        return list(simple[part]())
    if part in run.cluster.by_label:
        return [run.cluster.by_label[part]]
    head, _, tail = part.partition(":")
    try:
        if head == "first":
            return cast[: _amount(tail, count)]
        if head == "last":
            return cast[max(0, count - _amount(tail, count)) :]
        if head == "random":
            number = _amount(tail.partition("#")[0], count)
            stream = run.stream(f"select/{part}")
            drawn: list[Host] = run.memory(
                f"select/{part}", lambda: stream.sample(cast, min(number, count))
            )
            return drawn
        low, _, high = part.partition("-")
        return [cast[index] for index in range(int(low), int(high or low) + 1)]
    except (ValueError, IndexError):
        raise UsageError(
            f"selector {text!r}: {part!r} chooses no host of {count}; try all, 3, 0-9, first:5,"
            " random:10%, seeds, half, rest, or ! before one"
        ) from None


def _amount(text: str, count: int) -> int:
    if text.endswith("%"):
        return max(1, round(float(text[:-1]) * count / 100))
    return int(text)
