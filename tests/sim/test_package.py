"""The simulator as an installed package: what importing it does, and what it leaves alone."""

from __future__ import annotations

import ast
import subprocess
import sys
import textwrap
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import gossipmm_sim

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
import gossipmm_sim
cluster = gossipmm_sim.Cluster(3)
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


def test_importing_the_package_loads_nothing():
    code = "import sys, gossipmm_sim; print([m for m in sys.modules if m.startswith('gossipmm')])"
    assert python(code) == "['gossipmm_sim']\n"


def test_the_public_names_are_typed_and_there():
    source = Path(gossipmm_sim.__file__).read_text()
    block = next(node for node in ast.parse(source).body if isinstance(node, ast.If))
    typed = {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert typed == gossipmm_sim._ORIGIN
    assert set(typed) == set(gossipmm_sim.__all__) <= set(dir(gossipmm_sim))
    for name in gossipmm_sim.__all__:
        assert getattr(gossipmm_sim, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = gossipmm_sim.nothing


def test_the_example_of_the_package_runs():
    doc = gossipmm_sim.__doc__ or ""
    code = textwrap.dedent("\n".join(line for line in doc.splitlines() if line.startswith("    ")))
    assert "Cluster(100" in code
    assert python(code.replace("Cluster(100", "Cluster(10")) == ""


@pytest.mark.parametrize("command", [("-m", "gossipmm_sim"), ("-c", "SCRIPT")])
def test_both_commands_list_the_scenarios(command, tmp_path):
    script = next(e for e in entry_points(group="console_scripts") if e.name == "gossipmm-sim")
    code = f"from {script.module} import {script.attr}; {script.attr}()"
    arguments = [code if one == "SCRIPT" else one for one in command]
    done = subprocess.run(
        [sys.executable, *arguments, "list"],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "crash_detected_within" in done.stdout


#: What a project of somebody else has in its tests; the first prints what pytest has loaded.
_UNUSED = """
import sys

def test_it():
    print("LOADED", sorted(m for m in sys.modules if m.startswith("gossipmm")))
"""
_USED = """
import sys
from sim.own import VALUE

def test_it(sim_cluster):
    assert VALUE == 7
    assert len(sim_cluster(3)[0].queues("fanout~service")) == 3
"""


def in_a_project(folder: Path, test: str, *, package: bool) -> str:
    """Run pytest in a project that has a folder ``sim`` of its own; what it printed."""
    (folder / "sim").mkdir()
    (folder / "sim" / "own.py").write_text("VALUE = 7\n")
    if package:
        (folder / "sim" / "__init__.py").write_text("")
    (folder / "test_own.py").write_text(test)
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=50, check=False, cwd=folder
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("package", [True, False], ids=["package", "folder"])
def test_the_plugin_works_in_a_project_that_has_a_sim_of_its_own(tmp_path, package):
    """The simulator was once a top-level package ``sim``: pytest died in any such project."""
    assert "1 passed" in in_a_project(tmp_path, _USED, package=package)


def test_a_project_that_does_not_use_the_plugin_loads_nothing_of_the_simulator(tmp_path):
    printed = in_a_project(tmp_path, _UNUSED, package=True)
    assert "LOADED ['gossipmm_sim', 'gossipmm_sim.pytest_plugin']" in printed
