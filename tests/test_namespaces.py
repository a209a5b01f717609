"""What the harness of hosts in namespaces reads and writes, without root."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from tests import namespaces
from tests.namespaces import Counters, Host, counted, counters, cut, drop_above, lossy, missing

DEV = """\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop
    lo:       0       0    0    0    0     0          0         0        0       0    0    0
  eth0: 1234567     890    0    1    0     0          0        12   654321     321    0    2
 eth01:       7       1    0    0    0     0          0         0        8       2    0    0
"""


def host(port: str) -> Host:
    """A host without a namespace, at a port."""
    made = object.__new__(Host)
    made.ports = [port]
    return made


def test_the_counters_of_an_interface():
    assert counters(DEV, "eth0") == Counters(1234567, 890, 654321, 321)
    assert counters(DEV, "eth01") == Counters(7, 1, 8, 2)
    with pytest.raises(ValueError, match="no interface 'eth1'"):
        counters(DEV, "eth1")


def test_rules_name_the_way_and_count_what_they_drop():
    a, b, c = host("p1"), host("p2"), host("p3")
    assert drop_above(600) == "udp length > 608 counter drop"
    assert drop_above(600, to=b) == "oifname p2 udp length > 608 counter drop"
    assert (
        lossy(0.25, source=a, to=b)
        == "iifname p1 oifname p2 numgen random mod 10000 < 2500 counter drop"
    )
    assert cut([a, b], [c]) == (
        "iifname { p1, p2 } oifname { p3 } counter drop",
        "iifname { p3 } oifname { p1, p2 } counter drop",
    )


def test_all_counters_are_added_up():
    rule = [{"match": {}}, {"counter": {"packets": 3, "bytes": 300}}, {"drop": None}]
    ruleset = [{"metainfo": {}}, {"table": {}}, {"rule": {"expr": rule}}, {"rule": {"expr": rule}}]
    assert counted(json.dumps({"nftables": ruleset})) == (6, 600)
    assert counted('{"nftables": []}') == (0, 0)


def test_what_is_missing_is_said(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert missing() == "network namespaces need root"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda tool: None if tool == "nft" else tool)
    assert missing().startswith("nft not installed")


def test_a_system_that_makes_none_says_why(monkeypatch):
    def refused(name: str) -> None:
        raise OSError("unshare --net: Operation not permitted")

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda tool: tool)
    monkeypatch.setattr(namespaces, "Switch", refused)
    assert missing().endswith("makes no network namespaces: unshare --net: Operation not permitted")
