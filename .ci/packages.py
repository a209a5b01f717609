"""Hold the built packages against what they promise.

    python .ci/packages.py sdist FILE.tar.gz
    python .ci/packages.py wheel FILE.whl
    python .ci/packages.py compiled FILE.whl

An sdist has all that building from it takes. A wheel has ``gossipmm`` and ``gossipmm_sim`` at its
top, nothing else, and no results of campaigns; in its metadata is a bill of materials (PEP 770). A
compiled one has a compiled module for each source that pyproject.toml names, and for no other: a
room that its patterns do not match would be left interpreted, and nobody would see it but by the
clock.
"""

from __future__ import annotations

import json
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parent.parent
#: What a build reads, and what a user of the simulator cannot do without.
NEEDED = (
    ".ci/gossipmm.cdx.json",
    ".ci/hatch_build.py",
    ".ci/hatch_metadata.py",
    ".ci/python_for.py",
    "pyproject.toml",
    "README.md",
    "gossipmm/py.typed",
    "gossipmm/LICENSE",
    "gossipmm/core/wire/wire.cddl",
    "gossipmm/docs/howto/sick-cluster.md",
    "sim/gossipmm_sim/scenarios/join.toml",
)
#: Rooms of which all but what ``exclude`` names is compiled.
COMPILED_ROOM = "gossipmm/core"


def hook() -> dict[str, list[str]]:
    """Read the settings of the build hook."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    found: dict[str, list[str]] = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"][
        "custom"
    ]
    return found


def to_compile() -> set[str]:
    """Give the sources that are to be compiled, as paths in a wheel."""
    include, exclude = hook()["include"], [one.lstrip("/") for one in hook()["exclude"]]
    gone = [one for one in exclude if "/" in one and not (ROOT / one).exists()]
    chosen: set[str] = set()
    for pattern in include:
        matched = {str(path.relative_to(ROOT)) for path in ROOT.glob(pattern.lstrip("/"))}
        if not matched:
            gone.append(pattern)
        chosen |= matched
    if gone:
        sys.exit(f"pyproject.toml: nothing matches {', '.join(gone)}")
    room = {str(path.relative_to(ROOT)) for path in (ROOT / COMPILED_ROOM).rglob("*.py")}
    chosen |= room
    kept = {one for one in chosen if one not in exclude and PurePosixPath(one).name not in exclude}
    return {one.removeprefix("sim/") for one in kept}


def check_sdist(path: str) -> str:
    """Look for what a build needs."""
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    missing = [name for name in NEEDED if name not in names]
    if missing:
        sys.exit(f"{path} lacks {', '.join(missing)}")
    return f"{len(names)} files, the build hook among them"


def check_wheel(path: str) -> str:
    """Look at the top of a wheel, and for what is not for users."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        bills = [name for name in names if ".dist-info/sboms/" in name]
        materials = [json.loads(archive.read(name)) for name in bills]
    if [bill["bomFormat"] for bill in materials] != ["CycloneDX"]:
        sys.exit(f"{path} has no bill of materials, but {bills}")
    tops = {name.partition("/")[0] for name in names if ".dist-info/" not in name}
    if tops != {"gossipmm", "gossipmm_sim"}:
        sys.exit(f"{path} has {', '.join(sorted(tops))} at its top")
    wrong = [name for name in names if "results" in name.lower() or name.endswith((".so", ".c"))]
    wanted = [one.removeprefix("sim/") for one in NEEDED if one.startswith(("sim/", "gossipmm/"))]
    wanted.remove("gossipmm/LICENSE")  # it is in the folder of the metadata
    missing = [name for name in wanted if name not in names]
    if wrong or missing:
        sys.exit(f"{path} has {wrong or 'nothing wrong'}, and lacks {missing or 'nothing'}")
    return f"{len(names)} files in gossipmm and gossipmm_sim"


def check_compiled(path: str) -> str:
    """Compare the compiled modules with the sources that are to be compiled."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    built = {
        str(PurePosixPath(name).parent / PurePosixPath(name).name.partition(".")[0]) + ".py"
        for name in names
        if name.endswith((".so", ".pyd")) and "__mypyc" not in name
    }
    wanted = to_compile()
    if built != wanted:
        sys.exit(
            f"{path}: not compiled: {', '.join(sorted(wanted - built)) or 'none'};"
            f" compiled, but not asked for: {', '.join(sorted(built - wanted)) or 'none'}"
        )
    return f"{len(built)} compiled modules, as many as pyproject.toml asks for"


CHECKS = {"sdist": check_sdist, "wheel": check_wheel, "compiled": check_compiled}

if __name__ == "__main__":
    kind, path = sys.argv[1:]
    print(f"{kind}: {CHECKS[kind](path)}")
