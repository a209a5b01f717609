"""Faults, and what programs do: frozen values that print and parse.

>>> from gossipmm_sim.faults import parse_fault
>>> parse_fault("loss at=10 until=70 p=0.25")
Loss(at=10.0, until=70.0, on='all', to='all', way='both', via='', early=False, p=0.25)
"""

from gossipmm_sim.faults import (
    addresses,
    attacks,
    burdens,
    crossing,
    distances,
    forgeries,
    helpers,
    hostile,
    hosts,
    keys,
    lives,
    measures,
    names,
    network,
    probes,
    programs,
    queries,
    registers,
    user_events,
    zones,
)
from gossipmm_sim.faults.base import FAULTS, Context, Fault, Window, select
from gossipmm_sim.values import parse

__all__ = ("FAULTS", "Context", "Fault", "Window", "parse_fault", "select")

_MODULES = (
    attacks,
    burdens,
    crossing,
    distances,
    network,
    addresses,
    hosts,
    lives,
    programs,
    queries,
    probes,
    measures,
    hostile,
    helpers,
    names,
    forgeries,
    keys,
    registers,
    user_events,
    zones,
)


def parse_fault(text: str) -> Fault:
    """Read a fault; raises UsageError, naming the nearest kind or parameter that exists."""
    return parse(text, FAULTS, "fault")
