"""Swarms on the network as it is: two families, addresses that change, paths that differ.

The same idea as ``swarm``, with a menu of its own beside some faults of the plain one, and draws of
its own: what ``swarm`` draws from a seed stays as it is. Every cluster has a layout of sockets;
whoever all join by has both families, unless all have one. What a fault takes away it gives back,
but for a path's size and a translator, which may last: a cluster has to live with them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Final

from gossipmm_sim.engine.streams import child_seed
from gossipmm_sim.runs.scenario import Scenario
from gossipmm_sim.search.swarm import ACTING, CALM, MENU, SEEDS, swarm

__all__ = ("SWARMS", "swarm_paths")

#: Share of the kinds of this menu, and of the plain one, that a seed draws.
_OWN: Final = 0.3
_PLAIN: Final = 0.08
#: Faults of the plain menu that say nothing new here, or end what these need.
_LEFT_OUT: Final = frozenset(("takeover", "inbox", "corrupt"))


def swarm_paths(seed: int, *, nodes: int = 10) -> Scenario:
    """Draw a scenario of about 60 virtual seconds from a seed."""
    stream = Random(child_seed(seed, "swarm_paths"))
    seeds = stream.choice((1, 2, 3))
    faults = _layout(stream, nodes, seeds)
    kinds = [kind for kind in _MENU if stream.random() < _OWN] or [stream.choice(list(_MENU))]
    faults += [text for kind in kinds for text in _MENU[kind](stream, nodes)]
    plain = [kind for kind in MENU if kind not in _LEFT_OUT and stream.random() < _PLAIN]
    faults += [text for kind in plain for text in MENU[kind](stream, nodes)]
    moved = any(text.startswith("readdress") or "new_address=true" in text for text in faults)
    calm = CALM + (SEEDS if moved else 0.0)
    return Scenario(
        name="swarm_paths",
        family="swarm",
        doc=f"drawn from seed {seed}",
        nodes=nodes,
        seeds=min(seeds, nodes),
        boot=stream.choice((0.0, 0.0, 1.0, 3.0)),
        warmup=5.0,
        duration=ACTING + calm,
        faults=tuple(faults),
        checks=("kept", f"converged within={calm - 1:g}"),
    )


def _layout(s: Random, n: int, seeds: int) -> list[str]:
    """Choose what hosts are bound to."""
    kind = s.choice(("plain", "both", "mixed", "mixed", "several"))
    if kind == "plain":
        return []
    if kind == "several":
        return [f"socket on=all bind=any4 v4={s.randint(2, 3)}"]
    faults = ["socket on=all bind=any"]
    others = list(range(seeds, n))
    if kind == "mixed" and others:
        chosen = sorted(s.sample(others, s.randint(1, len(others))))
        # Not v4: what is bound to one address cannot follow when that changes for good.
        for bind in ("any4", "v6"):
            some = [host for host in chosen if s.random() < 0.6]
            chosen = [host for host in chosen if host not in some]
            if some:
                faults.append(f"socket on={_listed(some)} bind={bind}")
    return faults


def _listed(hosts: list[int]) -> str:
    return ",".join(map(str, hosts))


def _some(s: Random, n: int) -> str:
    return _listed(sorted(s.sample(range(n), s.randint(1, max(1, n // 3)))))


def _window(s: Random, length: float = ACTING) -> str:
    begin = s.uniform(0.0, 20.0)
    return f"at={begin:.3f} until={s.uniform(begin, min(begin + length, ACTING)):.3f}"


def _lasting(s: Random) -> str:
    """Choose a window, or from before the first boot to the end."""
    return s.choice((_window(s), "early=true"))


def _readdress(s: Random, n: int) -> list[str]:
    gap = s.choice((0, 0, f"{s.uniform(0.1, 5):.2f}"))
    return [f"readdress at={s.uniform(0, 20):.3f} on={_some(s, n)} gap={gap} spread=2"]


def _lose_address(s: Random, n: int) -> list[str]:
    back = f"{s.uniform(0.5, 8):.2f}"
    return [f"lose_address at={s.uniform(0, 20):.3f} on={s.randrange(n)} back={back}"]


def _add_address(s: Random, n: int) -> list[str]:
    family = s.choice(("v4", "v6"))
    return [f"add_address at={s.uniform(0, 20):.3f} on={_some(s, n)} family={family}"]


def _family(s: Random, n: int) -> list[str]:
    """Let a family break: everywhere, or around some hosts."""
    where = s.choice(("", f" on={_some(s, n)}"))
    return [f"cut {_window(s, 15)} via={s.choice(('v4', 'v6', 'v6'))}{where}"]


def _one_path(s: Random, n: int) -> list[str]:
    """Let the paths to one of several addresses be bad, in one direction or both."""
    via, way = s.choice(("v4", "v6", "0", "1")), s.choice(("both", "in", "out"))
    where = f"on={_some(s, n)} via={via} way={way}"
    return [
        s.choice(
            (
                f"loss {_window(s)} p={s.uniform(0.1, 0.9):.2f} {where}",
                f"latency {_window(s)} extra={s.uniform(0.01, 0.1):.3f} {where}",
                f"cut {_window(s)} {where}",
            )
        )
    ]


def _no_route(s: Random, n: int) -> list[str]:
    return [f"no_route {_window(s, 15)} on={s.randrange(n)} family={s.choice(('v4', 'v6'))}"]


def _small_path(s: Random, n: int) -> list[str]:
    tells = s.choice(("", "", " tells=error", " tells=fragments"))
    payload = s.choice((600, 1000, 1100))
    return [f"mtu {_lasting(s)} on={_some(s, n)} payload={payload}{tells}"]


def _translator(s: Random, n: int) -> list[str]:
    ports = s.choice(("per_destination", "alternating", "cone"))
    return [f"nat {_lasting(s)} on={_some(s, n)} ports={ports} forget={s.choice((2, 10, 30))}"]


def _hidden(s: Random, n: int) -> list[str]:
    """Hide a host behind a translator that lets nobody in unasked."""
    return [f"nat {_window(s, 10)} on={s.randrange(n)} published=false forget={s.choice((2, 30))}"]


def _warm(s: Random, n: int) -> list[str]:
    return [f"warm service={s.choice((0, 0, 0.003))}"]


def _clone(s: Random, n: int) -> list[str]:
    return [f"clone {_window(s, 12)} on={s.randrange(n)} how={s.choice(('crash', 'leave'))}"]


def _crash_loop(s: Random, n: int) -> list[str]:
    up, down = s.uniform(0.5, 5), s.uniform(0.1, 3)
    begin = s.uniform(0.0, 15.0)
    until = s.uniform(begin, ACTING - down)
    return [
        f"crash_loop at={begin:.3f} until={until:.3f} on={_some(s, n)} up={up:.2f} down={down:.2f}"
    ]


def _visitors(s: Random, n: int) -> list[str]:
    how, count = s.choice(("crash", "leave")), s.randint(1, 8)
    return [
        f"visitors at={s.uniform(0, 15):.3f} count={count} life={s.uniform(0.5, 5):.2f} how={how}"
    ]


def _rack(s: Random, n: int) -> list[str]:
    """Restart all hosts, nearly at once."""
    return [f"restart at={s.uniform(0, 20):.3f} on=all spread={s.choice((0, 0.3, 2))} down=1"]


_MENU: dict[str, Callable[[Random, int], list[str]]] = {
    "readdress": _readdress,
    "lose_address": _lose_address,
    "add_address": _add_address,
    "family": _family,
    "one_path": _one_path,
    "no_route": _no_route,
    "small_path": _small_path,
    "translator": _translator,
    "hidden": _hidden,
    "warm": _warm,
    "clone": _clone,
    "crash_loop": _crash_loop,
    "visitors": _visitors,
    "rack": _rack,
}

#: Scenarios that are drawn from a seed, by name.
SWARMS: Final[Mapping[str, Callable[..., Scenario]]] = {"swarm": swarm, "swarm_paths": swarm_paths}
