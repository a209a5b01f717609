"""The state file: helps when it can, and never stands in the way."""

import json
import os

import pytest

from gossipmm.agent.state import Memory, load, save

ME = {"name": "a", "cluster": "c"}


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "state.json")


def test_what_was_saved_is_loaded(path):
    memory = Memory(5 << 16, (("127.0.0.1", 1), ("::1", 2)))
    assert save(path, memory, **ME) == ""
    assert load(path, **ME) == memory


def test_a_missing_file_is_a_first_start(path, caplog):
    assert load(path, **ME) == Memory()
    assert not caplog.records


def test_another_node_or_cluster_is_not_remembered(path):
    save(path, Memory(5), **ME)
    assert load(path, name="b", cluster="c") == Memory()
    assert load(path, name="a", cluster="d") == Memory()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"generation": "5"}',
        '{"generation": -1}',
        f'{{"generation": {1 << 62}}}',
        '{"generation": 5}',
        "[" * 100_000,
        "\xff",
    ],
)
def test_a_damaged_file_is_said_and_not_used(path, text, caplog):
    with open(path, "wb") as file:
        file.write(text.encode("latin-1"))
    assert load(path, **ME) == Memory()
    assert "not used" in caplog.text


def test_peers_that_are_no_addresses_are_left_out(path):
    save(path, Memory(5, (("127.0.0.1", 1),)), **ME)
    with open(path) as file:
        state = json.load(file)
    state["peers"] += ["nonsense", 3, None]
    with open(path, "w") as file:
        json.dump(state, file)
    assert load(path, **ME).peers == (("127.0.0.1", 1),)


def test_why_a_file_cannot_be_written_is_returned(tmp_path):
    assert "No such file" in save(str(tmp_path / "no" / "state.json"), Memory(5), **ME)


def test_only_one_file_is_left(path, tmp_path):
    for generation in range(3):
        save(path, Memory(generation), **ME)
    assert [entry.name for entry in tmp_path.iterdir()] == ["state.json"]


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: os.symlink("/etc/hostname", path)])
def test_neither_a_pipe_nor_a_link_is_read(path, make, caplog):
    """A start once waited for ever for somebody to write into a pipe of that name."""
    make(path)
    assert load(path, **ME) == Memory()
    assert "not used" in caplog.text


def test_what_a_link_leads_to_is_never_overwritten(path, tmp_path):
    """Of the file, and of the one that is written before it takes its place."""
    precious = tmp_path / "precious"
    precious.write_text("x")
    os.symlink(precious, path)
    os.symlink(precious, f"{path}.{os.getpid()}.new")
    assert save(path, Memory(5), **ME) == ""
    assert precious.read_text() == "x"
    assert load(path, **ME) == Memory(5)
