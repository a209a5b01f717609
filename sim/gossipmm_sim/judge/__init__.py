"""Judges of a run: checks that print and parse, and the measurements they rely on.

>>> from gossipmm_sim.judge import parse_check
>>> parse_check("converged within=2.5")
Converged(within=2.5)
"""

from gossipmm_sim.judge import liveness, names, outcome, safety, user_events
from gossipmm_sim.judge.base import CHECKS, Check, parse_check
from gossipmm_sim.judge.safety import SAFETY
from gossipmm_sim.judge.violations import Breach, Violation

__all__ = ("CHECKS", "SAFETY", "Breach", "Check", "Violation", "parse_check")

_MODULES = (safety, liveness, outcome, names, user_events)
