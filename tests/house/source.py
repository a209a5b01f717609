"""The source as a graph: which file imports which, read from the text, never by importing it.

Imports inside functions and under ``if TYPE_CHECKING`` count: a type is a dependency, too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

__all__ = ("ROOT", "circles", "graph", "imports", "modules", "name_of", "python_files", "relative")

ROOT = Path(__file__).parents[2]
#: Where the import system finds each package.
_PACKAGES = (("gossipmm", ROOT), ("gossipmm_sim", ROOT / "sim"))


def python_files(folder: str) -> list[Path]:
    """Return every Python file below a folder of the repository; there is at least one."""
    found = sorted((ROOT / folder).rglob("*.py"))
    assert found, f"{folder}/ holds no Python file: was it moved?"
    return found


def relative(path: Path) -> str:
    """Return a path as it reads from the root of the repository."""
    return path.relative_to(ROOT).as_posix()


def name_of(path: Path) -> str:
    """Return the dotted name under which a file of either package is imported."""
    for package, root in _PACKAGES:
        if path.is_relative_to(root / package):
            parts = path.relative_to(root).with_suffix("").parts
            return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    raise ValueError(f"{path} belongs to neither package")


@cache
def modules() -> Mapping[str, Path]:
    """Return every module of both packages, by dotted name."""
    found = (p for package, root in _PACKAGES for p in sorted((root / package).rglob("*.py")))
    return {name_of(path): path for path in found}


@cache
def parsed(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text(), str(path))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, module) for each import of a file.

    ``from a import b`` gives ``a.b`` where that is a module of ours, else ``a``.
    """
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute here"
            assert node.module is not None
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield node.lineno, inner if inner in modules() else node.module


@cache
def graph() -> Mapping[str, frozenset[str]]:
    """Return for each module the modules of both packages that it imports."""
    known = modules()
    return {
        name: frozenset(other for _, other in imports(path) if other in known) - {name}
        for name, path in known.items()
    }


def circles(edges: Mapping[str, frozenset[str]]) -> list[tuple[str, ...]]:
    """Return the strongly connected components of more than one module (Tarjan 1972)."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(name: str) -> None:
        order[name] = lowest[name] = len(order)
        stack.append(name)
        for other in sorted(edges[name]):
            if other not in order:
                visit(other)
                lowest[name] = min(lowest[name], lowest[other])
            elif other in stack:
                lowest[name] = min(lowest[name], order[other])
        if lowest[name] == order[name]:
            start = stack.index(name)
            component = stack[start:]
            del stack[start:]
            if len(component) > 1:
                found.append(tuple(sorted(component)))

    for name in sorted(edges):
        if name not in order:
            visit(name)
    return sorted(found)
