"""What the demo does, step by step, and how it says so."""

from __future__ import annotations

import json
import secrets
import signal
import sys
from collections.abc import Iterable
from typing import Any

import trio

from gossipmm.cli.demo_children import Child, Children, TroubleError, now

__all__ = ("tell",)

_HOSTS: dict[str, tuple[str, ...]] = {
    "host-a": ("compute",),
    "host-b": ("compute", "scheduler"),
    "host-c": ("compute",),
    "host-d": ("scheduler",),
    "host-e": ("volume",),
}
_VICTIM = "host-b"
#: The agent that is asked: not the one that dies.
_WITNESS = "host-e"
_KEYS = ("compute", "compute", "compute", "scheduler", f"compute.{_VICTIM}", "fanout~compute")
#: Seconds that any one step may take; a busy machine needs some of it to start Python.
_PATIENCE = 30.0


class Teller:
    """Prints steps: lines for people, or objects for programs; at once in both cases."""

    def __init__(self, as_json: bool) -> None:
        self._json = as_json
        self._began = now()

    def step(self, kind: str, text: str, **fields: Any) -> None:
        """Say what happened. ``text`` for people, ``kind`` and ``fields`` for programs."""
        elapsed = now() - self._began
        if self._json:
            line = json.dumps({"step": kind, "elapsed": round(elapsed, 3), **fields, "text": text})
        else:
            line = f"{elapsed:7.2f} s  {text}"
        print(line, flush=True)

    def detail(self, text: str) -> None:
        """Say more about a step, to people."""
        if not self._json:
            print(f"{'':11}{text}", flush=True)


async def tell(as_json: bool) -> bool:
    """Run the demo; True when everything went as it should. Always ends all children."""
    teller = Teller(as_json)
    fine = False
    async with trio.open_nursery() as nursery:
        children = Children(nursery, f"demo-{secrets.token_hex(4)}")
        nursery.start_soon(_end_on_signal, nursery.cancel_scope)
        try:
            await Story(teller, children).run()
            fine = True
        except TroubleError as exc:
            teller.step("summary", f"demo FAILED: {exc}", ok=False)
        finally:
            await children.end()
    if not fine and nursery.cancel_scope.cancelled_caught:
        print("gossipmm demo: interrupted; all agents were ended", file=sys.stderr)
    return fine


async def _end_on_signal(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()


class Story:
    """The steps, and the times that the summary needs."""

    def __init__(self, teller: Teller, children: Children) -> None:
        self._teller = teller
        self._children = children
        #: Name -> topics that it registers.
        self._topics = {name: set(topics) for name, topics in _HOSTS.items()}

    async def run(self) -> None:
        """All steps, in order. Raises TroubleError at the first that fails."""
        joined = await self._start()
        await self._ask("the answers, asked of")
        news = await self._register()
        gone = await self._kill()
        await self._ask("the new answers, asked of")
        back = await self._restart()
        await self._ask("the answers now, asked of")
        confirmed = await self._leave()
        self._teller.step(
            "summary",
            f"demo ok: {len(_HOSTS)} agents joined in {_time(joined)}; a registration was known "
            f"to all after {_time(news)}; kill -9 was out of all answers after {_time(gone)}; the "
            f"restart was in all answers after {_time(back)}; {confirmed}",
            ok=True,
            joined=round(joined, 4),
            registration_known_to_all=round(news, 4),
            kill_seen_by_all=round(gone, 4),
            restart_seen_by_all=round(back, 4),
        )

    # -- the steps -------------------------------------------------------------------------

    async def _start(self) -> float:
        self._teller.step(
            "starting", f"starting {len(_HOSTS)} agents, each a process of its own, on 127.0.0.1"
        )
        first, *others = _HOSTS
        await self._started([await self._children.start(first, _HOSTS[first])])
        seed = self._children.living[first].bound
        started = [await self._children.start(name, _HOSTS[name], seed) for name in others]
        await self._started(started)
        began = max(child.began for child in self._all())
        await self._children.until(self._complete, _PATIENCE, "all registrations known to all")
        seconds = max(at for child in self._all() for _, at in child.hosts.values()) - began
        seconds = max(seconds, 0.0)
        self._teller.step(
            "joined",
            f"all {len(_HOSTS)} know all registrations, {_time(seconds)} after the last one began",
            seconds=round(seconds, 4),
        )
        return seconds

    async def _ask(self, title: str) -> None:
        witness = self._children.living[_WITNESS]
        answers = []
        for key in _KEYS:
            answer = await self._children.ask(witness, f"queues {key}")
            hosts = [host for _, host in answer["queues"]]
            answers.append({"key": key, "hosts": hosts, "status": answer["status"]})
        self._teller.step("answers", f"{title} {witness.name}:", of=witness.name, answers=answers)
        for found in answers:
            self._teller.detail(f"  {found['key']:<16} -> {', '.join(found['hosts']) or 'nobody'}")
        self._check_answers(answers)

    async def _register(self) -> float:
        teller = self._children.living["host-d"]
        began = now()
        await self._children.ask(teller, "register volume")
        key = ("volume", "host-d")
        self._topics["host-d"].add("volume")
        await self._children.until(
            lambda: all(key in child.hosts for child in self._all()),
            _PATIENCE,
            "the new registration known to all",
        )
        seconds = max(child.hosts[key][1] for child in self._all()) - began
        self._teller.step(
            "registered",
            f"host-d registered volume while running: known to all after {_time(seconds)}",
            seconds=round(seconds, 4),
        )
        return seconds

    async def _kill(self) -> float:
        victim = self._children.living[_VICTIM]
        pid = victim.process.pid
        self._teller.step(
            "kill", f"kill -9 of {_VICTIM} (process {pid})", name=_VICTIM, process=pid
        )
        at = await self._children.kill(victim)
        lost = [(topic, _VICTIM) for topic in _HOSTS[_VICTIM]]
        survivors = self._all()
        await self._children.until(
            lambda: all(key not in child.hosts for child in survivors for key in lost),
            _PATIENCE,
            f"{_VICTIM} out of all answers",
        )
        gone = {child.name: max(child.gone[key] for key in lost) - at for child in survivors}
        suspected = {
            child.name: event["at"] - at
            for child in survivors
            if (event := child.event("member_suspected", at, name=_VICTIM)) is not None
        }
        worst = max(gone.values())
        self._teller.step(
            "detected",
            f"{_VICTIM} is out of the answers of all {len(survivors)} others after {_time(worst)}:",
            seconds=round(worst, 4),
            suspected={name: round(seconds, 4) for name, seconds in suspected.items()},
            gone={name: round(seconds, 4) for name, seconds in gone.items()},
        )
        for name, seconds in gone.items():
            first = f"suspected after {_time(suspected[name])}, " if name in suspected else ""
            self._teller.detail(f"  {name}: {first}gone after {_time(seconds)}")
        return worst

    async def _restart(self) -> float:
        seed = self._children.living["host-a"].bound
        child = await self._children.start(_VICTIM, _HOSTS[_VICTIM], seed)
        self._teller.step("restart", f"restarting {_VICTIM}", process=child.process.pid)
        await self._started([child])
        await self._children.until(self._complete, _PATIENCE, f"{_VICTIM} back in all answers")
        learned = [at for _, at in child.hosts.values()]
        for other in self._all():
            learned += [other.hosts[topic, _VICTIM][1] for topic in _HOSTS[_VICTIM]]
        seconds = max(learned) - child.began
        self._teller.step(
            "returned",
            f"{_VICTIM} is back in all answers, and knows all, {_time(seconds)} after it began",
            seconds=round(seconds, 4),
        )
        return seconds

    async def _leave(self) -> str:
        self._teller.step("leaving", "SIGTERM to all: they leave")
        children = self._all()
        await self._children.leave()
        left = [event for child in children for event in child.events[-1:]]
        if any(event["event"] != "leave_finished" for event in left):
            raise TroubleError("not every agent said that it left")
        self._teller.step(
            "left", f"all {len(children)} left and ended, exit status 0", agents=len(children)
        )
        return f"all {len(children)} left"

    # -- looking ---------------------------------------------------------------------------

    def _all(self) -> list[Child]:
        return list(self._children.living.values())

    def _complete(self) -> bool:
        """Return whether every agent answers exactly what the living ones registered."""
        living = self._children.living
        wanted = {(topic, host) for host in living for topic in self._topics[host]}
        return all(
            wanted == {key for key, (state, _) in child.hosts.items() if state == "live"}
            for child in self._all()
        )

    async def _started(self, children: Iterable[Child]) -> None:
        for child in children:
            await self._children.until(
                lambda child=child: bool(child.bound),  # type: ignore[misc]
                _PATIENCE,
                f"{child.name} up and running",
            )
            self._teller.step(
                "started",
                f"{child.name} runs at {child.bound} (process {child.process.pid}), "
                f"registers {', '.join(_HOSTS[child.name])}",
                name=child.name,
                address=child.bound,
                process=child.process.pid,
            )

    def _check_answers(self, answers: list[dict[str, Any]]) -> None:
        """Compare with the living: the round robin takes turns, a fanout names all."""
        living = self._children.living
        compute = sorted(host for host in living if "compute" in _HOSTS[host])
        scheduler = {host for host in living if "scheduler" in _HOSTS[host]}
        hosts = [found["hosts"] for found in answers]
        turns = [host for found in hosts[:3] for host in found]
        expected = [_VICTIM] if _VICTIM in living else []
        if len(turns) != 3 or set(turns) != set(compute):
            raise TroubleError(f"round robin over {compute} answered {turns}")
        if len(hosts[3]) != 1 or not scheduler.issuperset(hosts[3]):
            raise TroubleError(f"scheduler is at {sorted(scheduler)}, the answer was {hosts[3]}")
        if hosts[4] != expected:
            raise TroubleError(f"compute.{_VICTIM} answered {hosts[4]}, not {expected}")
        if sorted(hosts[5]) != compute:
            raise TroubleError(f"fanout~compute answered {hosts[5]}, not {compute}")


def _time(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"
