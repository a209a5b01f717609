"""What is allowed, what is locked and what the wheel says of it: without a network."""

from __future__ import annotations

import importlib.util
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent
CI = ROOT / ".ci"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
ADVISORIES = tomllib.loads((CI / "advisories.toml").read_text("utf-8"))["advisory"]
BILL = json.loads((CI / "gossipmm.cdx.json").read_text("utf-8"))


def _audit() -> Any:
    spec = importlib.util.spec_from_file_location("audit", CI / "audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def bounds() -> dict[str, Version]:
    """Return the lowest version that each requirement allows."""
    lists = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    found = {}
    for text in (text for texts in lists for text in texts):
        requirement = Requirement(text)
        for each in requirement.specifier:
            if each.operator == ">=":
                found[canonicalize_name(requirement.name)] = Version(each.version)
    return found


def locked() -> dict[str, set[Version]]:
    """Return the versions that the checks install; of a few packages one for each Python."""
    found: dict[str, set[Version]] = {}
    for lock in ("requirements.txt", "fuzz.txt"):
        for name, version in re.findall(r"^(\S+)==([^\s;]+)", (CI / lock).read_text(), re.M):
            found.setdefault(canonicalize_name(name), set()).add(Version(version))
    return found


@pytest.mark.parametrize("advisory", ADVISORIES, ids=lambda each: each["id"])
def test_nothing_with_a_known_vulnerability_is_allowed_or_locked(advisory: dict[str, str]) -> None:
    """Version 46.0.5 of cryptography was allowed after 46.0.7 had mended a buffer overflow."""
    name, fixed = advisory["package"], Version(advisory["fixed"])
    assert bounds()[name] >= fixed
    assert min(locked()[name]) >= fixed


def test_every_requirement_has_a_lower_bound_that_is_locked_or_less() -> None:
    names = {canonicalize_name(Requirement(text).name) for text in PROJECT["dependencies"]}
    assert names <= set(bounds())
    for name, lowest in bounds().items():
        assert min(locked()[name]) >= lowest


def test_the_bill_of_materials_is_what_is_locked() -> None:
    """.ci/sbom writes it; .ci/lock does, with the lock."""
    root = BILL["metadata"]["component"]
    assert (root["name"], root["version"]) == ("gossipmm", PROJECT["version"])
    assert (BILL["bomFormat"], BILL["specVersion"]) == ("CycloneDX", "1.6")
    listed = {canonicalize_name(each["name"]): each for each in BILL["components"]}
    for name, each in listed.items():
        assert Version(each["version"]) in locked()[name], f"{name}: run .ci/sbom"
        assert each["purl"] == f"pkg:pypi/{name}@{each['version']}"
    extras = PROJECT["optional-dependencies"]
    needed = [
        *PROJECT["dependencies"],
        *(text for name in ("sidecar", "dns", "sim") for text in extras[name]),
    ]
    assert {canonicalize_name(Requirement(text).name) for text in needed} <= set(listed)
    (direct,) = (each for each in BILL["dependencies"] if each["ref"] == root["bom-ref"])
    assert len(direct["dependsOn"]) >= len(PROJECT["dependencies"])


def test_the_bill_of_materials_has_nothing_of_the_machine_that_wrote_it() -> None:
    assert not re.search(r"/(root|home|tmp|work)/|file:", json.dumps(BILL))


VULNERABLE = {
    "name": "x",
    "version": "1",
    "vulns": [{"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["2"], "description": ""}],
}


def test_a_vulnerability_is_told_and_fails_the_audit() -> None:
    said, bad = _audit().judge({"dependencies": [VULNERABLE]}, {})
    assert bad == 1
    assert said[0] == "x 1: CVE-1 PYSEC-1, mended in 2"


def test_one_that_is_accepted_is_told_with_its_reason() -> None:
    said, bad = _audit().judge({"dependencies": [VULNERABLE]}, {"CVE-1": "not called here"})
    assert bad == 0
    assert said[0].endswith("mended in 2; accepted: not called here")


def test_what_could_not_be_looked_up_is_told_and_fails_nothing() -> None:
    """A mirror of the index that has no advisories, or no network, is no vulnerability."""
    skipped = [{"name": name, "skip_reason": "not found on PyPI"} for name in "abc"]
    said, bad = _audit().judge({"dependencies": skipped}, {})
    assert bad == 0
    assert said == [
        "0 of 3 packages looked up, 0 bad",
        "not looked up: 3 packages, of which this index tells nothing (not found on PyPI)",
    ]


def test_no_report_at_all_is_told_and_fails_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    audit = _audit()
    monkeypatch.setattr(audit, "ask", lambda: (None, "ConnectionError: no network"))
    assert audit.main() == 0
    assert "not looked up, which is no failure: ConnectionError" in capsys.readouterr().out


def test_whatever_pip_audit_says_instead_of_a_report_is_handed_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    audit = _audit()
    monkeypatch.setattr(audit.sys, "executable", "/bin/false")
    assert audit.ask() == (None, "pip-audit said nothing")
