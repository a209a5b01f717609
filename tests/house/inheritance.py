"""Classes that a compiled build refuses: interpreted ones that inherit from compiled ones.

mypyc lets nobody but compiled code inherit from a compiled class, and says so when the first
instance is made: a compiled wheel is built and imported without a word.
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
#: What the packages are built from, and from where their modules are named.
SOURCES = (ROOT / "gossipmm", ROOT), (ROOT / "sim" / "gossipmm_sim", ROOT / "sim")


class Inheritance(NamedTuple):
    """A class that is interpreted, and its base that is compiled."""

    module: str
    name: str
    base: str


def compiled_modules() -> set[str]:
    """Return the names of the modules that pyproject.toml has compiled."""
    spec = importlib.util.spec_from_file_location("packages", ROOT / ".ci" / "packages.py")
    assert spec is not None
    assert spec.loader is not None
    packages = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(packages)
    return {one.removesuffix(".py").replace("/", ".") for one in packages.to_compile()}


def sources() -> dict[str, str]:
    """Return the text of each module of the packages, by its name."""
    found = {}
    for folder, top in SOURCES:
        for path in folder.rglob("*.py"):
            name = ".".join(path.relative_to(top).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path.read_text("utf-8")
    return found


def refused(texts: dict[str, str], compiled: set[str]) -> Iterator[Inheritance]:
    """Yield the classes of interpreted modules that inherit from a class of a compiled one."""
    for module, text in texts.items():
        if module in compiled:
            continue
        tree = ast.parse(text)
        names = {
            alias.asname or alias.name: (node.module or "", alias.name)
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                for base in node.bases:
                    where, name = names.get(ast.unparse(base), ("", ""))
                    if where in compiled and _is_native(texts[where], name):
                        yield Inheritance(module, node.name, f"{where}.{name}")


def _is_native(text: str, name: str) -> bool:
    """Return whether mypyc compiles a class to one of its own kind."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef) and node.name == name:
            bases = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
            return not bases & {"Enum", "IntEnum", "StrEnum", "Flag", "NamedTuple", "Protocol"}
    return False
