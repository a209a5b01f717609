"""The fields of ``Config`` as keywords, for type checkers: ``**fields: Unpack[ConfigFields]``.

``tests/test_types.py`` compares it with ``Config``: each field is here, with the type it takes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeAlias, TypedDict

from gossipmm.config_handlers import Handler, QueryHandler
from gossipmm.config_services import Service
from gossipmm.mechanisms import Mechanism

__all__ = ("ConfigFields", "Settings", "Strings")

#: A list of strings as a program may write it. Not any sequence: a string is one as well.
Strings: TypeAlias = list[str] | tuple[str, ...] | set[str] | frozenset[str]


class ConfigFields(TypedDict, total=False):
    """Keywords of ``Config``: each is optional."""

    name: str
    cluster: str
    bind: str
    advertise: str
    join: Strings
    register: Strings
    service: Sequence[Service | Mapping[str, Any]]
    on: Sequence[Handler | Mapping[str, Any]]
    query: Sequence[QueryHandler | Mapping[str, Any]]
    metadata: Mapping[str, str | int | bool]
    insecure: bool
    state_file: str
    keyring: str
    keyring_seed: str
    identity: str
    identity_key: str
    certificate: str
    authority: Strings
    revocations: str
    control: str
    control_port: int
    health_bind: str
    dns_port: int
    dns_zone: str
    consul_port: int
    consul_bind: str
    log_format: str
    ring_file: str
    gossip_interval: float
    jitter: float
    resend_base: float
    helpers: int
    suspicion_min: float
    suspicion_factor: float
    confirmations: int
    fanout: int
    second_push: float
    broadcast_rate: float
    broadcast_burst: float
    max_datagram: int
    reap_after: float
    max_closed_generations: int
    stale_for: float
    flap_free_returns: int
    flap_window: float
    probation_max: float
    max_members: int
    max_registrations: int
    max_record: int
    max_table: int
    max_jump: int
    max_accusations: int
    source_rate: float
    peer_rate: float
    allow: Strings
    leave_timeout: float
    dial_back: bool
    answer_health: bool
    answer_queries: bool
    accept_drain: bool
    replay_events: bool
    seed_interval: float
    direct_checks_liveness: bool
    prefer: str
    zone_spill: int
    zone_exchanges: bool
    distances: bool
    without: Collection[Mechanism | str]


class Settings(ConfigFields, total=False):
    """Keywords of whatever builds a configuration: fields, and the preset that they differ from."""

    preset: str
