"""The simulator as an installed package: what importing it does, and what it leaves alone."""

from __future__ import annotations

import subprocess
import sys

#: Remembers each object that a module or a class of gossipmm has, by identity; imports the whole
#: simulator and plays a cluster; tells what is another one now.
_CHANGES = """
import importlib, inspect, pkgutil, sys
import gossipmm

def load(name):
    package = importlib.import_module(name)
    for found in pkgutil.walk_packages(package.__path__, name + "."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)

def objects():
    found = {}
    for name, module in sorted(sys.modules.items()):
        if name.partition(".")[0] != "gossipmm":
            continue
        for key, value in vars(module).items():
            found[name, key] = value
            if inspect.isclass(value) and value.__module__.partition(".")[0] == "gossipmm":
                # What abc and dataclasses count in classes moves by itself.
                found |= {
                    (name, key, each): one
                    for each, one in vars(value).items()
                    if not each.startswith(("__", "_abc_"))
                }
    return found

load("gossipmm")
for name in gossipmm.__all__:
    getattr(gossipmm, name)
before = objects()
load("gossipmm_sim")
from gossipmm_sim.engine.cluster import Cluster
cluster = Cluster(3)
cluster.boot()
cluster.settle()
after = objects()
assert len(before) > 2000, len(before)
for where in sorted(before.keys() | after.keys()):
    if before.get(where) is not after.get(where):
        print(".".join(where))
"""


def python(code: str) -> str:
    """Run a program of its own; what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_simulator_changes_nothing_in_gossipmm():
    """``engine.cluster`` once put a cache of its own into a class that agents use.

    Who ran a simulated cluster beside a real agent, in the tests of their own program, had an
    agent that kept 65,536 pages (up to 2 GB of hostile ones), where it promises 128.
    """
    assert python(_CHANGES) == ""
