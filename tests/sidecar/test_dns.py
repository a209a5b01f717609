"""The DNS responder: what it answers, what it does with nonsense, and that dig agrees."""

import logging
import logging.handlers
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
from contextlib import AsyncExitStack, suppress

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdatatype
import pytest
import trio
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gossipmm.agent import open_agent
from gossipmm.config import Config
from gossipmm.core.values.types import Status
from gossipmm.errors import BindError, ConfigError
from gossipmm.sidecar.dns.responder import serve
from gossipmm.sidecar.dns.zone import MAX_PAYLOAD, Zone
from tests.helpers import Mesh
from tests.processes.program import programs, until

MANY = [f"host-{number:02}" for number in range(12)]


class OfMesh:
    """The reading side of an agent, for a node of a mesh (virtual time, no Trio)."""

    def __init__(self, mesh, name):
        self._mesh = mesh
        self._node = mesh[name]
        self.config = mesh.config
        self.table = self._node.table
        self.member = self._node.member
        self.members = self._node.members

    def now(self):
        return self._mesh.now


def register(mesh, node, topic, host=None, metadata=None, **more):
    mesh[node].register(topic, host or node, metadata, now=mesh.now, **more)
    mesh.flush(node)


def zone_of(mesh, name, zone="gossipmm."):
    return Zone(OfMesh(mesh, name), zone, random.Random(1))


@pytest.fixture
def mesh():
    """Twelve nodes, host-00 ... host-11, at 10.0.0.1 ... 10.0.0.12."""
    mesh = Mesh()
    for number, name in enumerate(MANY):
        mesh.add(name, address=(f"10.0.0.{number + 1}", 7946))
        register(mesh, name, "all", metadata={"port": 9000 + number})
    register(mesh, "host-00", "Mixed")
    register(mesh, "host-01", "few", metadata={"port": "5050"})
    register(mesh, "host-02", "few")
    register(mesh, "host-03", "idle", draining=True)
    register(mesh, "host-04", "proxied", "somebody-else", {"port": 70000})
    register(mesh, "host-05", "proxied", "host-06", {"port": 7000})
    mesh.settle()
    return mesh


@pytest.fixture
def zone(mesh):
    """The zone as host-00 serves it."""
    return zone_of(mesh, "host-00")


def alone(name="a", address="10.0.0.1", **fields):
    """Return a mesh of one node that has nobody to join, and its zone."""
    mesh = Mesh(join=(), **fields)
    mesh.add(name, address=(address, 7946), join=(), **fields)
    return mesh, zone_of(mesh, name)


def ask(zone, name, rdtype="A", *, tcp=False, client="", **options):
    query = dns.message.make_query(name, rdtype, **options)
    wire = zone.answer_untrusted(query.to_wire(), tcp=tcp, client=client)
    assert len(wire) <= (65535 if tcp else min(max(512, options.get("payload", 0)), MAX_PAYLOAD))
    answer = dns.message.from_wire(wire)
    assert answer.id == query.id
    assert answer.question == query.question
    assert answer.flags & dns.flags.QR
    assert not answer.flags & dns.flags.RA
    return answer


def texts(answer):
    return [rdata.to_text() for rrset in answer.answer for rdata in rrset]


def outcome(answer):
    """Return (rcode, number of records, types in the authority section)."""
    authority = [dns.rdatatype.to_text(rrset.rdtype) for rrset in answer.authority]
    return dns.rcode.to_text(answer.rcode()), len(texts(answer)), authority


NOBODY, EMPTY, REFUSED = ("NXDOMAIN", 0, ["SOA"]), ("NOERROR", 0, ["SOA"]), ("REFUSED", 0, [])


def test_a_topic_is_all_of_its_live_hosts_in_another_order_each_time(zone):
    """Eight at random made HAProxy take nine healthy hosts down nineteen times in 20 s."""
    firsts = set()
    for _ in range(100):
        answer = ask(zone, "all.gossipmm.")
        found = texts(answer)
        assert sorted(found) == sorted(f"10.0.0.{number}" for number in range(1, 13))
        assert answer.answer[0].ttl == 0
        assert answer.flags & dns.flags.AA
        firsts.add(found[0])
    assert firsts == set(found)


def test_a_dead_host_is_in_no_answer(mesh, zone):
    assert sorted(texts(ask(zone, "few.gossipmm."))) == ["10.0.0.2", "10.0.0.3"]
    mesh.crash("host-02")
    mesh.run(10)
    assert texts(ask(zone, "few.gossipmm.")) == ["10.0.0.2"]
    # Its own name still says where it was: an operator wants to go there.
    assert texts(ask(zone, "host-02.node.gossipmm.")) == ["10.0.0.3"]
    mesh["host-01"].leave(mesh.now)
    mesh.flush("host-01")
    mesh.run(1)
    assert outcome(ask(zone, "few.gossipmm.")) == EMPTY
    assert outcome(ask(zone, "host-01.node.gossipmm.")) == EMPTY


def test_services_have_the_port_of_their_registration(zone):
    for protocol in ("udp", "tcp"):
        answer = ask(zone, f"_few._{protocol}.gossipmm.", "SRV")
        # The host without a port is left out.
        assert texts(answer) == ["0 1 5050 host-01.node.gossipmm."]
        assert [rrset.to_text() for rrset in answer.additional] == [
            "host-01.node.gossipmm. 0 IN A 10.0.0.2"
        ]


def test_a_host_that_is_no_member_is_found_at_those_who_register_it(zone):
    assert sorted(texts(ask(zone, "proxied.gossipmm."))) == ["10.0.0.5", "10.0.0.7"]
    # 70000 is no port; host-06 is a member, although another one registered it.
    found = texts(ask(zone, "_proxied._udp.gossipmm.", "SRV"))
    assert found == ["0 1 7000 host-06.node.gossipmm."]


def test_what_does_not_exist_and_what_has_no_such_record_are_told_apart(zone):
    expected = {
        ("all.gossipmm.", "AAAA"): EMPTY,
        ("all.gossipmm.", "TXT"): EMPTY,
        ("all.gossipmm.", "SRV"): EMPTY,
        ("idle.gossipmm.", "A"): EMPTY,
        ("nothing.gossipmm.", "A"): NOBODY,
        ("x.all.gossipmm.", "A"): NOBODY,
        ("_few._udp.gossipmm.", "A"): EMPTY,
        ("_idle._udp.gossipmm.", "SRV"): EMPTY,
        ("_nothing._udp.gossipmm.", "SRV"): NOBODY,
        ("few._udp.gossipmm.", "SRV"): NOBODY,
        ("_udp.gossipmm.", "SRV"): EMPTY,
        ("_tcp.gossipmm.", "A"): EMPTY,
        ("_few._sctp.gossipmm.", "SRV"): NOBODY,
        ("node.gossipmm.", "A"): EMPTY,
        ("host-99.node.gossipmm.", "A"): NOBODY,
        ("host-01.node.gossipmm.", "AAAA"): EMPTY,
        ("gossipmm.", "A"): EMPTY,
        ("gossipmm.", "AXFR"): REFUSED,
        ("example.com.", "A"): REFUSED,
        (".", "NS"): REFUSED,
        ("notgossipmm.", "A"): REFUSED,
    }
    found = {(name, rdtype): outcome(ask(zone, name, rdtype)) for name, rdtype in expected}
    assert found == expected
    assert outcome(ask(zone, "version.bind.", "TXT", rdclass="CH")) == REFUSED
    assert outcome(ask(zone, "all.gossipmm.", "A", rdclass="CH")) == REFUSED


def test_the_zone_has_a_start_of_authority_and_a_name_server(zone):
    assert texts(ask(zone, "gossipmm.", "SOA"))[0].startswith("localhost. root.localhost. ")
    assert texts(ask(zone, "gossipmm.", "NS")) == ["localhost."]
    assert outcome(ask(zone, "gossipmm.", "ANY")) == ("NOERROR", 2, [])
    assert outcome(ask(zone, "few.gossipmm.", "ANY")) == ("NOERROR", 2, [])


def test_case_is_ignored_and_given_back(mesh, zone):
    for name in ("mixed.gossipmm.", "MiXeD.GOSSIPMM.", "Mixed.gossipmm."):
        answer = ask(zone, name)
        assert texts(answer) == ["10.0.0.1"]
        assert answer.question[0].name.to_text() == name
    assert texts(ask(zone, "HOST-01.Node.gossipmm.")) == ["10.0.0.2"]
    assert texts(ask(zone, "_FEW._UDP.gossipmm.", "SRV")) == ["0 1 5050 host-01.node.gossipmm."]
    register(mesh, "host-00", "FEW")
    mesh.run(0.5)
    assert sorted(texts(ask(zone, "few.gossipmm."))) == ["10.0.0.1", "10.0.0.2", "10.0.0.3"]


def test_of_two_members_with_one_dns_name_the_live_one_answers(mesh, zone, caplog):
    """TEST and test are two members, and both answered for either, dead or not, in silence."""
    mesh.add("TEST", address=("10.0.1.1", 7946))
    mesh.add("test", address=("10.0.1.2", 7946))
    mesh.settle()
    mesh.run(0.5)
    for name in ("test", "TEST", "Test"):
        assert sorted(texts(ask(zone, f"{name}.node.gossipmm."))) == ["10.0.1.1", "10.0.1.2"]
    assert caplog.text.count("members 'TEST', 'test' have one name in DNS") == 1
    mesh.crash("TEST")
    mesh.until(lambda: mesh["host-00"].member("TEST").status is Status.DEAD, within=20)
    for name in ("test", "TEST"):
        assert texts(ask(zone, f"{name}.node.gossipmm.")) == ["10.0.1.2"]
    mesh.crash("test")
    mesh.until(lambda: mesh["host-00"].member("test").status is Status.DEAD, within=20)
    assert sorted(texts(ask(zone, "test.node.gossipmm."))) == ["10.0.1.1", "10.0.1.2"]
    assert caplog.text.count("one name in DNS") == 1


def test_what_was_registered_a_moment_ago_is_answered(mesh, zone):
    assert outcome(ask(zone, "brand-new.gossipmm.")) == NOBODY
    register(mesh, "host-00", "brand-new")
    assert texts(ask(zone, "brand-new.gossipmm.")) == ["10.0.0.1"]
    mesh.add("host-new", address=("10.0.0.13", 7946))
    mesh.until(lambda: mesh["host-00"].member("host-new") is not None)
    assert texts(ask(zone, "host-new.node.gossipmm.")) == ["10.0.0.13"]


def test_edns(zone):
    assert ask(zone, "all.gossipmm.").edns == -1
    answer = ask(zone, "all.gossipmm.", use_edns=0, payload=4096)
    assert (answer.edns, answer.payload, answer.rcode()) == (0, MAX_PAYLOAD, dns.rcode.NOERROR)
    tiny = ask(zone, "all.gossipmm.", use_edns=0, payload=100)
    assert len(texts(tiny)) == len(MANY)
    later = ask(zone, "all.gossipmm.", use_edns=3, payload=1232)
    assert (later.rcode(), texts(later)) == (dns.rcode.BADVERS, [])
    padding = [dns.edns.GenericOption(12, b"..")]
    padded = ask(zone, "all.gossipmm.", use_edns=0, payload=512, options=padding)
    assert len(texts(padded)) == len(MANY)


def test_an_agent_that_has_not_joined_does_not_say_that_a_topic_is_missing():
    mesh = Mesh()
    mesh.add("lonely", address=("10.0.0.1", 7946), seeds=[("10.0.0.9", 7946)])
    register(mesh, "lonely", "own")
    zone = zone_of(mesh, "lonely")
    assert texts(ask(zone, "own.gossipmm.")) == ["10.0.0.1"]
    answer = ask(zone, "other.gossipmm.", use_edns=0, payload=1232)
    assert answer.rcode() == dns.rcode.SERVFAIL
    assert answer.options[0].code == dns.edns.EDECode.NOT_READY
    assert ask(zone, "other.gossipmm.").rcode() == dns.rcode.SERVFAIL


def test_stale_hosts_are_marked_as_stale(mesh, zone):
    mesh.cut(["host-00"], MANY[1:])
    mesh.run(15)
    answer = ask(zone, "few.gossipmm.", use_edns=0, payload=1232)
    assert len(texts(answer)) == 2
    assert answer.options[0].code == dns.edns.EDECode.STALE_ANSWER


def test_ipv6_members_have_aaaa_records():
    mesh, zone = alone(address="2001:db8::0001")
    register(mesh, "a", "compute")
    assert texts(ask(zone, "compute.gossipmm.", "AAAA")) == ["2001:db8::1"]
    assert outcome(ask(zone, "compute.gossipmm.", "A")) == EMPTY


def test_names_that_are_no_host_names():
    mesh, zone = alone("Büro.example.com")
    register(mesh, "Büro.example.com", 'mit leer"; zeichen\\', metadata={"port": 80})
    register(mesh, "Büro.example.com", "z" * 64, metadata={"port": 80})
    register(mesh, "Büro.example.com", "node")
    register(mesh, "Büro.example.com", "_udp", "a..b" + "x" * 80, {"port": True})
    below = dns.name.from_text("gossipmm.")
    odd = dns.name.Name((b'_mit leer"; zeichen\\', b"_udp", *below.labels))
    target = ask(zone, odd, "SRV").answer[0][0].target
    assert target.labels[0] == "Büro".encode()
    assert texts(ask(zone, target)) == ["10.0.0.1"]
    # Names above a dotted one exist, empty (RFC 8020).
    assert outcome(ask(zone, "com.node.gossipmm.")) == EMPTY
    assert outcome(ask(zone, "org.node.gossipmm.")) == NOBODY
    assert texts(ask(zone, "node.gossipmm.")) == ["10.0.0.1"]
    assert texts(ask(zone, "_udp.gossipmm.")) == ["10.0.0.1"]
    assert outcome(ask(zone, "__udp._udp.gossipmm.", "SRV")) == EMPTY


@pytest.mark.parametrize("name", ["n" * 64, "dots..dots"])
def test_a_member_without_a_possible_dns_name_is_in_no_service(name):
    mesh, zone = alone(name)
    register(mesh, name, "compute", metadata={"port": 80})
    assert outcome(ask(zone, "_compute._udp.gossipmm.", "SRV")) == EMPTY
    assert texts(ask(zone, "compute.gossipmm.")) == ["10.0.0.1"]


def test_other_zones_and_impossible_ones():
    mesh, _ = alone()
    register(mesh, "a", "x")
    assert texts(ask(zone_of(mesh, "a", "Svc.Example.ORG"), "x.svc.example.org.")) == ["10.0.0.1"]
    for wrong in ("a..b", "x" * 64, ".x"):
        with pytest.raises(ConfigError, match="dns_zone: .* is not a DNS name"):
            zone_of(mesh, "a", wrong)


# -- nonsense --------------------------------------------------------------------------------


QUERY = dns.message.make_query("compute.gossipmm.", "A", use_edns=0, id=7).to_wire()


@pytest.fixture(scope="module")
def lonely():
    """Return the zone of one node; what it logs is in ``failures``."""
    failures = logging.handlers.BufferingHandler(1000)
    log = logging.getLogger("gossipmm.sidecar.dns.zone")
    log.addHandler(failures)
    mesh, zone = alone()
    register(mesh, "a", "compute")
    zone.failures = failures.buffer
    yield zone
    log.removeHandler(failures)


def checked(zone, data):
    for tcp in (False, True):
        answer = zone.answer_untrusted(data, tcp=tcp)
        if answer is not None:
            assert answer[:2] == data[:2]
            assert answer[2] & 0x80
            parsed = dns.message.from_wire(answer)
            if parsed.rcode() != dns.rcode.BADVERS:
                assert len(answer) <= 10 * max(len(data), 60)
    assert zone.failures == []


@settings(max_examples=300)
@given(st.binary(max_size=600))
@example(b"")
@example(b"\x00" * 12)
@example(b"\xff" * 12)
@example(QUERY[:-1])
@example(QUERY + b"\x00")
@example(QUERY[:12] + b"\xc0\x0c\x00\x01\x00\x01")
def test_garbage_never_raises(lonely, data):
    checked(lonely, data)


@settings(max_examples=500)
@given(
    st.lists(st.tuples(st.integers(0, len(QUERY) - 1), st.integers(0, 255)), min_size=1, max_size=6)
)
def test_damaged_queries_never_raise(lonely, damage):
    data = bytearray(QUERY)
    for position, value in damage:
        data[position] = value
    checked(lonely, bytes(data))


def test_what_gets_a_bare_header_and_what_gets_nothing(lonely):
    def code(data):
        answer = lonely.answer_untrusted(data)
        if answer is None:
            return None
        identity, flags, *counts = struct.unpack("!6H", answer[:12])
        assert (identity, counts) == (7, [0, 0, 0, 0])
        assert flags & 0x7900 == struct.unpack("!H", data[2:4])[0] & 0x7900
        return dns.rcode.to_text(flags & 15)

    def header(flags=0x0100, *counts):
        return struct.pack("!6H", 7, flags, *(counts or (1, 0, 0, 0)))

    assert code(QUERY[:11]) is None
    assert code(header(0x8100) + QUERY[12:]) is None
    assert code(header()) == "FORMERR"
    assert code(QUERY[:-3]) == "FORMERR"
    assert code(QUERY + b"!") == "FORMERR"
    assert code(header(0x0100, 0, 0, 0, 0)) == "FORMERR"
    assert code(header(0x0100, 2, 0, 0, 0) + 2 * QUERY[12:34]) == "FORMERR"
    assert code(header(0x0100, 1, 65535, 65535, 65535) + QUERY[12:]) == "FORMERR"
    for opcode in (1, 2, 4, 5, 15):
        assert code(header(opcode << 11) + QUERY[12:]) == "NOTIMP"
    signed = dns.message.make_query("compute.gossipmm.", "A", id=7)
    signed.use_tsig({dns.name.from_text("key."): b"secret"}, "key.")
    assert code(signed.to_wire()) == "FORMERR"


def test_a_mistake_of_ours_costs_an_answer_and_not_the_agent(lonely, caplog, monkeypatch):
    monkeypatch.setattr(lonely, "_find", lambda labels: 1 / 0)
    answer = dns.message.from_wire(lonely.answer_untrusted(QUERY))
    assert answer.rcode() == dns.rcode.SERVFAIL
    assert "no answer to compute.gossipmm. IN A" in caplog.text
    lonely.failures.clear()


# -- sockets ---------------------------------------------------------------------------------


@pytest.fixture
async def served(nursery):
    """An agent on loopback and the address of its responder."""
    wanted = Config(name="a", bind="127.0.0.1:0", register=("compute",), leave_timeout=0.1)
    async with open_agent(wanted) as agent:
        agent.register("few", metadata={"port": 5050})
        addresses = await nursery.start(
            lambda task_status: serve(agent, port=0, task_status=task_status)
        )
        yield agent, addresses
        nursery.cancel_scope.cancel()


async def over_tcp(stream, *queries):
    """Send queries in one piece; return the answers."""
    wires = [query if isinstance(query, bytes) else query.to_wire() for query in queries]
    await stream.send_all(b"".join(struct.pack("!H", len(wire)) + wire for wire in wires))
    data, answers = b"", []
    with trio.fail_after(10):
        while len(answers) < len(queries):
            more = await stream.receive_some()
            if not more:
                break
            data += more
            while len(data) >= 2 and len(data) >= 2 + (size := struct.unpack("!H", data[:2])[0]):
                answers.append(dns.message.from_wire(data[2 : 2 + size]))
                data = data[2 + size :]
    return answers


async def over_udp(address, data):
    family = trio.socket.AF_INET6 if ":" in address[0] else trio.socket.AF_INET
    with trio.socket.socket(family, trio.socket.SOCK_DGRAM) as sock, trio.fail_after(10):
        await sock.connect(address)
        await sock.send(data)
        return dns.message.from_wire(await sock.recv(4096))


async def test_udp_answers_on_every_loopback_address(served):
    _, addresses = served
    assert addresses[0][0] == "127.0.0.1"
    assert len({port for _, port in addresses}) == 1
    for address in addresses:
        assert texts(await over_udp(address, QUERY)) == ["127.0.0.1"]


async def test_udp_goes_on_after_nonsense(served):
    _, addresses = served
    with trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as sock:
        for junk in (b"", b"x", b"\xff" * 60000, QUERY[:-2]):
            await sock.sendto(junk, addresses[0])
    assert texts(await over_udp(addresses[0], QUERY)) == ["127.0.0.1"]


async def test_tcp_answers_many_queries_on_one_connection(served):
    _, addresses = served
    queries = [dns.message.make_query("compute.gossipmm.", "A", id=number) for number in range(50)]
    stream = await trio.open_tcp_stream(*addresses[0])
    async with stream:
        answers = await over_tcp(stream, *queries)
    assert [answer.id for answer in answers] == list(range(50))
    assert all(texts(answer) == ["127.0.0.1"] for answer in answers)


async def test_tcp_closes_what_makes_no_sense(served):
    _, addresses = served
    for junk in (b"\xff\xff" + b"x" * 100, b"\x00\x00", b"\x00\x03abc", b"\x00\x20" + b"\xff" * 32):
        async with await trio.open_tcp_stream(*addresses[0]) as stream:
            await stream.send_all(junk)
            with trio.fail_after(5):
                with suppress(trio.BrokenResourceError):  # closed with unread bytes: a reset
                    assert await stream.receive_some() == b""
    async with await trio.open_tcp_stream(*addresses[0]) as stream:
        await stream.send_all(b"\x00")  # and no more
    assert texts(await over_udp(addresses[0], QUERY)) == ["127.0.0.1"]


async def test_tcp_connections_beyond_the_limit_are_closed(served, monkeypatch):
    _, addresses = served
    async with AsyncExitStack() as stack:
        streams = []
        for _ in range(64):
            stream = await trio.open_tcp_stream(*addresses[0])
            streams.append(await stack.enter_async_context(stream))
            assert len(await over_tcp(stream, QUERY)) == 1
        async with await trio.open_tcp_stream(*addresses[0]) as one_more:
            with trio.fail_after(5):
                with suppress(trio.BrokenResourceError):
                    assert await one_more.receive_some() == b""
        await streams.pop().aclose()
        assert texts(await over_udp(addresses[0], QUERY)) == ["127.0.0.1"]


async def test_a_silent_tcp_client_is_closed(served, monkeypatch):
    monkeypatch.setattr("gossipmm.sidecar.dns.responder._IDLE", 0.05)
    _, addresses = served
    async with await trio.open_tcp_stream(*addresses[0]) as stream:
        with trio.fail_after(5):
            assert await stream.receive_some() == b""


async def test_a_port_in_use_is_said_in_one_line(served):
    agent, addresses = served
    port = addresses[0][1]
    with pytest.raises(BindError, match=f"^dns_port: cannot bind port {port} of loopback: another"):
        await serve(agent, port=port)
    # By UDP alone, too.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        with pytest.raises(BindError, match="choose another port"):
            await serve(agent, port=sock.getsockname()[1])


async def test_without_dnspython_it_says_what_to_install(served, monkeypatch):
    agent, _ = served
    monkeypatch.setitem(sys.modules, "gossipmm.sidecar.dns.zone", None)
    monkeypatch.delitem(sys.modules, "gossipmm.sidecar.dns.zone")
    monkeypatch.setitem(sys.modules, "dns.edns", None)
    with pytest.raises(ConfigError, match=r"dns_port: DNS answers need dnspython: pip install"):
        await serve(agent, port=0)


def test_importing_the_responder_does_not_import_dnspython():
    code = "import sys, gossipmm.sidecar.dns.responder; print('dns' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert result.stdout == "False\n"


# -- dig -------------------------------------------------------------------------------------


needs_dig = pytest.mark.skipif(
    shutil.which("dig") is None, reason="dig is not installed: apt-get install dnsutils"
)


async def dig(address, *arguments):
    command = ["dig", f"@{address[0]}", "-p", str(address[1]), "+tries=1", "+time=5", *arguments]
    result = await trio.run_process(command, capture_stdout=True, check=False)
    assert result.returncode == 0, result.stdout
    output = result.stdout.decode()
    assert "WARNING" not in output.replace("WARNING: recursion requested", "")
    assert "malformed" not in output
    return output


@needs_dig
async def test_dig_understands_the_answers(served):
    _, addresses = served
    for address in addresses:
        for way in ("+notcp", "+tcp"):
            short = await dig(address, way, "+short", "compute.gossipmm.", "A")
            assert short == "127.0.0.1\n"
            service = await dig(address, way, "_few._udp.gossipmm.", "SRV")
            assert re.search(
                r"_few._udp.gossipmm.\s+0\s+IN\s+SRV\s+0 1 5050 a.node.gossipmm.", service
            )
            assert re.search(r"a.node.gossipmm.\s+0\s+IN\s+A\s+127.0.0.1", service)
            assert "status: NOERROR" in service
            assert "udp: 65000" in service
    missing = await dig(addresses[0], "nothing.gossipmm.")
    assert "status: NXDOMAIN" in missing
    assert re.search(r"gossipmm.\s+0\s+IN\s+SOA\s+localhost. root.localhost.", missing)
    assert "status: REFUSED" in await dig(addresses[0], "example.com.")
    assert "status: NOERROR" in await dig(addresses[0], "+noedns", "compute.gossipmm.", "AAAA")
    assert "status: BADVERS" in await dig(
        addresses[0], "+edns=1", "+noednsnegotiation", "compute.gossipmm."
    )
    assert "flags: qr aa rd;" in await dig(addresses[0], "compute.gossipmm.")


@needs_dig
def test_dig_sees_a_real_death_of_a_real_agent():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def hosts(*question):
        command = ["dig", "@127.0.0.1", "-p", str(port), "+short", "+tries=1", *question]
        return sorted(subprocess.run(command, capture_output=True, text=True).stdout.split("\n"))[
            1:
        ]

    with programs() as start:
        a = start("a", "--control", "none", "--set", f"dns_port={port}", "--register", "compute")
        b = start(
            *("b", "--control", "none", "--join", a.address, "--register", "compute"),
            bind="127.0.0.2:0",
        )
        until(lambda: hosts("compute.gossipmm.") == ["127.0.0.1", "127.0.0.2"], "both answered")
        assert hosts("b.node.gossipmm.") == ["127.0.0.2"]
        b.signal(signal.SIGKILL)
        until(lambda: hosts("compute.gossipmm.") == ["127.0.0.1"], "the dead one out of answers")
        a.signal(signal.SIGTERM)
        assert a.wait() == 0
