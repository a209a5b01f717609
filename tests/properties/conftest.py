"""Hypothesis without its deadline: an example's time depends on who else uses the machine."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("gossipmm", deadline=None, print_blob=True)
settings.load_profile("gossipmm")
