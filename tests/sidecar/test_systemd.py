"""What systemd is told: over a datagram socket, and only if it asked for it."""

import os
import socket

import pytest
import trio

from gossipmm.sidecar.ops.systemd import keep_telling, notify, unit


@pytest.fixture
def manager(tmp_path, monkeypatch):
    """The manager's socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.delenv("WATCHDOG_USEC", raising=False)
        monkeypatch.delenv("WATCHDOG_PID", raising=False)
        yield sock


def told(manager):
    found = []
    while True:
        try:
            found.append(manager.recv(4096).decode())
        except BlockingIOError:
            return found


def test_it_is_told(manager):
    assert notify("READY=1", "STATUS=joined")
    assert told(manager) == ["READY=1\nSTATUS=joined"]


def test_without_a_manager_nothing_happens(monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", "/no/such/socket")
    assert not notify("READY=1")


def test_an_abstract_socket_is_one_too(monkeypatch):
    name = f"gossipmm-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("\0" + name)
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + name)
        assert notify("READY=1")
        assert sock.recv(100) == b"READY=1"


async def test_the_watchdog_is_fed_three_times_in_its_interval(
    autojump_clock, manager, monkeypatch
):
    monkeypatch.setenv("WATCHDOG_USEC", "3000000")
    status = "joined; 1 live peer"
    with trio.move_on_after(9.5):
        await keep_telling(lambda: status)
    messages = told(manager)
    assert messages == ["WATCHDOG=1\nSTATUS=joined; 1 live peer", *["WATCHDOG=1"] * 9]


async def test_the_watchdog_of_another_process_is_not_fed_faster(
    autojump_clock, manager, monkeypatch
):
    monkeypatch.setenv("WATCHDOG_USEC", "3000000")
    monkeypatch.setenv("WATCHDOG_PID", "1")
    with trio.move_on_after(9.5):
        await keep_telling(lambda: "fine")
    assert len(told(manager)) == 2


def test_the_unit_names_what_was_asked_for():
    text = unit("/opt/bin/gossipmm", "/etc/g.toml", "rpc")
    assert "Type=notify" in text
    assert "ExecStart=/opt/bin/gossipmm agent --config /etc/g.toml" in text
    assert "Group=rpc" in text
    assert "{" not in text


def test_the_unit_hands_the_key_of_the_node_to_the_service():
    made = unit("gossipmm", "/etc/g.toml", "ops", identity="/etc/gossipmm/b.identity")
    assert "LoadCredential=identity:/etc/gossipmm/b.identity\n" in made
    assert "--set identity_key=${CREDENTIALS_DIRECTORY}/identity\n" in made
    assert "keyring" not in made


def test_the_unit_survives_an_address_that_comes_late():
    """Five starts within ten seconds, which is the default limit, and it stayed dead."""
    text = unit("/opt/bin/gossipmm", "/etc/g.toml", "rpc")
    unit_section = text.partition("[Service]")[0]
    assert "\nStartLimitIntervalSec=0\n" in unit_section
    assert "\nAfter=network-online.target\n" in unit_section
    assert "\nRestart=on-failure\n" in text
