"""Ask for known vulnerabilities of everything that is locked, with pip-audit.

    python .ci/audit.py

Fails when there is one that .ci/advisories.toml does not accept. Where no answer can be had, as
without a network or from a mirror that has no advisories, it says so and does not fail: what is
known already is held by tests/test_supply_chain.py, offline.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
LOCKS = ("requirements.txt", "fuzz.txt")
#: Seconds: one question a package, some 130 of them.
_LIMIT = 120


def ask() -> tuple[dict[str, Any] | None, str]:
    """Return pip-audit's report, or why there is none."""
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes"]
    for lock in LOCKS:
        command += ["--requirement", str(HERE / lock)]
    command += ["--format", "json", "--progress-spinner", "off", "--timeout", "10"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT, check=False)
        report = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return None, f"no answer within {_LIMIT} s"
    except ValueError:
        lines = done.stderr.strip().splitlines() or ["pip-audit said nothing"]
        return None, lines[-1][:200]
    return report, ""


def accepted() -> dict[str, str]:
    """Return the ids that do not count, with the reason for each."""
    listed = tomllib.loads((HERE / "advisories.toml").read_text("utf-8")).get("accepted", [])
    return {one["id"]: one["reason"] for one in listed}


def judge(report: dict[str, Any], known: dict[str, str]) -> tuple[list[str], int]:
    """Return what is to be said of a report, and how many vulnerabilities are not accepted."""
    said, bad = [], 0
    packages = report["dependencies"]
    skipped = [one for one in packages if "skip_reason" in one]
    for one in packages:
        for found in one.get("vulns", []):
            ids = {found["id"], *found.get("aliases", [])}
            why = next((known[each] for each in sorted(ids) if each in known), "")
            bad += not why
            mended = ", ".join(found["fix_versions"]) or "no version"
            said.append(
                f"{one['name']} {one['version']}: {' '.join(sorted(ids))}, mended in {mended}"
                + (f"; accepted: {why}" if why else "")
            )
    said.append(f"{len(packages) - len(skipped)} of {len(packages)} packages looked up, {bad} bad")
    if skipped:
        said.append(
            f"not looked up: {len(skipped)} packages, of which this index tells nothing"
            f" ({skipped[0]['skip_reason'][:100]})"
        )
    return said, bad


def main() -> int:
    """Ask, say, and return the exit status."""
    report, why = ask()
    if report is None:
        print(f"not looked up, which is no failure: {why}")
        return 0
    said, bad = judge(report, accepted())
    print("\n".join(said))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
