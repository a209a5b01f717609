"""The control socket is a file: nothing of anybody else's is taken over or removed."""

import os
import socket
import stat
import threading

import pytest

from gossipmm.errors import BindError
from gossipmm.sidecar.http.listening import listen_tcp, listen_unix


def test_it_listens_for_owner_and_group_and_is_gone_at_the_end(tmp_path):
    path = tmp_path / "folder" / "a.sock"
    listener = listen_unix(str(path))
    assert stat.S_IMODE(os.lstat(path).st_mode) == 0o660
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    listener.close()
    listener.close()
    assert not path.exists()


def test_the_socket_of_a_living_agent_is_left_alone(tmp_path):
    path = str(tmp_path / "a.sock")
    first = listen_unix(path)
    with pytest.raises(BindError, match="another agent is served at .*: choose another path"):
        listen_unix(path)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
    first.close()


def test_the_socket_of_a_killed_agent_is_replaced(tmp_path):
    path = str(tmp_path / "a.sock")
    first = listen_unix(path)
    first.sock.close()  # as when a process is killed: the file stays
    second = listen_unix(path)
    first.close()  # what comes late removes nothing of the second's
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
    second.close()


@pytest.mark.parametrize("make", ["file", "folder", "link"])
def test_what_is_no_socket_is_left_alone(tmp_path, make):
    path = tmp_path / "a.sock"
    if make == "file":
        path.write_text("precious")
    elif make == "folder":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BindError, match="exists and is not a socket: it was left alone"):
        listen_unix(str(path))
    assert os.path.lexists(path)


def test_a_path_that_cannot_be_is_said(tmp_path):
    with pytest.raises(BindError, match="has 1[0-9]{2} bytes, but a socket's path has at most 107"):
        listen_unix("/tmp/" + "x" * 120)
    (tmp_path / "file").write_text("")
    with pytest.raises(BindError, match="cannot listen at"):
        listen_unix(str(tmp_path / "file" / "a.sock"))


def test_of_many_that_start_at_once_one_wins(tmp_path):
    path = str(tmp_path / "a.sock")
    listen_unix(path).sock.close()  # left behind: all of them find it stale
    won, lost = [], []

    def start():
        try:
            won.append(listen_unix(path))
        except BindError as exc:
            lost.append(str(exc))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), len(lost)) == (1, 7)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
    won[0].close()


def test_a_port_in_use_is_said():
    first = listen_tcp(0)
    port = first.getsockname()[1]
    with pytest.raises(BindError, match=f"control_port: .*:{port}: the port is in use"):
        listen_tcp(port)
    first.close()
