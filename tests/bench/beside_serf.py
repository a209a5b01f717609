"""Real agents of ours beside as many of Debian's ``serf``, in the same runs, on the same machine.

    python -m tests.bench.beside_serf               # 25 nodes, three times each: 20 minutes
    python -m tests.bench.beside_serf --nodes 10 --repeat 1
    python -m tests.bench.beside_serf --show sim/results/beside_serf.jsonl --markdown

Needs root, iproute2, nftables and ``apt-get install serf``; says so and ends when one is missing.
Each repetition starts a cluster of one kind, measures all of it, ends it, and does the same with
the other kind. The figures depend on the machine and on what else it does; the ratio of two figures
of one run does so far less. What counts as the same thing in both:

* *known*: the member list of an agent has it, as its own output tells at that moment. For ours that
  is the list of live hosts of a topic, which is what callers are answered.
* *a change*: a registration (ours), a tag (Serf). User events of Serf change no state, and are not
  this. Counted for ours from when the command is written to the agent, for Serf from when the
  agent's own output has it, so that starting ``serf tags`` does not count.
* *dead*: ours declared dead, Serf's failed. Ours is *out of lookups* before that, when suspected;
  Serf lists a suspect as alive.
* *leave*: SIGINT, which both take as a graceful leave, until the last of the others no longer lists
  it. A Serf agent that misses the intent to leave takes the leave for a crash: such are counted.
* *heal*: halves cut for some time; until all list all again. Serf tries to reach the failed every
  30 s, all agents at about the same moment: the cuts of the repetitions end at different times of
  that span. Each crash and each leave, which come afterwards, takes one member away.
* *idle*: after a rest, IP packets and bytes sent, CPU and wake-ups, over a span that has room for
  Serf's full exchanges over TCP (every 30 s).

All settings are the defaults of each (LAN), except Serf's interval of retries of a first join.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.beside_serf_measures import Cluster
from tests.bench.beside_serf_nodes import KINDS, Kind
from tests.namespaces import missing

__all__ = ("main", "table")

#: Figure -> what it is called in the table, and how it is written.
ROWS = {
    "start_ms": ("start of one agent", "{:.0f} ms"),
    "join_s": ("all start at once and join one: all list all", "{:.2f} s"),
    "join_after_last_ms": ("the same, from when the last one is up", "{:.0f} ms"),
    "change_median_ms": ("a change is known to half", "{:.0f} ms"),
    "change_last_ms": ("a change is known to all", "{:.0f} ms"),
    "crash_out_s": ("killed: in nobody's answers", "{:.2f} s"),
    "crash_first_s": ("killed: dead for the first", "{:.2f} s"),
    "crash_dead_s": ("killed: dead for all", "{:.2f} s"),
    "leave_ms": ("leave known to all", "{:.0f} ms"),
    "leave_as_crash": ("leave taken for a crash, by", "{:.0f} nodes"),
    "heal_s": ("halves cut for {split:g} s: all list all again", "{:.2f} s"),
    "idle_bytes_per_s": ("idle: bytes sent by a node", "{:.0f} B/s"),
    "idle_packets_per_s": ("idle: packets sent by a node", "{:.2f}/s"),
    "idle_cpu_percent": ("idle: CPU of a node", "{:.3f} % of a core"),
    "idle_wakeups_per_s": ("idle: wake-ups of a node", "{:.1f}/s"),
    "rss_mib": ("RSS of a node", "{:.1f} MiB"),
    "pss_mib": ("PSS of a node", "{:.1f} MiB"),
}

#: Seconds between two tries of a Serf agent to reach one that failed. All agents of a cluster
#: start together, so all try together: the cuts of the repetitions are spread over that time, or
#: all would end just before such a moment, or all just after it.
RECONNECT = 30.0

Figures = dict[str, list[float]]


def serf_version(text: str, package: str) -> str:
    """Return Serf's version; Debian's build calls itself a development version of another one."""
    first = text.splitlines()[0].strip() if text.strip() else "?"
    return f"{package.strip()} (calls itself {first})" if package.strip() else first


def machine() -> dict[str, Any]:
    """Return what ran, on what."""
    cpus = re.findall(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    package = ["dpkg-query", "-W", "-f", "${Version}", "serf"]
    commit = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    return {
        "cpu": cpus[0] if cpus else platform.machine(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "gossipmm": f"{version('gossipmm')} at {_said(commit)}",
        "serf": serf_version(_said(["serf", "version"]), _said(package)),
    }


def _said(words: list[str]) -> str:
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def once(kind: Kind, options: argparse.Namespace, number: int) -> Iterator[dict[str, float]]:
    """Measure one cluster of a kind, the ``number``-th of it."""
    with Cluster(kind, options.nodes) as cluster:
        yield cluster.join()
        yield cluster.idle(options.settle, options.idle)
        for _ in range(options.times):
            yield cluster.change()
        if options.split:
            time.sleep(RECONNECT * number / options.repeat)
            yield cluster.heal(options.split)
        for _ in range(options.times):
            yield cluster.crash()
        for _ in range(options.times):
            yield cluster.leave()


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Measure both, in turn; return the line that is put on record."""
    found: dict[str, Figures] = {kind.name: defaultdict(list) for kind in KINDS}
    record: dict[str, Any] = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": machine(),
        "load_before": os.getloadavg()[0],
        "unfinished": [],
    }
    fields = ("nodes", "repeat", "times", "settle", "idle", "split", "encrypted")
    record |= {field: getattr(options, field) for field in fields}
    for number in range(options.repeat):
        for kind_of in KINDS:
            with tempfile.TemporaryDirectory() as folder:
                kind = kind_of(Path(folder), encrypted=options.encrypted)
                try:
                    for figures in once(kind, options, number):
                        shown = ", ".join(f"{key} {value:.4g}" for key, value in figures.items())
                        print(f"{number + 1} {kind.name}: {shown}", file=sys.stderr, flush=True)
                        for key, value in figures.items():
                            found[kind.name][key].append(round(value, 4))
                except TimeoutError as exc:  # what one of them does not do is a result as well
                    record["unfinished"].append(f"{kind.name}, repetition {number + 1}: {exc}")
    return record | found


def table(record: dict[str, Any], *, markdown: bool) -> str:
    """Write a record as a table: medians (smallest and largest), and ours divided by Serf's."""
    lines = []
    for key, (words, form) in ROWS.items():
        ours, serf = record["ours"].get(key), record["serf"].get(key)
        if not ours or not serf:
            continue
        one, other = median(ours), median(serf)
        ratio = f"{one / other:.2g}" if other else "-"
        shown = (words.format(**record), cell(form, ours), cell(form, serf))
        cells = (*shown, ratio, str(len(ours)))
        if markdown:
            lines.append(f"| {' | '.join(cells)} |")
        else:
            lines.append(f"{cells[0]:48}{cells[1]:>34}{cells[2]:>34}{cells[3]:>8}{cells[4]:>4}")
    heads = ("", "ours", "Serf", "ours / Serf", "runs")
    if markdown:
        top = [f"| {' | '.join(heads)} |", "|---|---|---|---|---|"]
    else:
        top = [f"{heads[0]:48}{heads[1]:>34}{heads[2]:>34}{'ratio':>8}{'n':>4}"]
    return "\n".join([heading(record), "", *top, *lines, *unfinished(record)])


def unfinished(record: dict[str, Any]) -> list[str]:
    """Say what did not come to its end."""
    return [f"\nNot finished: {words}." for words in record["unfinished"]]


def cell(form: str, figures: list[float]) -> str:
    """Write the median of some figures, and between which they were."""
    number = form.split()[0].removesuffix("/s")
    low, high = number.format(min(figures)), number.format(max(figures))
    return form.format(median(figures)) + (f" ({low}-{high})" if low != high else "")


def heading(record: dict[str, Any]) -> str:
    """Say what a record is of."""
    on = record["machine"]
    sealed = "encrypted" if record["encrypted"] else "not encrypted"
    return (
        f"{record['nodes']} real agents of each, {sealed}, {record['at'][:10]}: gossipmm "
        f"{on['gossipmm']} (CPython {on['python']}), serf {on['serf']}; {on['cores']} cores of "
        f"{on['cpu']}, Linux {on['kernel']}, load {record['load_before']:.1f} before the run."
    )


def main() -> None:
    """Measure and print the table and the record, or print the tables of a file of records."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nodes", type=int, default=25)
    parser.add_argument("--repeat", type=int, default=3, help="clusters of each kind")
    parser.add_argument("--times", type=int, default=2, help="changes, crashes, leaves in each")
    parser.add_argument("--settle", type=float, default=15.0, help="seconds of rest before idle")
    parser.add_argument("--idle", type=float, default=60.0, help="seconds that are counted")
    parser.add_argument("--split", type=float, default=60.0, help="seconds of the cut; 0: none")
    parser.add_argument("--encrypted", action="store_true", help="with a key, both")
    parser.add_argument("--markdown", action="store_true", help="print tables for RESULTS.md")
    parser.add_argument("--out", type=Path, help="append the record to this file")
    parser.add_argument("--show", type=Path, help="print the tables of a file; measure nothing")
    options = parser.parse_args()
    if options.nodes < 2 * options.times + 3:
        parser.error(
            f"--nodes: {options.nodes} leaves too few after {options.times} crashes and leaves"
        )
    if options.show:
        for line in options.show.read_text().splitlines():
            print(table(json.loads(line), markdown=options.markdown), end="\n\n")
        return
    lacking = missing() or ("" if shutil.which("serf") else "serf is not installed (Debian: serf)")
    if lacking:
        print(f"skipped: {lacking}")
        return
    record = run(options)
    print(table(record, markdown=options.markdown))
    line = json.dumps(record)
    print(line)
    if options.out:
        with options.out.open("a") as file:
            print(line, file=file)


if __name__ == "__main__":
    main()
