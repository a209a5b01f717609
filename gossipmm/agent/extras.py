"""What an agent runs beside its node if it is configured: services with checks, and handlers.

Both are imported when there are some: most programs that open an agent have none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import trio

from gossipmm.agent.driver import Driver
from gossipmm.agent.queries import Answerers
from gossipmm.answers import ServiceStatus
from gossipmm.config import Config
from gossipmm.core.values.events import Event, ServiceChanged
from gossipmm.core.values.types import OwnRegistration
from gossipmm.errors import RegistrationError

if TYPE_CHECKING:
    from gossipmm.services.engine import Services
    from gossipmm.services.handlers import Handlers

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
        self._handlers: Handlers | None = None
        self._nursery: trio.Nursery | None = None
        #: What answers queries.
        self.answerers = Answerers(driver)
        #: Where the control API is, and the id of its last event; set by who serves it.
        self.context: Callable[[], dict[str, str]] = dict
        self._config = config

    def begin(self) -> None:
        """Register what is listed from the start."""
        if self._config.service:
            self.set_services(self._config)
        if self._config.on:
            self.set_handlers(self._config)
        if self._config.query:
            self.answerers.set_programs(self._config.query)

    async def run(self) -> None:
        """Run what there is, and what is added, until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            if self._services is not None:
                nursery.start_soon(self._services.run)
            if self._handlers is not None:
                nursery.start_soon(self._handlers.run)
            nursery.start_soon(self.answerers.run)
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

    def set_handlers(self, config: Config) -> list[str]:
        """Run the handlers of a configuration from now on; says what changed.

        Raises ConfigError.
        """
        from gossipmm.agent.event_json import as_json
        from gossipmm.services.handlers import Handlers, check_handlers
        from gossipmm.text.events import as_line

        def told(event: Event) -> dict[str, Any]:
            """Return an event as GET /v1/watch shows it."""
            fields = as_json(event)
            fields["time"] = round(time.time() - (self._record.now() - fields.pop("at")), 3)
            return {**fields, "text": as_line(event, self._record.name)}

        check_handlers(config.on)
        if self._handlers is not None:
            return self._handlers.replace(config.on)
        self._handlers = Handlers(
            self._record.name,
            as_json=told,
            context=lambda: self.context(),
        )
        said = self._handlers.replace(config.on)
        if self._nursery is not None:
            self._nursery.start_soon(self._handlers.run)
        return said

    def tell(self, event: Event) -> None:
        """Take an event of the agent, for its handlers."""
        if self._handlers is not None:
            self._handlers.tell(event)

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

    def handler_counts(self) -> Mapping[str, int]:
        """Return how many runs of handlers ended how."""
        return self._handlers.counts if self._handlers is not None else {}

    def refuse(self, topic: object, host: object) -> None:
        """Raise RegistrationError for a registration that a service's checks decide on."""
        named = isinstance(topic, str) and isinstance(host, str)
        if named and self._services is not None and self._services.owns(topic, host):
            raise RegistrationError(
                f"{topic} of {host} is a service of the configuration, whose checks decide on it: "
                "change it there and reload, or drain it"
            )
