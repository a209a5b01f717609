"""Hypothesis, for all tests: the same examples in each run, and no limit to an example's time.

A gate that draws anew finds a fault of months ago in a change that has nothing to do with it. New
examples are drawn by ``pytest --hypothesis-profile=explore``, as ``.ci/fuzz`` does. How long an
example takes depends on who else uses the machine.
"""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("gossipmm", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, print_blob=True)
settings.load_profile("gossipmm")
