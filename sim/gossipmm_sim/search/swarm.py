"""Swarm testing: each seed draws its own cluster and its own random subset of faults.

Drawing a subset, not all kinds every time, finds what only shows when some other fault is absent
(Groce et al., "Swarm Testing", 2012). The drawn scenario is plain data, so that a failing one can
be printed, repeated and shrunk. What a healthy member is, the tracker knows; the faults here never
hurt all of the cluster by more than its promises cover.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from gossipmm_sim.engine.streams import child_seed
from gossipmm_sim.runs.scenario import Scenario

__all__ = ("ACTING", "CALM", "MENU", "SEEDS", "swarm")

#: Faults act in this many seconds behind the warm-up; then everything must come together.
ACTING = 30.0
CALM = 25.0
#: A host that is not alone resolves its seeds again every 30 s: so long may a seed be lost that
#: moved while no name was resolved, or that is the only one and has nobody but itself to join by.
SEEDS = 32.0


def swarm(seed: int, *, nodes: int = 10) -> Scenario:
    """Draw a scenario of about 60 virtual seconds from a seed."""
    stream = Random(child_seed(seed, "swarm"))
    kinds = [kind for kind in MENU if stream.random() < 0.25] or [stream.choice(list(MENU))]
    faults = [text for kind in kinds for text in MENU[kind](stream, nodes)]
    seeds = stream.choice((1, 2, 3))
    moved = [text for text in faults if "new_address=true" in text]
    lost = "names" in kinds or (seeds == 1 and any(" on=0 " in text for text in moved))
    calm = CALM + (SEEDS if moved and lost else 0.0)
    return Scenario(
        name="swarm",
        family="swarm",
        doc=f"drawn from seed {seed}",
        nodes=nodes,
        seeds=seeds,
        boot=stream.choice((0.0, 0.0, 1.0, 3.0)),
        warmup=5.0,
        duration=ACTING + calm,
        faults=tuple(faults),
        checks=("kept", f"converged within={calm - 1:g}"),
    )


def _when(stream: Random, latest: float = 20.0) -> str:
    return f"at={stream.uniform(0.0, latest):.3f}"


def _window(stream: Random) -> str:
    begin = stream.uniform(0.0, 20.0)
    return f"at={begin:.3f} until={stream.uniform(begin, ACTING):.3f}"


def _one(stream: Random, nodes: int) -> int:
    return stream.randrange(nodes)


def _ended(stream: Random, nodes: int) -> int:
    """Choose one to end for good: never the first, or who comes later has nobody to join by."""
    return stream.randrange(1, nodes)


def _some(stream: Random, nodes: int) -> str:
    count = stream.randint(1, max(1, nodes // 3))
    return ",".join(str(one) for one in sorted(stream.sample(range(nodes), count)))


def _loss(s: Random, n: int) -> list[str]:
    return [f"loss {_window(s)} p={s.choice((0.02, 0.1, 0.2, 0.25))}"]


def _one_loss(s: Random, n: int) -> list[str]:
    way = s.choice(("in", "out", "both"))
    return [f"loss {_window(s)} p={s.uniform(0.3, 1.0):.2f} on={_some(s, n)} way={way}"]


def _burst(s: Random, n: int) -> list[str]:
    return [f"burst_loss {_window(s)} enter=0.02 leave=0.2 inside=0.9"]


def _latency(s: Random, n: int) -> list[str]:
    return [f"latency {_window(s)} dist={s.choice(('metro', 'wan'))} on={_some(s, n)}"]


def _duplicate(s: Random, n: int) -> list[str]:
    return [f"duplicate {_window(s)} p={s.uniform(0.05, 0.5):.2f}"]


def _reorder(s: Random, n: int) -> list[str]:
    return [f"reorder {_window(s)} p={s.uniform(0.05, 0.5):.2f} by={s.uniform(0.01, 0.3):.3f}"]


def _replay(s: Random, n: int) -> list[str]:
    begin = s.uniform(0.0, 10.0)
    until = s.uniform(begin, 20.0)
    return [f"replay at={begin:.3f} until={until:.3f} p={s.uniform(0.02, 0.3):.2f} by=10"]


def _corrupt(s: Random, n: int) -> list[str]:
    return [f"corrupt {_window(s)} p={s.uniform(0.005, 0.05):.3f}"]


def _cut(s: Random, n: int) -> list[str]:
    way = s.choice(("both", "both", "out", "in"))
    return [f"cut {_window(s)} on={_some(s, n)} way={way}"]


def _halves(s: Random, n: int) -> list[str]:
    return [f"cut {_window(s)} on=half to=rest"]


def _flip_flop(s: Random, n: int) -> list[str]:
    return [f"flip_flop {_window(s)} on={_some(s, n)} off={s.uniform(0.5, 6):.2f} on_for=3"]


def _crash(s: Random, n: int) -> list[str]:
    hosts = sorted({_ended(s, n) for _ in range(s.randint(1, max(1, n // 3)))})
    return [f"crash {_when(s)} on={','.join(map(str, hosts))} spread={s.choice((0, 2, 5))}"]


def _crash_restart(s: Random, n: int) -> list[str]:
    host, down = _one(s, n), s.uniform(0.0, 12.0)
    where = s.choice(("", " new_address=true"))
    state = s.choice(("", " lose_state=true", f" wall={s.uniform(-4000, 4000):.0f}"))
    return [f"restart {_when(s, 15.0)} on={host} down={down:.3f}{where}{state}"]


def _forgets(s: Random, n: int) -> list[str]:
    """Restart without the last generation, and with a clock that shows an earlier time."""
    host, down = _one(s, n), s.uniform(0.0, 12.0)
    past = f"lose_state=true wall={-s.uniform(60, 4000):.0f}"
    return [f"restart {_when(s, 15.0)} on={host} down={down:.3f} {past}"]


def _leave(s: Random, n: int) -> list[str]:
    return [f"leave {_when(s)} on={_ended(s, n)}"]


def _pause(s: Random, n: int) -> list[str]:
    length, every = s.uniform(0.2, 6.0), s.choice((0.5, 2.0, 5.0))
    return [f"pause {_window(s)} on={_some(s, n)} length={length:.3f} every={every} phase=random"]


def _block(s: Random, n: int) -> list[str]:
    length, every = s.uniform(0.2, 6.0), s.choice((0.01, 0.5, 2.0))
    return [f"block {_window(s)} on={_some(s, n)} length={length:.3f} every={every}"]


def _slow(s: Random, n: int) -> list[str]:
    return [f"slow {_window(s)} on={_one(s, n)} service={s.uniform(0.002, 0.1):.4f}"]


def _inbox(s: Random, n: int) -> list[str]:
    return [f"inbox {_window(s)} on={_one(s, n)} datagrams=4 service={s.uniform(0.01, 0.1):.3f}"]


def _clock(s: Random, n: int) -> list[str]:
    jump = f"clock_jump {_when(s)} on={_one(s, n)} by={s.uniform(0.5, 100):.2f}"
    return [f"clock_drift on={_one(s, n)} rate={s.choice((0.9, 1.1))}", jump]


def _names(s: Random, n: int) -> list[str]:
    return [f"name_service {_window(s)}"]


def _socket(s: Random, n: int) -> list[str]:
    return [f"socket_errors {_window(s)} on={_one(s, n)} p={s.uniform(0.1, 0.6):.2f}"]


def _spawn(s: Random, n: int) -> list[str]:
    return [f"spawn {_when(s)} count={s.randint(1, 3)} spread={s.choice((0, 3))}"]


def _takeover(s: Random, n: int) -> list[str]:
    host, at = _ended(s, n), s.uniform(0.0, 15.0)
    cluster = s.choice(("", " cluster=other"))
    return [f"crash at={at:.3f} on={host}", f"takeover at={at + 0.5:.3f} on={host}{cluster}"]


def _churn(s: Random, n: int) -> list[str]:
    return [f"churn {_window(s)} rate={s.choice((5, 20))}"]


def _big(s: Random, n: int) -> list[str]:
    return [f"register {_when(s)} on={_one(s, n)} topic=big count={s.choice((20, 100, 300))}"]


def _drain(s: Random, n: int) -> list[str]:
    return [f"drain {_window(s)} on={_some(s, n)}"]


#: Kinds of faults by name, each as text drawn from a stream for so many hosts.
MENU: dict[str, Callable[[Random, int], list[str]]] = {
    "loss": _loss,
    "one_loss": _one_loss,
    "burst": _burst,
    "latency": _latency,
    "duplicate": _duplicate,
    "reorder": _reorder,
    "replay": _replay,
    "cut": _cut,
    "halves": _halves,
    "flip_flop": _flip_flop,
    "crash": _crash,
    "crash_restart": _crash_restart,
    "forgets": _forgets,
    "leave": _leave,
    "pause": _pause,
    "block": _block,
    "slow": _slow,
    "inbox": _inbox,
    "clock": _clock,
    "names": _names,
    "socket": _socket,
    "spawn": _spawn,
    "takeover": _takeover,
    "churn": _churn,
    "big": _big,
    "drain": _drain,
}
