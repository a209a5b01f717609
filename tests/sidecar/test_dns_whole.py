"""DNS answers are whole, or marked as cut: a router that takes a part for the whole drops hosts."""

import re

import dns.flags
import dns.message
import pytest

from gossipmm.core.values.types import HostEntry, HostState, TopicView
from gossipmm.sidecar.dns.zone import _Found
from tests.helpers import Mesh
from tests.sidecar.test_dns import MANY, alone, ask, register, texts, zone_of


@pytest.fixture
def zone():
    """The zone of a node of twelve, which all serve one topic."""
    mesh = Mesh(*MANY)
    for number, name in enumerate(MANY):
        register(mesh, name, "all", metadata={"port": 9000 + number})
    mesh.settle()
    return zone_of(mesh, MANY[0])


@pytest.fixture
def wide():
    """A zone with one service of 40 hosts, whose names are long; with its ``mesh``."""
    names = ["n" * 60 + f"{number:02}" for number in range(40)]
    mesh = Mesh(*names)
    for number, name in enumerate(names):
        register(mesh, name, "wide", metadata={"port": 1000 + number})
    mesh.settle()
    zone = zone_of(mesh, names[0])
    zone.mesh = mesh
    return zone


def zone_answer(zone, name, rdtype, **options):
    """Return the bytes of an answer."""
    return zone.answer_untrusted(dns.message.make_query(name, rdtype, **options).to_wire())


def test_extra_addresses_that_do_not_fit_are_left_out_without_a_word(zone):
    size = len(zone_answer(zone, "_all._udp.gossipmm.", "SRV", use_edns=0, payload=4096))
    small = ask(zone, "_all._udp.gossipmm.", "SRV", use_edns=0, payload=size - 1)
    assert len(texts(small)) == len(MANY)
    # What is only extra does not set TC (RFC 2181, section 9).
    assert not small.flags & dns.flags.TC
    assert small.additional == []
    roomy = ask(zone, "_all._udp.gossipmm.", "SRV", use_edns=0, payload=size)
    assert len(roomy.additional) == len(MANY)


def test_a_set_that_does_not_fit_is_cut_and_says_so(wide):
    """SRV records with targets of 60 bytes, which are never compressed (RFC 2782)."""
    cut = ask(wide, "_wide._udp.gossipmm.", "SRV")
    assert cut.flags & dns.flags.TC
    assert 0 < len(texts(cut)) < 40
    more = ask(wide, "_wide._udp.gossipmm.", "SRV", use_edns=0, payload=1232)
    assert more.flags & dns.flags.TC
    # As many as fit, and with those that fitted less room.
    assert set(texts(cut)) < set(texts(more))
    assert 1232 - 100 < len(more.to_wire()) <= 1232
    for whole in (
        ask(wide, "_wide._udp.gossipmm.", "SRV", tcp=True),
        ask(wide, "_wide._udp.gossipmm.", "SRV", use_edns=0, payload=8192),
    ):
        assert not whole.flags & dns.flags.TC
        assert len(texts(whole)) == len(whole.additional) == 40


def test_a_client_keeps_its_part_and_all_clients_together_see_all(wide):
    """Cut at random, each query takes other hosts down in a router that asks by UDP."""

    def part(client):
        found = [
            sorted(texts(ask(wide, "_wide._udp.gossipmm.", "SRV", client=client)))
            for _ in range(10)
        ]
        assert all(each == found[0] for each in found)
        return frozenset(found[0])

    parts = {part(f"127.0.0.{number}") for number in range(2, 60)}
    assert len(parts) > 50
    assert len(frozenset.union(*parts)) == 40


def test_a_host_that_goes_takes_nobody_else_out_of_a_part(wide):
    before = set(texts(ask(wide, "_wide._udp.gossipmm.", "SRV", client="127.0.0.7")))
    gone = min(before)
    index = int(re.search(r"n+(\d+)\.node", gone)[1])
    wide.mesh["n" * 60 + f"{index:02}"].unregister(
        "wide", "n" * 60 + f"{index:02}", now=wide.mesh.now
    )
    wide.mesh.settle()
    after = set(texts(ask(wide, "_wide._udp.gossipmm.", "SRV", client="127.0.0.7")))
    assert before - after == {gone}
    assert len(after - before) <= 1


def test_what_fits_into_no_message_is_cut_over_tcp_and_said_once(caplog):
    entries = {
        host: HostEntry("x", host, HostState.LIVE, (host,), {"port": 1024 + number}, 0.0, 0.0)
        for number in range(1500)
        for host in [f"{number:04}-" + "h" * 50]
    }
    large = TopicView("x", tuple(entries), tuple(entries), entries)
    _, zone = alone()
    zone._find = lambda labels: _Found(services=(large,))
    for _ in range(3):
        answer = ask(zone, "_x._udp.gossipmm.", "SRV", tcp=True)
        assert answer.flags & dns.flags.TC
        assert answer.additional == []
        assert 65_000 < len(answer.to_wire()) <= 65_535
    assert caplog.text.count("do not fit into one message, even over TCP") == 1
