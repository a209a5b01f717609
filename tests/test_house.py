"""The rooms of the house: who may import whom, and what must not be there.

Walks the imports as they stand in the source (``tests/house/source.py``) against the room table
(``tests/house/rooms.py``): they point downwards only, and no two files import each other.
"""

import ast
import importlib
import subprocess
import sys

import pytest

from tests.house import rooms, source
from tests.house.source import ROOT, imports, python_files

#: What the sans-IO core must not know of: input and output, clocks, threads, an event loop.
NOT_IN_CORE = {
    "asyncio",
    "datetime",
    "logging",
    "multiprocessing",
    "os",
    "pathlib",
    "secrets",
    "select",
    "selectors",
    "signal",
    "socket",
    "subprocess",
    "sys",
    "tempfile",
    "threading",
    "time",
    "trio",
    "uuid",
}
#: What a plain ``pip install gossipmm`` brings; other packages are for the sidecar and the CLI.
LIGHT = {"trio", "cbor2", "cryptography"}
LIGHT_ROOMS = {*rooms.GOSSIPMM} - {"sidecar", "cli", "__main__"}
#: What the simulator is made of besides itself.
SIM_ROOMS = {"errors", "mechanisms", "names", "config", "settings", "core", "matchmaker"}
#: Imported late, and only if somebody asks for what they do.
OPTIONAL = {"dns", "gevent", "eventlet", "greenlet"}


#: Package -> its rooms from the bottom up. A package named in another one's list is one room there.
TABLES = {
    "gossipmm": rooms.GOSSIPMM,
    "gossipmm.core": rooms.CORE,
    "gossipmm.sidecar": rooms.SIDECAR,
    "gossipmm_sim": rooms.SIM,
}


def graph():
    """Return the import graph without what only passes on a published name."""
    published = set(rooms.PUBLISHED)
    return {
        name: frozenset(other for other in others if (name, other) not in published)
        for name, others in source.graph().items()
    }


def upwards(package):
    """Yield (module, other) for each import of a package's module from a room above its own."""
    table = TABLES[package]

    def room(name):
        return name.removeprefix(f"{package}.").split(".")[0] if name != package else None

    for name, others in graph().items():
        if not name.startswith(f"{package}."):
            continue
        assert room(name) in table, f"{name}: a new room wants its place in tests/house/rooms.py"
        for other in others:
            inside = other.startswith(f"{package}.")
            if inside and table.index(room(other)) > table.index(room(name)):
                yield name, other


@pytest.mark.parametrize("package", TABLES)
def test_imports_point_downwards_only(package):
    found = set(upwards(package))
    known = {pair for pair in rooms.UPWARDS if pair[0].startswith(f"{package}.")}
    assert found <= known, f"upwards: {sorted(found - known)}"


def test_every_import_that_may_point_upwards_still_does():
    """An exception that is not needed is a door left open."""
    found = {pair for package in TABLES for pair in upwards(package)}
    assert found >= rooms.UPWARDS, f"mended, so strike them out: {sorted(rooms.UPWARDS - found)}"


@pytest.mark.parametrize(("module", "home"), rooms.PUBLISHED)
def test_a_name_published_below_its_room_is_for_programs_only(module, home):
    """It is imported when somebody asks for it, and our own code asks its home."""
    name = rooms.PUBLISHED[module, home]
    assert home in source.graph()[module], f"{module} passes nothing on: strike it out in rooms.py"
    for path in [*python_files("gossipmm"), *python_files("sim")]:
        for node in ast.walk(source.parsed(path)):
            if isinstance(node, ast.ImportFrom) and node.module == module:
                names = {alias.name for alias in node.names}
                assert name not in names, f"{path}:{node.lineno}: import {name} from {home}"
    code = f"import sys, {module}; print({home!r} in sys.modules, {module}.{name}.__module__)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert result.stdout == f"False {home}\n"


def test_every_room_of_the_table_exists():
    for package, table in TABLES.items():
        for room in table:
            inside = f"{package}.{room}"
            assert inside in source.modules(), f"{inside} is in the table only"


def test_no_two_files_import_each_other_directly_or_around_a_corner():
    """Strongly connected components of the import graph, of both packages at once."""
    found = set(source.circles(graph()))
    new = [" -> ".join(circle) for circle in sorted(found - rooms.KNOWN_CIRCLES)]
    gone = [" -> ".join(circle) for circle in sorted(rooms.KNOWN_CIRCLES - found)]
    assert not new, "these files import each other: " + "; ".join(new)
    assert not gone, "gone or changed, so strike it out in rooms.py: " + "; ".join(gone)


def test_the_search_for_circles_finds_them():
    edges = {
        "a": {"b"},
        "b": {"c"},
        "c": {"a", "d"},
        "d": {"e"},
        "e": set(),
        "f": {"a", "g"},
        "g": {"f"},
    }
    assert source.circles(edges) == [("a", "b", "c"), ("f", "g")]


def test_gossipmm_never_imports_the_simulator_or_the_tests():
    for path in python_files("gossipmm"):
        for line, module in imports(path):
            top = module.split(".")[0]
            assert top not in ("gossipmm_sim", "sim", "tests"), f"{path}:{line}: imports {module}"


@pytest.mark.parametrize("path", python_files("gossipmm/core"), ids=source.relative)
def test_the_core_has_no_input_or_output_and_no_chance_of_its_own(path):
    for line, module in imports(path):
        top = module.split(".")[0]
        assert top not in NOT_IN_CORE, f"{path}:{line}: the core imports {module}"
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            drawn = node.value.id == "random" and node.attr != "Random"
            assert not drawn, f"{path}:{node.lineno}: random.{node.attr} is module-level randomness"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("open", "print", "input"), f"{path}:{node.lineno}"


@pytest.mark.parametrize("path", python_files("gossipmm/matchmaker"), ids=source.relative)
def test_the_matchmaker_is_synchronous_and_knows_nothing_of_gossip(path):
    for line, module in imports(path):
        where = f"{path}:{line}: the matchmaker imports {module}"
        assert module.split(".")[0] not in ("trio", "asyncio", "socket"), where
        if module.startswith("gossipmm.core"):
            assert module in ("gossipmm.core.values.types", "gossipmm.core.values.hosts"), where


@pytest.mark.parametrize("path", python_files("gossipmm/text"), ids=source.relative)
def test_sentences_are_made_of_values_alone(path):
    """What makes a sentence asks nobody and decides nothing: codes come in, text goes out."""
    for line, module in imports(path):
        where = f"{path}:{line}: text imports {module}"
        if module.startswith("gossipmm."):
            assert module.startswith(("gossipmm.core.values.", "gossipmm.text.")) or module in (
                "gossipmm.addresses",
                "gossipmm.errors",
            ), where
        else:
            assert module.split(".")[0] in sys.stdlib_module_names, where


@pytest.mark.parametrize("path", python_files("sim"), ids=source.relative)
def test_the_simulator_drives_cores_from_its_own_heap(path):
    for line, module in imports(path):
        where = f"{path}:{line}: sim imports {module}"
        # What runs programs of a loop in the cluster's time knows that loop.
        loops = ("trio", "asyncio") if "loops" in path.parts else ()
        assert module.split(".")[0] not in {"trio", "socket", "asyncio"} - {*loops}, where
        if module.startswith("gossipmm."):
            room = module.split(".")[1]
            assert room in SIM_ROOMS, where


@pytest.mark.parametrize("path", python_files("gossipmm"), ids=source.relative)
def test_the_embeddable_part_needs_no_more_than_it_installs(path):
    if source.name_of(path).partition(".")[2].split(".")[0] not in LIGHT_ROOMS:
        return
    for line, module in imports(path):
        top = module.split(".")[0]
        known = top in sys.stdlib_module_names or top in {"gossipmm", *LIGHT, *OPTIONAL}
        assert known, f"{path}:{line}: {module} is not installed by pip install gossipmm"


def packages():
    """Every package and module of gossipmm that says what is public."""
    for path in python_files("gossipmm"):
        if any(
            isinstance(node, ast.Assign)
            and any(isinstance(name, ast.Name) and name.id == "__all__" for name in node.targets)
            for node in ast.parse(path.read_text()).body
        ):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize("name", sorted(packages()))
def test_all_is_a_sorted_tuple_of_names_that_exist(name):
    module = importlib.import_module(name)
    public = module.__all__
    assert isinstance(public, tuple)
    assert list(public) == sorted(set(public), key=_as_ruff_sorts)
    for each in public:
        assert getattr(module, each) is not None, f"{name}.{each}"


def _as_ruff_sorts(name):
    """Constants, then classes, then the rest."""
    bare = name.lstrip("_")
    constant = bare.isupper() and len(bare) > 1
    return (0 if constant else 1 if bare[0].isupper() else 2, name)


def test_the_facade_names_what_it_types():
    """What type checkers see and what ``__getattr__`` gives are the same names."""
    import gossipmm

    tree = ast.parse((ROOT / "gossipmm/__init__.py").read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    typed = {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert typed == gossipmm._ORIGIN
    assert {*typed, "__version__"} == set(gossipmm.__all__)
    assert set(gossipmm.__all__) <= set(dir(gossipmm))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = gossipmm.nothing


def test_the_package_is_typed_and_carries_its_licence():
    assert (ROOT / "gossipmm/py.typed").exists()
    assert "Apache License" in (ROOT / "gossipmm/LICENSE").read_text()


def test_importing_gossipmm_loads_nothing():
    code = "import sys, gossipmm; print([m for m in sys.modules if m.startswith('gossipmm.')])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert result.stdout == "[]\n"


def test_no_compiled_module_hides_a_source():
    """Built in place (``HATCH_BUILD_HOOK_ENABLE_CUSTOM=1 pip install .``) they stay behind."""
    left = [str(path.relative_to(ROOT)) for path in ROOT.glob("*.so")]
    left += [str(path) for room in ("gossipmm", "sim") for path in (ROOT / room).rglob("*.so")]
    assert not left, "perhaps older than their sources: git clean -f '*.so'"
