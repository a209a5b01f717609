"""Finding an agent: by path, by name, by address, or as the only one that runs."""

import os
import socket

import pytest

from gossipmm.client.place import Place, default_folder, find, parse, socket_path
from gossipmm.errors import AgentUnreachableError, ConfigError


@pytest.fixture
def user(tmp_path, monkeypatch):
    """An ordinary user, with a folder for sockets; returns the environment."""
    monkeypatch.setattr(os, "geteuid", lambda: os.stat(tmp_path).st_uid or 1000)
    monkeypatch.setattr("gossipmm.client.place._SYSTEM", str(tmp_path / "system"))
    return {"XDG_RUNTIME_DIR": str(tmp_path)}


@pytest.fixture
def listen():
    sockets = []

    def listen(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        sock = socket.socket(socket.AF_UNIX)
        sockets.append(sock)
        sock.bind(path)
        sock.listen()
        return sock

    yield listen
    for sock in sockets:
        sock.close()


def test_default_folders(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert default_folder({}) == "/run/gossipmm"
    assert default_folder({"XDG_RUNTIME_DIR": "/run/user/0"}) == "/run/gossipmm"
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert default_folder({"XDG_RUNTIME_DIR": "/run/user/1000"}) == "/run/user/1000/gossipmm"
    # systemd's RuntimeDirectory= comes first, whoever runs it.
    assert default_folder({"RUNTIME_DIRECTORY": "/run/x:/run/y"}) == "/run/x"


def test_a_name_is_quoted_into_a_file_name(user):
    assert socket_path("rack/7", user).endswith("/gossipmm/rack%2F7.sock")
    assert socket_path("host-a.example.org", user).endswith("/host-a.example.org.sock")
    assert "/" not in os.path.basename(socket_path("..", user))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("/run/x.sock", Place("/run/x.sock")),
        ("./x.sock", Place("./x.sock")),
        ("unix:/run/x.sock", Place("/run/x.sock")),
        ("127.0.0.1:7980", Place("", "127.0.0.1", 7980)),
        ("http://localhost:7980/", Place("", "localhost", 7980)),
        ("[::1]:7980", Place("", "[::1]", 7980)),
    ],
)
def test_what_is_written(text, place):
    assert parse(text, {}) == place


@pytest.mark.parametrize("text", ["none", "", "localhost:0", "localhost:99999"])
def test_what_names_no_agent(text):
    with pytest.raises(ConfigError, match="--control"):
        parse(text, {})


def test_a_name_is_found_in_ones_own_folder_or_the_systems(user, listen):
    listen(f"{user['XDG_RUNTIME_DIR']}/gossipmm/a.sock")
    listen(f"{user['XDG_RUNTIME_DIR']}/system/b.sock")
    assert parse("a", user).path.endswith("/gossipmm/a.sock")
    assert parse("b", user).path.endswith("/system/b.sock")
    assert parse("c", user).path.endswith("/gossipmm/c.sock")


def test_the_only_agent_is_meant(user, listen):
    with pytest.raises(AgentUnreachableError, match="no agent runs with a socket in .*gossipmm ag"):
        find(None, user)
    first = listen(f"{user['XDG_RUNTIME_DIR']}/gossipmm/a.sock")
    listen(f"{user['XDG_RUNTIME_DIR']}/gossipmm/killed.sock").close()  # left behind
    with open(f"{user['XDG_RUNTIME_DIR']}/gossipmm/x.sock", "w"):
        pass
    assert find(None, user) == Place(f"{user['XDG_RUNTIME_DIR']}/gossipmm/a.sock")
    listen(f"{user['XDG_RUNTIME_DIR']}/system/b.sock")
    with pytest.raises(ConfigError, match=r"2 agents run here \(a, b\): say which one"):
        find(None, user)
    assert find("b", user).path.endswith("/system/b.sock")
    assert find(None, {**user, "GOSSIPMM_CONTROL": "a"}).path.endswith("/gossipmm/a.sock")
    first.close()


def test_why_nobody_could_be_reached(tmp_path):
    with pytest.raises(AgentUnreachableError, match="there is no such socket"):
        Place(str(tmp_path / "x")).connect(1)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "y"))
        with pytest.raises(AgentUnreachableError, match="nothing listens there"):
            Place(str(tmp_path / "y")).connect(1)
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        with pytest.raises(AgentUnreachableError, match="http://127.0.0.1:.*nothing listens"):
            Place("", "127.0.0.1", sock.getsockname()[1]).connect(1)


def test_a_socket_in_the_working_directory_needs_no_slash():
    """``--control a.sock`` once looked for the agent named "a.sock" in the default folder."""
    assert parse("a.sock", {}).path == "a.sock"
