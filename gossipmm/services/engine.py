"""Runs the checks of an agent's services, and tells its record what they found.

Each check is a task that sleeps; what they find is told in batches: at once, and then at most once
a second, so that two hundred services that fail together are one change.
"""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from math import ceil, inf
from typing import Any, Final, Protocol

import trio

from gossipmm.answers import ServiceStatus
from gossipmm.config_services import Check, Service
from gossipmm.core.values.events import ServiceChanged
from gossipmm.core.values.types import OwnRegistration
from gossipmm.errors import GossipError, RegistrationError
from gossipmm.services.commands import Commands
from gossipmm.services.health import CheckHealth, Outcome, ServiceHealth
from gossipmm.services.network import check_http, check_tcp
from gossipmm.services.output import bounded

__all__ = ("RESULTS", "Record", "Services")

#: Seconds between two changes of the record, after the first one.
_TELL_EVERY: Final = 1.0
#: First runs a second: a thousand checks do not all begin in the moment in which the agent does.
_FIRST_RUNS: Final = 100.0
#: Runs begin at multiples of this share of the interval, several together: a process that wakes up
#: 10 times a second for 10 checks each uses half of what it does 100 times for one (measured).
_GRID: Final = 0.01
#: Share of the interval by which each pause is randomly longer or shorter.
_JITTER: Final = 0.1
#: What a program may say of itself (``gossipmm check``).
RESULTS: Final = ("pass", "warn", "fail")

_log = logging.getLogger(__name__)
#: (topic, host).
_Name = tuple[str, str]


class Record(Protocol):
    """What the engine needs of its agent."""

    @property
    def name(self) -> str:
        """The node's name: the host of services that give none."""

    @property
    def leaving(self) -> bool:
        """True once nothing can be told any longer."""

    def now(self) -> float:
        """Core time."""

    def registration(self, topic: str, host: str) -> OwnRegistration | None:
        """Return a registration of this agent."""

    def register(
        self, topic: str, host: str, metadata: Mapping[str, Any], *, draining: bool
    ) -> None:
        """Register. Raises RegistrationError, LimitError."""

    def unregister(self, topic: str, host: str) -> None:
        """End a registration."""

    def healthy(self, found: Mapping[_Name, bool]) -> None:
        """Announce which registrations pass their checks."""

    def changed(self, event: ServiceChanged) -> None:
        """Take an event."""


class _Item:
    """A service that is looked after, and the scope of its tasks."""

    def __init__(self, service: Service, host: str, now: float, state: str) -> None:
        self.service = service
        self.name: _Name = (service.topic, host)
        first = "passing" if state == "up" or service.start == "up" else "starting"
        checks = [CheckHealth(check, now, first) for check in service.check]
        self.health = ServiceHealth(service, checks, now)
        self.scope = trio.CancelScope()
        #: By name of a check of kind ttl: set when its program says how it is.
        self.told = {check.name: trio.Event() for check in service.check if check.kind == "ttl"}
        #: What it was before the last change that is not told yet; None: all is told.
        self.before: str | None = None
        #: Why it could not be registered.
        self.trouble = ""
        #: Metadata and drain of its registration when that ended, for when it comes back.
        self.kept: OwnRegistration | None = None


class Services:
    """The services of one agent."""

    def __init__(
        self,
        record: Record,
        services: Iterable[Service],
        *,
        runs: Mapping[str, Callable[[Check], Awaitable[Outcome | None]]] | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._record = record
        self._rng = rng or random.Random()
        self._commands = Commands()
        #: Kind of check -> what runs it; None as an outcome: there was no room for it.
        self._runs = runs or {"http": check_http, "tcp": check_tcp, "command": self._commands.check}
        self._items: dict[_Name, _Item] = {}
        self._nursery: trio.Nursery | None = None
        self._restless: set[_Name] = set()
        self._wake = trio.Event()
        #: Runs by (kind, result): pass, warn, fail.
        self.counts: Counter[tuple[str, str]] = Counter()
        self.flaps = 0
        for service in services:
            self._add(service, "starting")
        self._tell()

    # -- from outside ----------------------------------------------------------------------

    def owns(self, topic: object, host: object) -> bool:
        """Return whether it is a service: then its checks decide on its registration."""
        return (topic, host) in self._items

    def statuses(self) -> tuple[ServiceStatus, ...]:
        """Return how all services are, sorted."""
        now = self._record.now()
        return tuple(self._status(self._items[name], now) for name in sorted(self._items))

    def reason(self, topic: str, host: str) -> str:
        """Say why a service is not up; empty: it is, or it is none."""
        item = self._items.get((topic, host))
        return self._reason(item, self._record.now()) if item is not None else ""

    def check(self, topic: str, host: str, result: str, output: str, name: str) -> bool:
        """Take what a service says of itself; False: there is no such service.

        Raises RegistrationError: it has no such check of kind ttl, or the result is none.
        """
        if result not in RESULTS:
            raise RegistrationError(f"result {result!r} is not one of {', '.join(RESULTS)}")
        item = self._items.get((topic, host))
        if item is None:
            return False
        checks = [
            one
            for one in item.health.checks
            if one.check.kind == "ttl" and name in ("", one.check.name)
        ]
        if not checks:
            what = f"no check {name!r} of kind ttl" if name else "no check of kind ttl"
            raise RegistrationError(
                f"service {topic} of {host} has {what}: it is checked otherwise"
            )
        reason = {"pass": "", "warn": "warns", "fail": "says that it fails"}[result]
        for one in checks:
            self._take(item, one, Outcome(result != "fail", reason, bounded(output)), 0.0)
            item.told[one.check.name].set()
        return True

    def replace(self, services: Iterable[Service]) -> list[str]:
        """Look after these from now on; returns in words what changed."""
        wanted = {(one.topic, one.host or self._record.name): one for one in services}
        said = []
        for name in list(self._items):
            if name not in wanted:
                item = self._drop(name)
                if self._record.registration(*name) is not None:
                    self._record.unregister(*name)
                said.append(f"service: {item.service.topic} of {name[1]} ended")
        for name, service in wanted.items():
            known = self._items.get(name)
            if known is None:
                self._start(self._add(service, "starting"))
                said.append(f"service: {service.topic} of {name[1]} added")
            elif known.service != service:
                self._change(known, service)
                said.append(f"service: {service.topic} of {name[1]} changed")
        self._tell()
        return said

    def _change(self, item: _Item, service: Service) -> None:
        """Take another definition. Its state stays: that a file changed says nothing of it."""
        if item.service.check == service.check:
            item.service = item.health.service = service
        else:
            listed = self._record.registration(*item.name) is not None
            self._drop(item.name)
            fresh = self._add(service, "up" if listed and item.health.state == "up" else "starting")
            if listed and fresh.health.state == "starting":
                fresh.kept = self._record.registration(*item.name)
                self._record.unregister(*item.name)
            self._start(fresh)
            item = fresh
        item.kept = item.kept._replace(metadata=service.told) if item.kept is not None else None
        own = self._record.registration(*item.name)
        if own is not None:
            self._register(item, draining=own.state.draining)

    # -- tasks -----------------------------------------------------------------------------

    async def run(self) -> None:
        """Run the checks until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            within = sum(len(item.health.checks) for item in self._items.values()) / _FIRST_RUNS
            for item in self._items.values():
                self._start(item, within)
            await self._announce()

    def _start(self, item: _Item, within: float = 0.0) -> None:
        """Begin with the checks of a service, each within so many seconds."""
        if self._nursery is not None:
            self._nursery.start_soon(self._look_after, item, within)

    async def _look_after(self, item: _Item, within: float) -> None:
        """Run the checks of a service until its scope ends."""
        with item.scope:
            async with trio.open_nursery() as nursery:
                for health in item.health.checks:
                    if health.check.kind == "ttl":
                        nursery.start_soon(self._wait_for_word, item, health)
                    else:
                        nursery.start_soon(self._repeat, item, health, within)

    async def _repeat(self, item: _Item, health: CheckHealth, within: float) -> None:
        check = health.check
        await trio.sleep(self._rng.uniform(0.0, min(check.interval, within)))
        due = trio.current_time()
        while True:
            began = trio.current_time()
            outcome = await self._outcome(check)
            if outcome is None:
                health.skipped += 1
            else:
                self._take(item, health, outcome, trio.current_time() - began)
            pause = health.pause(removed=item.health.state == "removed")
            pause *= self._rng.uniform(1.0 - _JITTER, 1.0 + _JITTER)
            due += pause
            if (late := trio.current_time() - due) > 0:
                # What this process had no time for is left out, not made up for.
                missed = int(late / pause) + 1
                health.skipped += missed
                due += missed * pause
            grid = _GRID * check.interval
            await trio.sleep_until(ceil(due / grid) * grid)

    async def _outcome(self, check: Check) -> Outcome | None:
        # A command has its time from when it runs, and is killed by who runs it.
        limit = inf if check.kind == "command" else check.timeout
        try:
            with trio.move_on_after(limit):
                return await self._runs[check.kind](check)
        except (OSError, UnicodeError) as exc:
            # Such as no file descriptor left, or a name that no resolver takes.
            return Outcome(passes=False, reason=f"cannot be checked: {exc}")
        return Outcome(passes=False, reason=f"no answer within {check.timeout:g} s")

    async def _wait_for_word(self, item: _Item, health: CheckHealth) -> None:
        ttl = health.check.ttl
        while True:
            told = item.told[health.check.name]
            with trio.move_on_after(ttl):
                await told.wait()
                item.told[health.check.name] = trio.Event()
                continue
            self._take(item, health, Outcome(False, f"nothing was heard of it for {ttl:g} s"), ttl)

    def _take(self, item: _Item, health: CheckHealth, outcome: Outcome, took: float) -> None:
        result = "fail" if not outcome.passes else "warn" if outcome.reason else "pass"
        self.counts[health.check.kind, result] += 1
        health.take(outcome, self._record.now(), took)
        self._judge(item)
        if item.trouble and item.health.state == "up" and item.before is None:
            item.before = "starting"  # perhaps there is room for it by now
            self._wake.set()

    # -- what is told ----------------------------------------------------------------------

    def _add(self, service: Service, state: str) -> _Item:
        item = _Item(service, service.host or self._record.name, self._record.now(), state)
        self._items[item.name] = item
        if state == "up":
            item.health.state = state
        self._judge(item)
        return item

    def _drop(self, name: _Name) -> _Item:
        item = self._items.pop(name)
        item.scope.cancel()
        self._restless.discard(name)
        return item

    def _judge(self, item: _Item) -> None:
        flaps = item.health.flaps
        before = item.health.judge(self._record.now())
        self.flaps += item.health.flaps - flaps
        if before is not None:
            item.before = item.before or before
            self._wake.set()
        if item.health.next_look() < inf:
            if item.name not in self._restless:
                self._restless.add(item.name)
                self._wake.set()
        else:
            self._restless.discard(item.name)

    async def _announce(self) -> None:
        """Tell changes: at once, and then at most once in a while."""
        while True:
            self._wake = trio.Event()
            for name in list(self._restless):
                self._judge(self._items[name])
            told = self._tell()
            looks = [self._items[name].health.next_look() for name in self._restless]
            with trio.move_on_after(max(0.0, min(looks, default=inf) - self._record.now())):
                if told:
                    await trio.sleep(_TELL_EVERY)
                await self._wake.wait()

    def _tell(self) -> bool:
        """Bring the record in line with what changed; returns whether anything did."""
        if self._record.leaving:
            return False
        health: dict[_Name, bool] = {}
        changed = [item for item in self._items.values() if item.before is not None]
        for item in changed:
            own = self._record.registration(*item.name)
            state = item.health.state
            if state == "removed" and own is not None:
                item.kept = own
                self._record.unregister(*item.name)
            elif state == "up" and own is None:
                self._register(item, draining=item.kept is not None and item.kept.state.draining)
            elif own is not None:
                health[item.name] = state == "up"
        if health:
            self._record.healthy(health)
        now = self._record.now()
        for item in changed:
            before, item.before = item.before, None
            state = item.health.state
            if before is not None and before != state and not item.trouble:
                reason = self._reason(item, now)
                self._record.changed(ServiceChanged(now, *item.name, state, before, reason))
        return bool(changed)

    def _register(self, item: _Item, *, draining: bool) -> None:
        metadata = item.kept.metadata if item.kept is not None else item.service.told
        try:
            self._record.register(*item.name, metadata, draining=draining)
        except GossipError as exc:
            if str(exc) != item.trouble:
                _log.warning("service %s of %s cannot be registered: %s", *item.name, exc)
            item.trouble = str(exc)
        else:
            item.trouble = ""

    def _reason(self, item: _Item, now: float) -> str:
        return item.trouble or item.health.reason(now)

    def _status(self, item: _Item, now: float) -> ServiceStatus:
        return ServiceStatus(
            topic=item.name[0],
            host=item.name[1],
            state=item.health.state,
            reason=self._reason(item, now),
            since=item.health.since,
            flaps=item.health.flaps,
            checks=tuple(one.status() for one in item.health.checks),
        )
