"""What the literature predicts, and what the cores do.

* Eager push once with fanout f and loss p misses a share s = exp(-f (1-p)(1-s)) (the giant
  component of a random digraph; Kermarrec, Massoulie, Ganesh 2003).
* Push-pull in rounds with fanout f and loss p informs all of N after about
  ln N / ln(1 + f[(1-p) + (1-p)^2]) + ln N / (f[(1-p) - ln(1 - (1-p)^2)]) rounds (after Karp et
  al. 2000): growth first, then the shrinking of the rest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from gossipmm.mechanisms import Mechanism
from gossipmm_sim.runs.run import Run
from gossipmm_sim.runs.scenario import Scenario

__all__ = ("Curve", "curve", "missed_share", "push_pull_rounds")

#: Seconds after the push at which the share that it missed is read: far above the hops of a LAN,
#: far below the next exchange.
PUSHED = 0.1


def missed_share(fanout: float, loss: float = 0.0) -> float:
    """Share of hosts that one eager push misses."""
    share = math.exp(-fanout * (1 - loss))
    for _ in range(200):
        share = math.exp(-fanout * (1 - loss) * (1 - share))
    return share


def push_pull_rounds(nodes: int, fanout: float = 1.0, loss: float = 0.0) -> float:
    """Rounds until push-pull has informed all, without the constant."""
    pass_ = 1 - loss
    growth = math.log(nodes) / math.log(1 + fanout * (pass_ + pass_**2))
    rest = fanout * (pass_ - math.log(1 - pass_**2)) if loss else math.inf
    return growth + math.log(nodes) / rest


@dataclass(frozen=True, slots=True)
class Curve:
    """How one item spread: seconds at which each host knew it, over several registrations."""

    nodes: int
    fanout: int
    loss: float
    second_push: bool
    items: int
    #: Sorted seconds from registration to knowledge, all items together; never: not in it.
    seen: tuple[float, ...]

    def share_by(self, seconds: float) -> float:
        """Share of (item, host) pairs known by then."""
        known = sum(1 for at in self.seen if at <= seconds)
        return known / (self.items * (self.nodes - 1))

    def until_share(self, share: float) -> float:
        """Seconds until that share of pairs was known; inf when it never was."""
        place = math.ceil(share * self.items * (self.nodes - 1)) - 1
        return self.seen[place] if place < len(self.seen) else math.inf

    def as_dict(self) -> dict[str, Any]:
        """Return theory and measurement side by side."""
        return {
            "nodes": self.nodes,
            "fanout": self.fanout,
            "loss": self.loss,
            "second_push": self.second_push,
            "missed_by_push_theory": round(missed_share(self.fanout, self.loss), 5),
            "missed_by_push_measured": round(1 - self.share_by(PUSHED), 5),
            "rounds_theory": round(push_pull_rounds(self.nodes, 1, self.loss), 2),
            "p50_ms": _ms(self.until_share(0.5)),
            "p99_ms": _ms(self.until_share(0.99)),
            "all_ms": _ms(self.until_share(1.0)),
        }


def _ms(seconds: float) -> float | None:
    return round(1000 * seconds, 2) if math.isfinite(seconds) else None


def curve(
    nodes: int, *, fanout: int = 4, loss: float = 0.0, second_push: bool = False, seed: int = 0
) -> Curve:
    """Measure it: every tenth of a second some host registers something, for four seconds."""
    items = 40
    scenario = Scenario(
        name="theory",
        nodes=nodes,
        warmup=8.0,
        duration=8.0,
        faults=tuple(
            [f"loss p={loss}"] * (loss > 0)
            + [
                f"register at={1 + place * 0.1:.1f} on={place % nodes} topic=item{place}"
                for place in range(items)
            ]
        ),
        config={
            "fanout": fanout,
            "without": frozenset() if second_push else frozenset({Mechanism.SECOND_PUSH}),
        },
    )
    run = Run(scenario, seed)
    run.execute()
    seen = sorted(at for news in run.tracker.news for at in news.seen)
    return Curve(nodes, fanout, loss, second_push, items, tuple(seen))
