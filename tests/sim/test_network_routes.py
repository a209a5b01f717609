"""What happens on the way: single paths, their sizes, and translators of addresses."""

from __future__ import annotations

import pytest

from gossipmm_sim.engine.nat import KINDS, Nat
from tests.sim.quiet_node import boot, heard, hosts, say

INSIDE = ("10.0.0.1", 7946)
ONE, TWO = ("10.0.0.8", 7946), ("10.0.0.9", 7946)


def pair(**keywords):
    both = hosts(2, **keywords)
    boot(both)
    return both


class TestPaths:
    def test_a_fault_can_be_of_one_path_between_two_hosts(self):
        a, b = pair()
        b.bind("any4", v4=2)
        first, second = b.hears()

        def rule(host, peer, link):
            link.cut = link.target == second[0]

        b.cluster.network.add_rule("cut", rule)
        say(a, second)
        say(a, first)
        assert heard(b) == [(b"x", a.address)]
        say(b, a.address)
        assert len(heard(a)) == 1

    def test_bursts_and_queues_are_of_the_path(self):
        a, b = pair()
        b.bind("any4", v4=2)
        first, second = b.hears()

        def rule(host, peer, link):
            if link.target == first[0]:
                link.rate, link.rate_queue = 1.0, 10.0

        b.cluster.network.add_rule("narrow", rule)
        for target in (first, first, second, second):
            say(a, target)
        assert len(heard(b)) == 2
        assert b.cluster.network.lost == {"queue full": 1}


def small(host, tells):
    """Let datagrams above 600 bytes vanish, everywhere."""

    def rule(one, peer, link):
        link.mtu, link.tells = 600, tells

    host.cluster.network.begin_routing()
    host.cluster.network.add_rule("mtu", rule)


class TestSizes:
    def test_a_path_that_says_nothing_drops_for_ever(self):
        a, b = pair()
        small(a, "")
        for _ in range(3):
            say(a, b.address, b"x" * 601)
        say(a, b.address, b"x" * 600)
        assert [len(data) for data, _ in heard(b)] == [600]
        assert a.core.failures == []
        assert a.cluster.network.lost == {"path mtu": 3}

    def test_a_socket_that_forbids_fragments_is_told_from_the_second_datagram_on(self):
        a, b = pair()
        small(a, "error")
        for _ in range(3):
            say(a, b.address, b"x" * 601)
        say(a, b.address, b"x" * 600)
        assert [len(data) for data, _ in heard(b)] == [600]
        assert a.core.failures == [b.address, b.address]
        assert a.cluster.network.lost == {"path mtu": 1, "local EMSGSIZE": 2}

    def test_it_is_told_after_a_round_trip_and_not_before(self):
        a, b = pair()
        small(a, "error")
        for _ in range(2):
            say(a, b.address, b"x" * 601, wait=0.0)
        assert a.core.failures == []

    def test_a_socket_that_allows_fragments_loses_the_first_datagram_only(self):
        """As an agent that does not set IP_MTU_DISCOVER, where ICMP passes."""
        a, b = pair()
        small(a, "fragments")
        for _ in range(3):
            say(a, b.address, b"x" * 601)
        assert len(heard(b)) == 2
        assert a.core.failures == []

    def test_what_was_told_is_forgotten_after_ten_minutes(self):
        a, b = pair()
        small(a, "error")
        say(a, b.address, b"x" * 601)
        a.cluster.advance(600)
        say(a, b.address, b"x" * 601)
        assert a.core.failures == []

    def test_a_size_is_known_of_one_path_only(self):
        a, b = pair()
        b.bind("any4", v4=2)
        first, second = b.hears()
        small(a, "error")
        say(a, first, b"x" * 601)
        say(a, second, b"x" * 601)
        assert a.core.failures == []
        say(a, first, b"x" * 601)
        assert a.core.failures == [first]


class TestTranslator:
    @staticmethod
    def ports(nat, *remotes, at=0.0):
        return [nat.leaves(INSIDE, remote, at)[1] for remote in remotes]

    def test_one_port_for_everybody(self):
        nat = Nat("cone", forget=30, forwarded=True)
        one, other, again = self.ports(nat, ONE, TWO, ONE)
        assert one == other == again != INSIDE[1]
        assert nat.admits(TWO, ("10.0.0.1", one), 7946, 1.0)

    def test_a_port_for_each_destination_which_lets_nobody_else_in(self):
        nat = Nat("per_destination", forget=30, forwarded=True)
        one, other, again = self.ports(nat, ONE, TWO, ONE)
        assert one == again != other
        assert nat.admits(ONE, ("10.0.0.1", one), 7946, 1.0)
        assert not nat.admits(TWO, ("10.0.0.1", one), 7946, 1.0)

    def test_two_ports_in_turn(self):
        nat = Nat("alternating", forget=30, forwarded=True)
        first, second, third, fourth = self.ports(nat, ONE, ONE, ONE, ONE)
        assert first == third == INSIDE[1]
        assert second == fourth != INSIDE[1]

    @pytest.mark.parametrize("kind", KINDS)
    def test_what_is_not_used_is_forgotten(self, kind):
        nat = Nat(kind, forget=30, forwarded=False)
        port = max(self.ports(nat, ONE, ONE))
        assert nat.admits(ONE, ("10.0.0.1", port), 7946, 30.0)
        assert nat.admits(ONE, ("10.0.0.1", port), 7946, 60.0)
        assert not nat.admits(ONE, ("10.0.0.1", port), 7946, 90.1)
        assert max(self.ports(nat, ONE, ONE, at=91.0)) > port

    def test_who_came_in_by_the_published_port_is_answered_from_it(self):
        """What made the source of a host alternate: its own flows have another port."""
        nat = Nat("per_destination", forget=30, forwarded=True)
        assert nat.admits(ONE, INSIDE, 7946, 0.0)
        assert self.ports(nat, ONE, at=1.0) == [7946]
        assert self.ports(nat, ONE, at=40.0) != [7946]

    def test_without_a_published_port_nobody_comes_in_unasked(self):
        nat = Nat("cone", forget=30, forwarded=False)
        assert not nat.admits(ONE, INSIDE, 7946, 0.0)


class TestTranslatedHost:
    def test_others_see_the_translated_source_and_their_answers_arrive(self):
        a, b = pair()
        a.cluster.network.translate(a, Nat("per_destination", forget=30, forwarded=False))
        say(a, b.address)
        ((_, source),) = heard(b)
        assert source[0] == a.address[0]
        assert source[1] != a.address[1]
        say(b, source, b"answer")
        assert heard(a) == [(b"answer", b.address)]
        say(b, a.address, b"unasked")
        b.cluster.advance(31)
        say(b, source, b"late")
        assert heard(a) == []
        assert a.cluster.network.lost == {"translator": 2}

    def test_a_published_port_is_reached(self):
        a, b = pair()
        a.cluster.network.translate(a, Nat("cone", forget=30, forwarded=True))
        say(b, a.address)
        assert heard(a) == [(b"x", b.address)]

    def test_when_it_goes_everything_is_as_before(self):
        a, b = pair()
        network = a.cluster.network
        network.translate(a, Nat("cone", forget=30, forwarded=False))
        say(a, b.address)
        ((_, source),) = heard(b)
        network.translate(a, None)
        say(b, source)
        say(b, a.address)
        assert len(heard(a)) == 1
        say(a, b.address)
        assert heard(b) == [(b"x", a.address)]

    def test_a_stopped_host_behind_one_is_nobody(self):
        a, b = pair()
        a.cluster.network.translate(a, Nat("cone", forget=30, forwarded=False))
        say(a, b.address)
        ((_, source),) = heard(b)
        a.crash()
        say(b, source)
        assert a.cluster.network.lost == {"nobody there": 1}
