"""What the comparison with Serf reads and writes, without root and without Serf."""

from __future__ import annotations

import json
import sys

import pytest

from tests.bench import beside_serf
from tests.bench.beside_serf import ROWS, heading, main, serf_version, table
from tests.bench.beside_serf_measures import Usage, cpu, memory, wakeups
from tests.bench.beside_serf_nodes import Node, Notice, ours_notices, serf_notices

RECORD = {
    "at": "2026-11-28T21:30:46Z",
    "machine": {
        "cpu": "A CPU",
        "cores": 2,
        "kernel": "6.1",
        "python": "3.11.7",
        "gossipmm": "0.1.0 at abc",
        "serf": "0.9.4-1",
    },
    "load_before": 1.25,
    "nodes": 10,
    "split": 60.0,
    "encrypted": False,
    "unfinished": [],
    "ours": {"crash_dead_s": [1.0, 3.0, 2.0], "heal_s": [0.5], "rss_mib": [30.0], "leave_ms": []},
    "serf": {"crash_dead_s": [8.0, 4.0, 9.0], "heal_s": [40.0], "rss_mib": [0.0], "leave_ms": [1]},
}


@pytest.mark.parametrize(
    ("line", "notices"),
    [
        ("==> Serf agent running!", [("up", "me")]),
        ("    2026/11/28 21:27:20 [INFO] serf: EventMemberJoin: n2 10.9.0.2", [("alive", "n2")]),
        (
            "    2026/11/28 21:27:31 [INFO] serf: EventMemberFailed: n3 10.9.0.3",
            [("out", "n3"), ("dead", "n3")],
        ),
        (
            "    2026/11/28 21:27:36 [INFO] serf: EventMemberLeave: n2 10.9.0.2",
            [("out", "n2"), ("left", "n2")],
        ),
        ("    2026/11/28 21:27:23 [INFO] serf: EventMemberUpdate: n2", [("changed", "n2")]),
        # What handlers are told comes a second later: it is not what is measured.
        ("    2026/11/28 21:27:32 [INFO] agent: Received event: member-failed", []),
        ("    2026/11/28 21:27:31 [INFO] memberlist: Suspect n3 has failed, no acks received", []),
        ("                      Node name: 'n1'", []),
        ("", []),
    ],
)
def test_lines_of_serf(line, notices):
    assert serf_notices(line, "me") == notices


@pytest.mark.parametrize(
    ("told", "notices"),
    [
        ({"event": "started", "at": 1.0}, [("up", "me")]),
        ({"event": "host_changed", "topic": "compute", "host": "b", "state": "live"}, ["alive"]),
        ({"event": "host_changed", "topic": "compute", "host": "b", "state": "suspect"}, ["out"]),
        ({"event": "host_changed", "topic": "compute", "host": "b", "state": None}, ["out"]),
        ({"event": "host_changed", "topic": "change-1", "host": "b", "state": "live"}, ["changed"]),
        ({"event": "host_changed", "topic": "change-1", "host": "b", "state": None}, []),
        ({"event": "member_died", "name": "b"}, ["dead"]),
        ({"event": "member_left", "name": "b"}, ["left"]),
        ({"event": "member_joined", "name": "b"}, []),
        ({"asked": "members", "answer": []}, []),
    ],
)
def test_lines_of_ours(told, notices):
    expected = [(what, "b") if isinstance(what, str) else what for what in notices]
    assert ours_notices(json.dumps(told), "me") == expected
    assert ours_notices("not JSON", "me") == []


def test_what_a_node_said():
    node = object.__new__(Node)
    node.notices = [
        Notice("alive", "b", 1.0),
        Notice("alive", "c", 2.0),
        Notice("alive", "b", 3.0),
        Notice("out", "c", 4.0),
        Notice("alive", "c", 5.0),
        Notice("out", "d", 6.0),
    ]
    assert node.alive() == {"b": 1.0, "c": 5.0}
    assert node.first("alive", "b") == 1.0
    assert node.first("alive", "b", since=2.0) == 3.0
    assert node.first("left", "b") is None


def test_what_a_process_used():
    fields = ["S", "1"] + ["0"] * 9 + ["150", "50"] + ["0"] * 30
    # A name may have spaces and brackets.
    assert cpu(f"7 (a) b) {' '.join(fields)}\n") == pytest.approx(2.0)
    assert memory("55d0-7fff ---p 00:00 0 [rollup]\nRss:  2048 kB\nPss:  1024 kB\n") == (2.0, 1.0)
    status = "Name:\ta\nvoluntary_ctxt_switches:\t42\nnonvoluntary_ctxt_switches:\t7\n"
    assert wakeups(status) == 42
    assert wakeups("") == 0
    assert Usage(0.0, 1, 2, 3.0, 4).packets == 2


def test_a_table_of_medians_and_ratios():
    shown = table(RECORD, markdown=True).splitlines()
    assert shown[0] == heading(RECORD)
    assert "10 real agents of each, not encrypted, 2026-11-28" in shown[0]
    assert "load 1.2 before" in shown[0]
    assert shown[2:] == [
        "|  | ours | Serf | ours / Serf | runs |",
        "|---|---|---|---|---|",
        "| killed: dead for all | 2.00 s (1.00-3.00) | 8.00 s (4.00-9.00) | 0.25 | 3 |",
        "| halves cut for 60 s: all list all again | 0.50 s | 40.00 s | 0.013 | 1 |",
        "| RSS of a node | 30.0 MiB | 0.0 MiB | - | 1 |",
    ]
    assert len(table(RECORD, markdown=False).splitlines()) == 6


def test_every_row_can_be_written():
    figures = {key: [1.0] for key in ROWS}
    record = {**RECORD, "ours": figures, "serf": figures}
    assert len(table(record, markdown=True).splitlines()) == 4 + len(ROWS)


def test_what_did_not_come_to_its_end_is_told():
    record = {**RECORD, "unfinished": ["serf, repetition 2: after 240 s: not all list all"]}
    shown = table(record, markdown=True)
    assert shown.endswith("\n\nNot finished: serf, repetition 2: after 240 s: not all list all.")


def test_the_version_of_serf():
    told = "0.8.2-dev\nAgent Protocol: 5 (Understands back to: 2)\n"
    assert serf_version(told, "0.9.4~ds1-1+b13") == "0.9.4~ds1-1+b13 (calls itself 0.8.2-dev)"
    assert serf_version("Serf v0.10.1\n", "") == "Serf v0.10.1"
    assert serf_version("", "") == "?"


def test_without_serf_it_says_so_and_measures_nothing(monkeypatch, capsys):
    monkeypatch.setattr(beside_serf, "missing", lambda: "")
    monkeypatch.setattr(beside_serf.shutil, "which", lambda tool: None)
    monkeypatch.setattr(sys, "argv", ["beside_serf"])
    main()
    assert capsys.readouterr().out == "skipped: serf is not installed (Debian: serf)\n"
    monkeypatch.setattr(beside_serf, "missing", lambda: "network namespaces need root")
    main()
    assert capsys.readouterr().out == "skipped: network namespaces need root\n"


def test_records_are_shown_without_measuring(monkeypatch, capsys, tmp_path):
    path = tmp_path / "records.jsonl"
    path.write_text(f"{json.dumps(RECORD)}\n{json.dumps(RECORD)}\n")
    monkeypatch.setattr(sys, "argv", ["beside_serf", "--show", str(path), "--markdown"])
    main()
    assert capsys.readouterr().out.count("| killed: dead for all |") == 2
