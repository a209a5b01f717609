"""``open_agent``: from a configuration to a running agent, and gracefully back.

The tasks of the agent run in a scope that cancellation from outside does not reach, because the
last thing a cancelled agent does is talk: it leaves, for at most ``leave_timeout``, and then ends.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import NoReturn

import trio

from gossipmm import keyfile
from gossipmm.addresses import parse_registration, parse_seed
from gossipmm.agent import state
from gossipmm.agent.agent import Agent
from gossipmm.agent.binding import bind
from gossipmm.agent.clocks import EARLIEST_MS, believable
from gossipmm.agent.dialback import DialBack
from gossipmm.agent.driver import Driver
from gossipmm.agent.faults import Faults
from gossipmm.agent.identity import AgentIdentity, Credentials
from gossipmm.agent.keys import AgentKeys
from gossipmm.agent.network import Network, Port, SystemNetwork
from gossipmm.agent.own_addresses import OwnAddresses
from gossipmm.agent.remember import Remember
from gossipmm.agent.seeds import SeedResolver
from gossipmm.config import Config
from gossipmm.core.identity.keys import Identity
from gossipmm.core.node import Node
from gossipmm.core.values.events import Event, GenerationRenewed
from gossipmm.core.values.types import Address, make_generation

__all__ = ("build_node", "identity_of", "open_agent", "own_name")

_log = logging.getLogger(__name__)


@asynccontextmanager
async def open_agent(
    config: Config | None = None, *, network: Network | None = None
) -> AsyncGenerator[Agent, None]:
    """Run an agent for as long as the ``async with`` block runs.

    ``config`` defaults to ``gossipmm.load_config()``: file, then environment. ``network`` is the
    operating system's, or a test's own. Inside the block the socket is bound and the registrations
    of the configuration are made; ``await agent.wait_joined()`` waits for the others' table. The
    end of the block, however it comes, leaves the cluster. Raises BindError, ConfigError,
    KeyringError, IdentityError, SeedError or RegistrationError; what the block raises comes out as
    it is.
    """
    if config is None:
        from gossipmm.settings import load_config  # a megabyte that most programs need not have

        config = load_config()
    config = replace(config, name=own_name(config))
    for seed in config.join:
        parse_seed(seed)
    network = SystemNetwork() if network is None else network
    port, addresses = await bind(config, network)
    try:
        running = await _prepare(config, network, port, addresses)
        raised: BaseException | None = None
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(running.run)
                try:
                    yield running.agent
                except BaseException as exc:
                    if _ends_a_scope(exc):
                        raise
                    # Past the nursery, which would make another group of a group.
                    raised = exc
                finally:
                    await running.close()
        except BaseExceptionGroup as group:
            if raised is not None:
                errors = (raised, *group.exceptions)
                raise BaseExceptionGroup("the block and the agent failed", errors) from None
            _raise_single(group)
        if raised is not None:
            try:
                raise raised
            finally:
                del raised  # else the traceback refers to itself
    finally:
        port.close()


def own_name(config: Config) -> str:
    """Return the name of the node: as configured, ``{pid}`` being this process, or the host's."""
    return (config.name or socket.gethostname()).replace("{pid}", str(os.getpid()))


class _Running:
    """An agent's tasks, and the scope that ends them."""

    def __init__(
        self,
        agent: Agent,
        driver: Driver,
        seeds: SeedResolver,
        dial_back: DialBack,
        remember: Remember | None,
        own_addresses: OwnAddresses | None,
    ) -> None:
        self.agent = agent
        self._driver = driver
        self._seeds = seeds
        self._dial_back = dial_back
        self._remember = remember
        self._own_addresses = own_addresses
        self._scope = trio.CancelScope(shield=True)
        self._failed = False

    async def run(self) -> None:
        """Run until ``close``. Raises only on programming errors."""
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._driver.run)
                    nursery.start_soon(self._seeds.run, self.agent.config.seed_interval)
                    nursery.start_soon(self.agent.keys.run)
                    nursery.start_soon(self.agent.identity.run)
                    nursery.start_soon(self._dial_back.run)
                    nursery.start_soon(self.agent.extras.run)
                    if self._remember is not None:
                        nursery.start_soon(self._remember.run)
                    if self._own_addresses is not None:
                        nursery.start_soon(self._own_addresses.run)
        except BaseExceptionGroup as group:
            self._failed = True
            self.agent.end("failed")
            _raise_single(group)

    async def close(self) -> None:
        """Leave, then end the tasks. Cancellation from outside does not shorten this."""
        try:
            with trio.CancelScope(shield=True):
                if not self._failed:
                    await self.agent.leave()
                    if self._remember is not None:
                        await self._remember.save()
        finally:
            self.agent.end("was closed")
            self._scope.cancel()
            self._dial_back.close()


def identity_of(config: Config, memory: state.Memory, *, trial: bool = False) -> Identity | None:
    """Read the identity that the configuration asks for; None: none. Raises IdentityError."""
    if config.identity == "off":
        return None
    from gossipmm.identityfile import load_identity  # which most programs need not have

    return load_identity(config, pins=memory.pins, revocations=memory.revocations, trial=trial)


def build_node(
    config: Config,
    network: Network,
    addresses: tuple[Address, ...],
    memory: state.Memory,
    identity: Identity | None,
    *,
    trial: bool = False,
) -> Node:
    """Build the core, with the registrations of the configuration; on trial, also the services."""
    if config.keyring_seed and (taken := keyfile.take_seed(config.keyring, config.keyring_seed)):
        _log.info("%s", taken)
    rng, now = network.random(), network.now()
    wall_ms = believable(network.wall_ms(), memory.generation)
    if wall_ms is None:
        _log.warning(
            "this machine's clock says %s, which cannot be right (the last start of this node was "
            "at %s): lives that begin in the future are not refused here; set the clock",
            _moment(network.wall_ms()),
            _moment(memory.generation >> 16) if memory.generation else "a time not known",
        )
        if network.wall_ms() > EARLIEST_MS:
            # If it was the other time that was wrong, that must not go on: others refuse lives of
            # the future. If not, this node hears of its last life, and takes one above.
            memory = memory._replace(generation=0)
    node = Node(
        config,
        name=config.name,
        addresses=addresses,
        generation=make_generation(network.wall_ms(), rng, above=memory.generation),
        rng=rng,
        now=now,
        wall_ms=wall_ms,
        envelope=keyfile.open_envelope(config, rng),
        identity=identity,
    )
    if identity is not None:
        from gossipmm.identityfile import check_allowed

        check_allowed(config, identity.certificate, addresses)
    for text in config.register:
        topic, host = parse_registration(text)
        node.register(topic, host or config.name, now=now)
    if trial:
        for service in config.service:
            node.register(service.topic, service.host or config.name, service.told, now=now)
    return node


def _remembered(config: Config) -> state.Memory:
    """Read the state file, if there is one."""
    if not config.state_file:
        return state.Memory()
    return state.load(config.state_file, name=config.name, cluster=config.cluster)


async def _prepare(
    config: Config, network: Network, port: Port, addresses: tuple[Address, ...]
) -> _Running:
    """Build everything; nothing runs yet."""
    memory = _remembered(config)
    own = identity_of(config, memory)
    node = build_node(config, network, addresses, memory, own)

    def tell(event: Event) -> None:
        if isinstance(event, GenerationRenewed) and remember is not None:
            remember.changed()
        for hears in (faults, agent.keys, agent, dial_back):
            hears.tell(event)
        seeds.look()

    def found(addresses: tuple[Address, ...]) -> None:
        if addresses:
            dial_back.seeds(addresses)
        others = [address for address in addresses if address not in dial_back.myself]
        # None at all: not resolved yet. That differs from having nobody but oneself to join.
        if others or (addresses and not seeds.trouble()):
            node.join(others, driver.now(), complete=not seeds.trouble())
            driver.flush()

    def alone() -> bool:
        return not node.table.peers

    faults = Faults()
    driver = Driver(node, port, network, tell, faults)
    seeds = SeedResolver(
        config.join,
        network,
        remembered=memory.peers,
        usable=port.reaches,
        alone=alone,
        found=found,
    )
    keys = AgentKeys(driver, config.keyring, faults, config.keyring_seed)
    dial_back = DialBack(
        network,
        bound=port.address,
        send=driver.send_aside,
        cluster=config.cluster,
        announced=lambda: node.addresses,
        keys=lambda: keys.ring,
        alone=alone,
        allows=node.allows,
        refused=node.stats.drop,
        enabled=config.dial_back,
    )
    driver.aside = dial_back.take
    credentials = Credentials(keys, AgentIdentity(config, own, driver, network, faults))
    agent = Agent(config, driver, seeds, credentials, dial_back, faults)
    remember = Remember(config, driver, faults, memory) if config.state_file else None
    if remember is not None:
        await remember.save()  # before the first datagram: no generation is used twice
    agent.extras.begin()
    there = None if config.advertise else OwnAddresses(network, driver, faults, seeds)
    return _Running(agent, driver, seeds, dial_back, remember, there)


def _moment(wall_ms: int) -> str:
    return f"{datetime.fromtimestamp(wall_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"


def _ends_a_scope(exc: BaseException) -> bool:
    """Return whether it is nothing but a cancellation, on its way to its scope."""
    if isinstance(exc, BaseExceptionGroup):
        return exc.split(trio.Cancelled)[1] is None
    return isinstance(exc, trio.Cancelled | GeneratorExit)


def _raise_single(group: BaseExceptionGroup[BaseException]) -> NoReturn:
    """Raise the only error in a group: that a nursery runs here is our affair."""
    errors = [exc for exc in group.exceptions if not isinstance(exc, trio.Cancelled)]
    single = errors or list(group.exceptions[:1])
    if len(single) != 1:
        raise group
    try:
        raise single[0]
    finally:
        del errors, single  # else the traceback refers to itself
