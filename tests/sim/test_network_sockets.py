"""Hosts with several addresses of two families, their sockets, and what sends then do."""

from __future__ import annotations

import pytest

from gossipmm_sim.engine.host import Startup
from gossipmm_sim.engine.sockets import BINDS, Socket, family_of
from tests.sim.quiet_node import boot, heard, hosts, say

PORT = 7946


def v4(host):
    return next(a for a in host.hears() if family_of(a[0]) == 4)


def v6(host):
    return next(a for a in host.hears() if family_of(a[0]) == 6)


class TestSocket:
    @pytest.mark.parametrize(
        ("bind", "announced", "hears"),
        [
            ("v4", ["10.0.0.1"], ["10.0.0.1"]),
            ("v6", ["fd00::1"], ["fd00::1"]),
            ("any4", ["10.0.0.1"], ["10.0.0.1", "10.0.0.2"]),
            # As gossipmm.agent.binding: both families of [::], IPv6 first.
            ("any", ["fd00::1", "10.0.0.1"], ["10.0.0.1", "10.0.0.2", "fd00::1"]),
        ],
    )
    def test_what_is_bound_says_what_is_announced_and_heard(self, bind, announced, hears):
        socket = Socket(bind, ["10.0.0.1", "10.0.0.2", "fd00::1"], PORT)
        assert socket.announced() == tuple((one, PORT) for one in announced)
        assert socket.hears() == tuple((one, PORT) for one in hears)

    def test_a_machine_without_the_family_cannot_bind_it(self):
        with pytest.raises(ValueError, match=r"no address of 10.0.0.1 is one for bind=v6"):
            Socket("v6", ["10.0.0.1"], PORT)

    @pytest.mark.parametrize("bind", BINDS)
    def test_a_family_that_the_socket_lacks_is_not_supported(self, bind):
        """An agent on an IPv4 address sent to ``[::]`` hosts into EAFNOSUPPORT, for ever."""
        socket = Socket(bind, ["10.0.0.1", "fd00::1"], PORT)
        for family, target in ((4, "10.0.0.9"), (6, "fd00::9")):
            source = socket.source((target, PORT))
            if family in BINDS[bind]:
                assert family_of(source[0]) == family
            else:
                assert source == "EAFNOSUPPORT"

    def test_without_an_address_or_a_route_nothing_leaves(self):
        socket = Socket("any", ["10.0.0.1"], PORT)
        assert socket.source(("fd00::9", PORT)) == "ENETUNREACH"
        socket.unrouted.add(4)
        assert socket.source(("10.0.0.9", PORT)) == "ENETUNREACH"
        assert socket.announced() == ()

    def test_who_bound_an_address_that_is_gone_can_not_send_from_it(self):
        socket = Socket("v4", ["10.0.0.1", "10.0.0.2"], PORT)
        socket.addresses.remove("10.0.0.1")
        assert socket.source(("10.0.0.9", PORT)) == "EINVAL"
        assert socket.hears() == socket.announced() == ()


class TestHosts:
    def test_a_plain_host_stays_as_it_was(self):
        a, _ = hosts(2)
        assert a.announced() == a.hears() == (a.address,)
        assert not a.cluster.network.routed

    def test_each_family_is_answered_from_an_address_of_that_family(self):
        a, b = both = hosts(2)
        for host in both:
            host.bind("any")
        boot(both)
        say(a, v4(b), b"four")
        say(a, v6(b), b"six")
        assert heard(b) == [(b"four", v4(a)), (b"six", v6(a))]

    def test_the_core_announces_what_its_socket_is_bound_to(self):
        a, b = both = hosts(2)
        a.bind("any")
        b.bind("v6")
        boot(both)
        assert a.core.addresses == (v6(a), v4(a))
        assert b.core.addresses == (v6(b),)

    def test_seeds_are_what_the_socket_reaches_of_what_their_names_resolve_to(self):
        a, b, c = three = hosts(3, seeds=1)
        a.bind("any")
        c.bind("v6")
        boot(three)
        assert b.core.seeds == [v4(a)]
        assert c.core.seeds == [v6(a)]

    def test_a_send_of_the_wrong_family_fails_and_the_core_is_told(self):
        a, b = both = hosts(2)
        a.bind("any")
        boot(both)
        sent = b.sent_datagrams
        say(b, v6(a))
        assert b.core.failures == [v6(a)]
        assert b.sent_datagrams == sent
        assert b.cluster.network.lost == {"local EAFNOSUPPORT": 1}

    def test_what_the_core_says_instead_goes_at_once(self):
        a, b = both = hosts(2)
        a.bind("any")
        boot(both)
        b.core.instead = [(b"again", v4(a))]
        say(b, v6(a))
        assert heard(a) == [(b"again", b.address)]

    def test_a_core_that_sends_there_again_and_again_has_three_rounds_as_in_the_driver(self):
        a, b = both = hosts(2)
        a.bind("any")
        boot(both)
        core = b.core
        core.send_failed = lambda address, now, size=0: (
            core.failures.append(address),
            core.out.append((b"again", address)),
        )
        say(b, v6(a))
        assert len(core.failures) == 3

    def test_headers_of_ipv6_are_counted(self):
        a, b = both = hosts(2)
        for host in both:
            host.bind("any")
        boot(both)
        say(a, v4(b), b"x" * 100)
        assert (a.sent_bytes, b.received_bytes) == (128, 128)
        say(a, v6(b), b"x" * 100)
        assert (a.sent_bytes, b.received_bytes) == (128 + 148, 128 + 148)

    def test_several_addresses_of_one_family_are_all_heard_and_the_first_is_the_source(self):
        a, b = both = hosts(2)
        a.bind("any4", v4=3)
        boot(both)
        for address in a.hears():
            say(b, address)
        assert len(heard(a)) == 3
        say(a, b.address)
        assert heard(b) == [(b"x", a.hears()[0])]


class TestChanges:
    def test_who_is_bound_to_all_addresses_sends_from_the_new_one(self):
        a, b = both = hosts(2)
        boot(both)
        old = a.address
        a.lose_address(4)
        a.gain_address(4)
        say(b, old)
        assert heard(a) == []
        assert a.core.addresses == a.hears() != (old,)
        say(a, b.address)
        ((_, source),) = heard(b)
        assert source not in (old, b.address)
        say(b, source)
        assert heard(a) == [(b"x", b.address)]

    def test_an_address_that_stays_is_announced_further(self):
        a, _ = both = hosts(2)
        a.bind("any4", v4=2)
        boot(both)
        first, second = a.hears()
        a.gain_address(4)
        a.cluster.advance(0.1)
        assert a.core.addresses == (first,)
        a.lose_address(4)
        a.cluster.advance(0.1)
        assert a.core.addresses == (second,)
        a.route(4, there=False)
        a.cluster.advance(0.1)
        assert a.core.addresses == (second,)

    def test_a_process_that_is_bound_to_one_address_announces_it_for_as_long_as_it_lives(self):
        a, _ = both = hosts(2)
        a.bind("v4", v4=2)
        boot(both)
        old = a.core.addresses
        a.lose_address(4)
        a.cluster.advance(5)
        assert a.core.addresses == old

    def test_a_stopped_process_sees_the_change_when_it_goes_on(self):
        a, _ = both = hosts(2)
        boot(both)
        old = a.address
        a.pause()
        a.lose_address(4)
        a.gain_address(4)
        a.cluster.advance(3)
        assert a.core.addresses == (old,)
        a.resume()
        a.cluster.advance(1.1)
        assert a.core.addresses == a.hears()

    def test_what_is_on_its_way_to_an_address_that_goes_is_lost(self):
        a, b = both = hosts(2)
        boot(both)
        a.cluster.network.begin_routing()
        say(b, a.address, wait=0.0)
        a.lose_address(4)
        a.cluster.advance(1)
        assert heard(a) == []
        assert a.cluster.network.lost == {"nobody there": 1}

    def test_an_address_comes_back(self):
        a, b = both = hosts(2)
        boot(both)
        old = a.address
        assert a.lose_address(4) == old[0]
        say(a, b.address)
        assert a.core.failures == [b.address]
        a.gain_address(4, old[0])
        say(a, b.address)
        say(b, old)
        assert heard(b) == [(b"x", old)]
        assert heard(a) == [(b"x", b.address)]

    def test_a_family_without_a_route_fails_and_the_other_goes_on(self):
        a, b = both = hosts(2)
        for host in both:
            host.bind("any")
        boot(both)
        a.route(6, there=False)
        say(a, v6(b))
        say(a, v4(b))
        assert a.core.failures == [v6(b)]
        assert heard(b) == [(b"x", v4(a))]
        a.route(6, there=True)
        say(a, v6(b))
        assert heard(b) == [(b"x", v6(a))]

    def test_a_process_that_finds_no_address_starts_when_one_comes(self):
        """Under systemd an agent whose address came late died at boot, until the start limit."""
        a, _ = both = hosts(2)
        a.lose_address(4)
        boot(both)
        assert not a.up
        a.cluster.advance(2.5)
        a.gain_address(4)
        a.cluster.advance(1)
        assert a.up
        assert a.core.addresses == a.hears()

    def test_a_restart_at_new_addresses_has_as_many_of_each_family(self):
        a, _ = both = hosts(2)
        a.bind("any", v4=2, v6=1)
        boot(both)
        old = set(a.hears())
        a.restart(new_address=True)
        assert sorted(family_of(one) for one, _ in a.hears()) == [4, 4, 6]
        assert not old & set(a.hears())


class TestWarmingUp:
    def test_datagrams_wait_until_a_started_process_reads_them(self):
        a, b = both = hosts(2)
        a.startup = lambda: Startup(0.07, 0.0, 0.0)
        boot(both)
        say(b, a.address, b"one", wait=0.03)
        say(b, a.address, b"two", wait=0.03)
        assert heard(a) == []
        a.cluster.advance(0.02)
        assert [data for data, _ in heard(a)] == [b"one", b"two"]

    def test_its_timers_wait_too(self):
        a, _ = both = hosts(2)
        a.startup = lambda: Startup(0.07, 0.0, 0.0)
        served = []
        boot(both)
        a.core.next_timer = lambda: a._base if not served else float("inf")
        a.core.handle_timer = lambda now: served.append(a.cluster.now)
        a.cluster.advance(0.06)
        assert served == []
        a.cluster.advance(0.02)
        assert served == [0.07]

    def test_what_it_says_at_its_start_goes_at_once(self):
        a, b = both = hosts(2)
        a.startup = lambda: Startup(0.07, 0.0, 0.0)
        boot(both)
        say(a, b.address, wait=0.01)
        assert heard(b) == [(b"x", a.address)]

    def test_a_pause_that_begins_meanwhile_outlasts_it(self):
        a, b = both = hosts(2)
        a.startup = lambda: Startup(0.07, 0.0, 0.0)
        boot(both)
        say(b, a.address, wait=0.01)
        a.pause()
        a.cluster.advance(1)
        assert heard(a) == []
        a.resume()
        assert heard(a) == [(b"x", b.address)]

    def test_a_resumed_process_is_still_warming_up(self):
        a, b = both = hosts(2)
        a.startup = lambda: Startup(0.5, 0.0, 0.0)
        boot(both)
        a.pause()
        say(b, a.address)
        a.resume()
        assert heard(a) == []
        a.cluster.advance(1)
        assert heard(a) == [(b"x", b.address)]

    def test_a_start_beside_others_is_slow_for_a_while(self):
        a, b = both = hosts(2)
        a.startup = lambda: Startup(0.0, 0.1, 1.0)
        boot(both)
        for _ in range(5):
            say(b, a.address, wait=0.0)
        a.cluster.advance(0.25)
        assert len(heard(a)) == 2
        a.cluster.advance(1)
        heard(a)
        say(b, a.address, wait=0.01)
        assert len(heard(a)) == 1

    def test_a_start_that_was_cut_short_does_not_end_the_slowness_of_the_next_one(self):
        a, b = both = hosts(2)
        a.startup = lambda: Startup(0.0, 0.5, 1.0)
        boot(both)
        a.cluster.advance(0.9)
        a.restart()
        a.cluster.advance(0.2)
        say(b, a.address)
        assert heard(a) == []
