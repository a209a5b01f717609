"""The rooms of the house and who may enter whom; what is public, and that it is there.

Walks the imports as they stand in the source, those inside functions included: imports point
downwards only. (``if TYPE_CHECKING`` imports count, too: a type is a dependency.)
"""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

#: Room -> the rooms of gossipmm that it may import from (itself is a matter of course).
ROOMS = {
    "errors": set(),
    "config": {"errors"},
    "addresses": {"errors"},
    "settings": {"errors", "config", "addresses"},
    "core": {"errors", "config"},
    "keyfile": {"errors", "config", "core"},
    "client": {"errors", "config", "addresses", "settings"},
    "matchmaker": {"errors", "config", "settings", "core"},
}
ROOMS["agent"] = {*ROOMS}
ROOMS["embed"] = ROOMS["sidecar"] = {*ROOMS}
ROOMS["cli"] = {*ROOMS}
ROOMS["__main__"] = {"cli"}
#: The facade only re-exports.
ROOMS["__init__"] = {"agent", "config", "core", "errors", "matchmaker", "settings"}
#: Upwards, in one function: a matchmaker that is built without an agent opens one itself.
UPWARDS = {("gossipmm/matchmaker/gossip.py", "embed")}

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
LIGHT_ROOMS = {"errors", "config", "addresses", "settings", "core", "matchmaker", "agent", "embed"}
#: Imported late, and only if somebody asks for what they do.
OPTIONAL = {"dns", "gevent", "eventlet", "greenlet"}


def modules(package):
    return sorted((ROOT / package).rglob("*.py"))


def imports(path):
    """Yield (line, module) of every import of a file."""
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute here"
            if node.module == "gossipmm":
                yield from ((node.lineno, f"gossipmm.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, node.module


def room_of(path):
    parts = path.relative_to(ROOT / "gossipmm").with_suffix("").parts
    return parts[0]


def ids(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", modules("gossipmm"), ids=ids)
def test_imports_point_downwards_only(path):
    room = room_of(path)
    assert room in ROOMS, f"{room}: a new room wants its place in this test"
    for line, module in imports(path):
        top, *rest = module.split(".")
        where = f"{path}:{line}"
        assert top not in ("gossipmm_sim", "tests"), f"{where}: gossipmm never imports {top}"
        if top == "gossipmm" and rest:
            other = rest[0]
            allowed = other in ROOMS[room] | {room} or (ids(path), other) in UPWARDS
            assert allowed or other not in ROOMS, f"{where}: {room} imports from {other}"


@pytest.mark.parametrize("path", modules("gossipmm/core"), ids=ids)
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


@pytest.mark.parametrize("path", modules("gossipmm/matchmaker"), ids=ids)
def test_the_matchmaker_is_synchronous_and_knows_nothing_of_gossip(path):
    for line, module in imports(path):
        where = f"{path}:{line}: the matchmaker imports {module}"
        assert module.split(".")[0] not in ("trio", "asyncio", "socket"), where
        if module.startswith("gossipmm.core"):
            assert module == "gossipmm.core.values.types", where


@pytest.mark.parametrize("path", modules("sim"), ids=ids)
def test_the_simulator_drives_cores_from_its_own_heap(path):
    for line, module in imports(path):
        where = f"{path}:{line}: sim imports {module}"
        assert module.split(".")[0] not in ("trio", "socket", "asyncio"), where
        if module.startswith("gossipmm."):
            room = module.split(".")[1]
            assert room in ("core", "matchmaker", "config", "errors", "settings"), where


@pytest.mark.parametrize("path", modules("gossipmm"), ids=ids)
def test_the_embeddable_part_needs_no_more_than_it_installs(path):
    if room_of(path) not in LIGHT_ROOMS:
        return
    for line, module in imports(path):
        top = module.split(".")[0]
        known = top in sys.stdlib_module_names or top in {"gossipmm", *LIGHT, *OPTIONAL}
        assert known, f"{path}:{line}: {module} is not installed by pip install gossipmm"


def packages():
    """Every package and module of gossipmm that says what is public."""
    for path in modules("gossipmm"):
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
