"""The classical ring file: read strictly, written in one step."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossipmm.core.values.types import HostState
from gossipmm.matchmaker import (
    FanoutRingExchange,
    MatchMakerException,
    MatchMakerGossip,
    MatchMakerRing,
    RingExchange,
    RingFileError,
    RoundRobinRingExchange,
    load_ring,
    ring_of,
    write_ring,
)
from gossipmm.matchmaker import exchanges as exchanges_module
from gossipmm.matchmaker.ring import check_ring
from tests.matchmaker.helpers import live, view

WRONG = {
    "not JSON": "{'compute': ['a']}",
    "empty": "",
    "not UTF-8": b"\xff\xfe{}",
    "a list": '["compute"]',
    "null": "null",
    "a map of strings": '{"compute": "a"}',
    "a map of maps": '{"compute": {"a": 1}}',
    "a map of numbers": '{"compute": 1}',
    "a list of numbers": '{"compute": [1]}',
    "a host without a name": '{"compute": [""]}',
    "a topic without a name": '{"": ["a"]}',
    "too deep": "[" * 100_000,
}


@pytest.mark.parametrize("content", WRONG.values(), ids=WRONG)
def test_a_wrong_ring_file_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | bytes
) -> None:
    path = tmp_path / "ring.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    monkeypatch.setenv("GOSSIPMM_RING_FILE", str(path))
    for build in (
        MatchMakerRing,
        RingExchange,
        lambda: load_ring(path),
        lambda: MatchMakerGossip(ring_file=str(path)),
    ):
        with pytest.raises(RingFileError) as caught:
            build()
        assert str(caught.value).startswith(str(path))
        assert isinstance(caught.value, MatchMakerException)


def test_a_missing_ring_file_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOSSIPMM_RING_FILE", str(tmp_path / "none.json"))
    with pytest.raises(RingFileError, match="cannot be read: No such file"):
        MatchMakerRing()
    with pytest.raises(RingFileError, match="cannot be read: Is a directory"):
        load_ring(tmp_path)


def test_without_a_configured_file_the_classical_one_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "matchmaker_ring.json"
    monkeypatch.delenv("GOSSIPMM_RING_FILE", raising=False)
    monkeypatch.setenv("GOSSIPMM_CONFIG", "")
    monkeypatch.setattr(exchanges_module, "CLASSICAL_RING_FILE", str(path))
    assert MatchMakerRing().queues("compute") == []
    assert "GOSSIPMM_RING_FILE" in caplog.text
    path.write_text('{"compute": ["a"]}')
    assert MatchMakerRing().queues("compute") == [("compute.a", "a")]
    configured = tmp_path / "configured.json"
    configured.write_text('{"compute": ["b"]}')
    monkeypatch.setenv("GOSSIPMM_RING_FILE", str(configured))
    assert MatchMakerRing().queues("compute") == [("compute.b", "b")]


def test_a_ring_exchange_without_a_ring_reads_the_configured_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ring.json"
    path.write_text('{"compute": ["b", "a"]}')
    monkeypatch.setenv("GOSSIPMM_RING_FILE", str(path))
    assert RingExchange().ring == {"compute": ("b", "a")}
    assert RoundRobinRingExchange().run("compute") == [("compute.b", "b")]
    fanout = [("fanout~compute.b", "b"), ("fanout~compute.a", "a")]
    assert FanoutRingExchange().run("fanout~compute") == fanout
    config = tmp_path / "gossipmm.toml"
    config.write_text(f'ring_file = "{path}"\n')
    monkeypatch.delenv("GOSSIPMM_RING_FILE")
    monkeypatch.setenv("GOSSIPMM_CONFIG", str(config))
    assert FanoutRingExchange().run("fanout~compute") == fanout


@pytest.mark.parametrize("ring", [["compute"], {"compute": "a"}, {"compute": [b"a"]}, {1: ["a"]}])
def test_a_wrong_ring_argument_is_a_clear_error(ring: object) -> None:
    with pytest.raises(RingFileError):
        MatchMakerRing(ring)  # type: ignore[arg-type]


def test_a_ring_argument_is_copied() -> None:
    ring = {"compute": ["a"]}
    mm = MatchMakerRing(ring)
    ring["compute"].append("b")
    assert mm.queues("fanout~compute") == [("fanout~compute.a", "a")]


@given(st.dictionaries(st.text(min_size=1), st.lists(st.text(min_size=1))))
def test_a_ring_survives_the_way_through_a_file(
    tmp_path_factory: pytest.TempPathFactory, ring: dict[str, list[str]]
) -> None:
    path = tmp_path_factory.mktemp("ring") / "ring.json"
    write_ring(path, ring)
    assert load_ring(path) == check_ring(ring)


def test_the_live_table_becomes_a_ring_that_the_classical_matchmaker_reads(tmp_path: Path) -> None:
    topics = {
        "compute": view("compute", {**live("b", "a"), "c": HostState.DRAINING}),
        "nobody": view("nobody", {}),
    }
    path = tmp_path / "ring.json"
    write_ring(path, ring_of(topics))
    assert json.loads(path.read_text()) == {"compute": ["a", "b"]}
    assert MatchMakerRing(load_ring(path)).queues("compute") == [("compute.a", "a")]


def test_writing_replaces_the_old_file_or_leaves_it_alone(tmp_path: Path) -> None:
    path = tmp_path / "ring.json"
    write_ring(path, {"a": ["1"]})
    write_ring(path, {"b": ["2"]})
    assert load_ring(path) == {"b": ("2",)}
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [file.name for file in tmp_path.iterdir()] == ["ring.json"]
    (tmp_path / "directory").mkdir()
    with pytest.raises(RingFileError, match="cannot be written"):
        write_ring(tmp_path / "directory", {})
    with pytest.raises(RingFileError, match="cannot be written"):
        write_ring(tmp_path / "missing" / "ring.json", {})
    assert sorted(file.name for file in tmp_path.iterdir()) == ["directory", "ring.json"]
