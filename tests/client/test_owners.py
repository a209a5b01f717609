"""Whoever could have made a socket could be handed the cluster's key.

``gossipmm keys add FILE --control NAME`` once believed whatever lay in the default folder, which
was one in the shared temporary folder: a local user who made it first, or a link of that name, was
sent the key.
"""

import os
import socket
import stat

import pytest

from gossipmm.client import owners
from gossipmm.client.blocking import Client
from gossipmm.client.owners import fault_of_folder, fault_of_peer
from gossipmm.client.place import Place, default_folder, find, parse
from gossipmm.client.trio import TrioClient
from gossipmm.errors import AgentUnreachableError

STRANGER = 65534


@pytest.fixture
def strange(monkeypatch):
    """Give files to somebody else: really as root, else by asking as another user."""

    def strange(*paths):
        if os.geteuid() == 0:
            for path in paths:
                os.chown(path, STRANGER, -1, follow_symlinks=False)
        else:
            mine = os.geteuid()
            monkeypatch.setattr(os, "geteuid", lambda: mine + 1)

    return strange


@pytest.fixture
def shared(tmp_path):
    """A folder like /tmp."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    folder.chmod(0o1777)
    return folder


@pytest.fixture
def listen():
    sockets = []

    def listen(path):
        sock = socket.socket(socket.AF_UNIX)
        sockets.append(sock)
        sock.bind(str(path))
        sock.listen()
        return path

    yield listen
    for sock in sockets:
        sock.close()


@pytest.fixture
def user(shared, monkeypatch):
    """The environment of a user whose sockets would lie in ``shared``/gossipmm."""
    monkeypatch.setattr("gossipmm.client.place._folder_of_user", lambda _: f"{shared}/gossipmm")
    monkeypatch.setattr("gossipmm.client.place._SYSTEM", f"{shared}/gossipmm")
    return {}


def test_a_folder_of_ones_own_has_no_fault(tmp_path):
    assert fault_of_folder(str(tmp_path)) == ""
    assert fault_of_folder(str(tmp_path / "missing")) == ""


def test_a_folder_that_a_stranger_made(shared, strange):
    folder = shared / "gossipmm"
    folder.mkdir()
    strange(folder)
    assert "belongs to user" in fault_of_folder(str(folder))


def test_a_link_that_a_stranger_made(shared, strange, tmp_path):
    link = shared / "gossipmm"
    link.symlink_to(tmp_path)
    strange(link)
    assert "is a link that user" in fault_of_folder(str(link))


def test_a_folder_that_everybody_may_write(tmp_path):
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    assert "can be written by everybody (mode 0777)" in fault_of_folder(str(folder))


def test_a_file_is_not_a_folder(tmp_path):
    (tmp_path / "x").touch()
    assert "is not a folder" in fault_of_folder(str(tmp_path / "x"))


def test_a_services_folder_where_only_root_makes_folders(tmp_path, strange, monkeypatch):
    """As systemd gives /run/gossipmm to the service's user; other users' clients may use it."""
    if os.geteuid() != 0:
        pytest.skip("only root can make a folder that root alone could have made")
    folder = tmp_path / "run"
    folder.mkdir()
    strange(folder)
    assert fault_of_folder(str(folder)) == ""


def test_a_squatted_folder_is_never_looked_into(user, shared, strange, listen):
    folder = shared / "gossipmm"
    folder.mkdir()
    listen(folder / "a.sock")
    assert parse("a", user).path == f"{folder}/a.sock"
    strange(folder)
    with pytest.raises(AgentUnreachableError, match="a was not asked: .*gossipmm belongs to user"):
        parse("a", user)
    with pytest.raises(AgentUnreachableError, match="not looked at: .*gossipmm belongs to user"):
        find(None, user)


async def test_a_stranger_that_listens_in_tmp_is_sent_nothing(shared, listen, monkeypatch):
    """Given by its path, in a folder where anybody may have been first."""
    path = str(listen(shared / "a.sock"))
    monkeypatch.setattr(owners, "_trusted", lambda uid: False)
    with pytest.raises(AgentUnreachableError, match=r"a\.sock was not asked: user \d+ listens"):
        Client(path).topics()
    async with TrioClient(path) as client:
        with pytest.raises(AgentUnreachableError, match=r"a\.sock was not asked: user \d+ listens"):
            await client.topics()


def test_a_service_of_another_user_in_a_folder_of_its_own_is_asked(tmp_path, listen, monkeypatch):
    path = str(listen(tmp_path / "a.sock"))
    monkeypatch.setattr(owners, "_trusted", lambda uid: False)
    with Place(path).connect(1) as sock:
        assert fault_of_peer(sock, path) == ""
        # And not one that serves a socket which it does not own.
        other = os.stat_result((stat.S_IFSOCK | 0o600, 0, 0, 1, 4711, 0, 0, 0, 0, 0))
        monkeypatch.setattr(os, "lstat", lambda path: other)
        assert "listens there, neither you" in fault_of_peer(sock, path)


def test_the_default_folder_is_never_one_that_is_shared(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("HOME", "/home/x")
    assert default_folder({"TMPDIR": "/var/tmp"}) == "/home/x/.local/state/gossipmm"
    assert default_folder({"XDG_STATE_HOME": "/home/x/s"}) == "/home/x/s/gossipmm"
    monkeypatch.setenv("HOME", "nowhere")
    assert default_folder({}) == "/run/gossipmm"
