"""The UDP port, over real sockets on loopback: it sends at once and is there at once."""

import errno
import socket
import sys
from types import SimpleNamespace

import pytest
import trio

from gossipmm.agent.network import SystemNetwork
from gossipmm.agent.udp import open_port


@pytest.fixture
def pair():
    """Two ports on IPv4."""
    ports = open_port("127.0.0.1", 0), open_port("127.0.0.1", 0)
    yield ports
    for port in ports:
        port.close()


async def received(port):
    with trio.fail_after(5):
        await port.wait_readable()
    return port.receive()


async def test_datagrams_arrive_with_their_source(pair):
    one, other = pair
    one.send(b"hello", other.address)
    assert await received(other) == (b"hello", one.address)
    assert other.receive() is None


async def test_ipv6_on_loopback():
    one, other = open_port("::1", 0), open_port("::1", 0)
    one.send(b"hello", other.address)
    assert await received(other) == (b"hello", one.address)
    assert other.address[0] == "::1"
    assert not one.reaches(("127.0.0.1", 1))
    with pytest.raises(OSError, match="IPv6 socket does not reach") as caught:
        one.send(b"hello", ("127.0.0.1", 1))
    assert caught.value.errno == errno.EAFNOSUPPORT
    one.close()
    other.close()


async def test_a_dual_stack_port_shows_and_reaches_ipv4_as_ipv4(pair):
    dual = open_port("::", 0)
    four, _ = pair
    four.send(b"to dual", ("127.0.0.1", dual.address[1]))
    assert await received(dual) == (b"to dual", four.address)
    dual.send(b"from dual", four.address)
    assert await received(four) == (b"from dual", ("127.0.0.1", dual.address[1]))
    assert dual.address[0] == "::"
    dual.close()


async def test_a_datagram_that_is_too_long_is_cut_but_still_too_long(pair):
    one, other = pair
    one.send(bytes(9000), other.address)
    data, _ = await received(other)
    assert len(data) == 2048


@pytest.mark.parametrize(
    ("address", "number"),
    [
        (("127.0.0.1", 0), errno.EINVAL),
        (("127.0.0.1", 65536), errno.EINVAL),
        (("127.0.0.1", -1), errno.EINVAL),
        (("::1", 5), errno.EAFNOSUPPORT),
    ],
)
def test_an_address_that_cannot_be_sent_to_is_an_os_error(pair, address, number):
    with pytest.raises(OSError, match=".") as caught:
        pair[0].send(b"", address)
    assert caught.value.errno == number


def test_a_name_is_never_resolved_by_sending(pair):
    with pytest.raises(OSError, match="illegal IP address"):
        pair[0].send(b"", ("localhost", 5))


def test_an_address_in_use_is_refused_also_to_a_second_agent(pair):
    with pytest.raises(OSError, match="in use"):
        open_port(*pair[0].address)


def test_the_receive_buffer_is_enlarged(pair):
    size = pair[0]._sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
        usual = plain.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    assert size > usual


async def test_the_system_resolves_names_and_literals():
    network = SystemNetwork()
    assert ("127.0.0.1", 5) in await network.resolve("localhost", 5)
    assert await network.resolve("::1", 5) == [("::1", 5)]
    with pytest.raises(OSError, match="."):
        await network.resolve("a." * 100 + "invalid", 5)
    with pytest.raises(OSError, match="."):
        await network.resolve("a" * 64 + ".invalid", 5)


async def test_srv_records_are_read_with_dnspython(monkeypatch):
    target = SimpleNamespace(to_text=lambda omit_final_dot: "a.example.org")
    records = [SimpleNamespace(target=target, port=7947)]

    def resolve(name, kind):
        if name != "_gossipmm._udp.example.org" or kind != "SRV":
            raise LookupError("no such name")
        return records

    monkeypatch.setitem(sys.modules, "dns.resolver", SimpleNamespace(resolve=resolve))
    monkeypatch.setitem(sys.modules, "dns.exception", SimpleNamespace(DNSException=LookupError))
    network = SystemNetwork()
    assert await network.resolve_srv("_gossipmm._udp.example.org") == [("a.example.org", 7947)]
    with pytest.raises(OSError, match="no such name"):
        await network.resolve_srv("_other._udp.example.org")


async def test_srv_without_dnspython_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "dns.resolver", None)
    with pytest.raises(OSError, match=r"pip install 'gossipmm\[dns\]'"):
        await SystemNetwork().resolve_srv("_gossipmm._udp.example.org")


def test_core_time_does_not_go_back():
    network = SystemNetwork()
    assert network.now() <= network.now()
    assert network.wall_ms() > 1_700_000_000_000


@pytest.mark.skipif(sys.platform != "linux", reason="options of Linux")
@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "::"])
def test_no_datagram_is_fragmented_nor_shrunk_by_what_routers_say(host):
    """The kernel cut datagrams into fragments, which VPNs and firewalls lose in silence.

    What a router says of a path is anybody's word: with IP_PMTUDISC_PROBE (3) it changes nothing.
    """
    port = open_port(host, 0)
    try:
        sock = port._sock
        assert sock.getsockopt(socket.IPPROTO_IP, 10) == 3
        if ":" in host:
            assert sock.getsockopt(socket.IPPROTO_IPV6, 23) == 3
    finally:
        port.close()
