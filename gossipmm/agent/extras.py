"""What an agent runs beside its node if it is configured: services with checks, and handlers.

Both are imported when there are some: most programs that open an agent have none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import trio

from gossipmm.agent.driver import Driver
from gossipmm.answers import ServiceStatus
from gossipmm.config import Config
from gossipmm.core.values.events import ServiceChanged
from gossipmm.core.values.types import OwnRegistration
from gossipmm.errors import RegistrationError

if TYPE_CHECKING:
    from gossipmm.services.engine import Services

__all__ = ("Extras",)


class _Record:
    """An agent's record as its services change it."""

    def __init__(self, driver: Driver, tell: Callable[[ServiceChanged], None]) -> None:
        self._driver = driver
        self._node = driver.node
        self.changed = tell

    @property
    def name(self) -> str:
        return self._node.name

    @property
    def leaving(self) -> bool:
        return self._node.leaving

    def now(self) -> float:
        return self._driver.now()

    def registration(self, topic: str, host: str) -> OwnRegistration | None:
        return self._node.registration(topic, host, self.now())

    def register(
        self, topic: str, host: str, metadata: Mapping[str, Any], *, draining: bool
    ) -> None:
        self._node.register(topic, host, metadata, draining=draining, now=self.now())
        self._driver.flush()

    def unregister(self, topic: str, host: str) -> None:
        self._node.unregister(topic, host, now=self.now())
        self._driver.flush()

    def healthy(self, found: Mapping[tuple[str, str], bool]) -> None:
        self._node.service_health.tell(found, self.now())
        self._driver.flush()


class Extras:
    """The services of an agent, for as long as it runs."""

    def __init__(
        self, driver: Driver, config: Config, tell: Callable[[ServiceChanged], None]
    ) -> None:
        self._record = _Record(driver, tell)
        self._services: Services | None = None
        self._nursery: trio.Nursery | None = None
        self._config = config

    def begin(self) -> None:
        """Register what is listed from the start."""
        if self._config.service:
            self.set_services(self._config)

    async def run(self) -> None:
        """Run what there is, and what is added, until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            if self._services is not None:
                nursery.start_soon(self._services.run)
            await trio.sleep_forever()

    def set_services(self, config: Config) -> list[str]:
        """Look after the services of a configuration from now on; says what changed."""
        if self._services is not None:
            return self._services.replace(config.service)
        from gossipmm.services.engine import Services

        self._services = Services(self._record, config.service)
        if self._nursery is not None:
            self._nursery.start_soon(self._services.run)
        return [
            f"service: {one.topic} of {one.host or self._record.name} added"
            for one in config.service
        ]

    # -- what an agent asks ----------------------------------------------------------------

    def statuses(self) -> tuple[ServiceStatus, ...]:
        """Return how the services are."""
        return self._services.statuses() if self._services is not None else ()

    def reason(self, topic: str, host: str) -> str:
        """Say why a service is not up; empty: it is, or it is none."""
        return self._services.reason(topic, host) if self._services is not None else ""

    def check(self, topic: str, host: str, result: str, output: str, name: str) -> bool:
        """Take what a service says of itself; False: there is no such service."""
        if self._services is None:
            return False
        return self._services.check(topic, host, result, output, name)

    def counts(self) -> tuple[Mapping[tuple[str, str], int], int]:
        """Return runs of checks by (kind, result), and how often services were held as flapping."""
        if self._services is None:
            return {}, 0
        return self._services.counts, self._services.flaps

    def refuse(self, topic: object, host: object) -> None:
        """Raise RegistrationError for a registration that a service's checks decide on."""
        named = isinstance(topic, str) and isinstance(host, str)
        if named and self._services is not None and self._services.owns(topic, host):
            raise RegistrationError(
                f"{topic} of {host} is a service of the configuration, whose checks decide on it: "
                "change it there and reload, or drain it"
            )
