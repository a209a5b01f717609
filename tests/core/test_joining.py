"""What happens in the middle of a join."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from gossipmm.core.values.events import Joined
from gossipmm.core.values.types import Address, Registration, Status
from gossipmm.core.wire import frame as wire
from tests.helpers import START, Mesh, Packet, held, picks


def test_who_leaves_while_it_joins_tells_the_seeds_that_it_knocked_at() -> None:
    """A program that ran for a moment only: its seed had its record, held it alive, then dead.

    Everybody found it in lookups until its death was established, two seconds later [P83].
    """
    mesh = Mesh("a")
    b = mesh.add("b")
    b.register("compute", "b", now=mesh.now)
    mesh.run(1.5 * mesh.latency)  # the knock has arrived at a; its answer has not come back
    b.leave(mesh.now)
    mesh.run(0.5)
    member = mesh["a"].member("b")
    assert member is None or member.status is Status.LEFT
    assert b.left


def test_an_answer_of_somebody_whose_page_0_is_not_here_yet_is_survived() -> None:
    """One of a hundred joiners ended with an IndexError, on real sockets.

    A seed's second page had come by news before its first; then the seed answered the joiner's
    knock, and the joiner, who compares tables at once, looked for the address of that record.
    """
    mesh = Mesh("a")
    seed = mesh.puppet("seed")
    node = mesh["a"]
    seed.say("a", pages=[seed.page(1, Registration("compute", "seed"))])
    mesh.run(1)
    node._parts.transfer._pace.hurry()
    probe = node._parts.joining._seeds.probe_to(seed.addresses[0])
    seed.say("a", kind=wire.ACK, probe=probe, fingerprint=12345)
    mesh.run(0.5)
    assert seed.key in node.table.by_key


# -- what "joined" says ----------------------------------------------------------------------------


def newcomers(mesh: Mesh, *names: str, others: Iterable[Address] = ()) -> None:
    """Start nodes at once that have all of each other, and ``others``, as seeds."""
    addresses = {name: mesh.new_address() for name in names}
    for name, address in addresses.items():
        mesh.add(name, address=address, seeds=[*addresses.values(), *others])


def joined_at(mesh: Mesh, name: str) -> float:
    (event,) = mesh.told(name, Joined)
    return event.at - START


def test_newcomers_that_agree_with_each_other_have_not_joined() -> None:
    """Story: j0 said "this node knows what the others know" after 4 ms, with none of 2,000 topics.

    It agreed with j1, which had not heard of them either. It answered "no such topic" [P80].
    """
    mesh = Mesh("s")
    mesh["s"].register("t", "h", now=mesh.now)
    mesh.run(1)
    mesh.rules["s says nothing"] = lambda packet: packet.source == mesh["s"].addresses[0]
    newcomers(mesh, "j0", "j1", others=mesh["s"].addresses)
    mesh.run(4.5)
    for name in ("j0", "j1"):
        assert mesh[name].table.live_count() >= 2
        assert not mesh[name].table.joined
    mesh.heal()
    mesh.until(lambda: all(mesh[name].table.joined for name in ("j0", "j1")), within=2)
    for name in ("j0", "j1"):
        assert picks(mesh[name], "t") == ("h",)
    mesh.until(lambda: all(mesh[name].table.knows_gone for name in ("j0", "j1")), within=1)


def test_a_newcomer_that_tests_the_size_of_a_path_does_not_pass_for_one_that_has_joined() -> None:
    """Story: at 25 % loss a newcomer had "joined" with 184 of a host's 200 registrations unknown.

    Both lacked the same pages, and so agreed. All that the other one sent said that it had not
    joined, except the questions of its test of the path's size, which bear a fingerprint as well
    [P80, P141].
    """
    mesh = Mesh("s")
    mesh["s"].register("t", "h", now=mesh.now)
    mesh.run(1)
    mesh.rules["s says nothing"] = lambda packet: packet.source == mesh["s"].addresses[0]
    newcomers(mesh, "j0", "j1", others=mesh["s"].addresses)
    mesh.run(2)
    tester = mesh["j0"]
    before = len(mesh.sent)
    tester._parts.size_tests.doubt(tester.table.by_name["j1"], mesh["j1"].addresses[0])
    mesh.run(2)
    assert tester.stats.size_tests == 1
    assert max(len(packet.data) for packet in mesh.sent[before:]) == tester.config.max_datagram
    for name, other in (("j0", "j1"), ("j1", "j0")):
        assert mesh[name].table.by_name[other].joining
        assert not mesh[name].table.joined
    mesh.heal()
    mesh.until(lambda: all(mesh[name].table.joined for name in ("j0", "j1")), within=2)
    for name in ("j0", "j1"):
        assert picks(mesh[name], "t") == ("h",)


def test_newcomers_whose_seeds_all_are_newcomers_found_the_cluster() -> None:
    """All hosts of a cluster start at once: nobody waits for ever for somebody older [P80]."""
    mesh = Mesh()
    newcomers(mesh, *"abcd")
    mesh.run(0.4)
    assert not any(mesh[name].table.joined for name in "abcd")
    mesh.run(1.6)
    assert all(mesh[name].table.joined and mesh[name].table.knows_gone for name in "abcd")


def test_newcomers_found_a_cluster_though_others_keep_coming() -> None:
    """A rolling start is never quiet."""
    mesh = Mesh()
    newcomers(mesh, "a", "b")
    seeds = [*mesh["a"].addresses, *mesh["b"].addresses]
    for number in range(12):
        mesh.run(0.3)
        mesh.add(f"n{number}", seeds=seeds)
    assert joined_at(mesh, "a") <= 3
    assert joined_at(mesh, "b") <= 3


def test_a_seed_that_is_down_delays_the_founding_and_does_not_prevent_it() -> None:
    mesh = Mesh()
    newcomers(mesh, "a", "b", others=[mesh.new_address()])
    mesh.run(4)
    assert not mesh["a"].table.joined
    mesh.run(3)
    assert mesh["a"].table.joined
    assert mesh["b"].table.joined


def test_who_knows_nobody_founds_nothing() -> None:
    mesh = Mesh()
    node = mesh.add("a", seeds=[mesh.new_address()])
    mesh.run(30)
    assert not node.table.joined


def large(mesh: Mesh, name: str) -> None:
    """Let a node register more than fits into one datagram."""
    for number in range(40):
        mesh[name].register("t", f"h{number}", {"m": "x" * 60}, now=mesh.now)


@pytest.mark.parametrize("lost", [0, 1, -1])
def test_the_end_of_a_transfer_that_lost_a_datagram_is_not_its_end(lost: int) -> None:
    """Story: at 25 % loss newcomers had joined with 22 of 30 members known [P58, P80].

    Each datagram of a burst is numbered, and the one that is missing is asked for again.
    """
    mesh = Mesh("a", "b")
    large(mesh, "a")
    mesh.settle()
    seen: list[int] = []

    def lose(packet: Packet) -> bool:
        options = packet.frame.options
        if wire.OPT_MORE not in options or packet.frame.probe in seen:
            return False
        seen.append(packet.frame.probe)
        if lost < 0:
            return options[wire.OPT_MORE] != [] and not mesh.lost
        return len(seen) - 1 == lost

    mesh.rules["once"] = lose
    node = mesh.add("c", seeds=mesh["a"].addresses)
    # Nothing else brings what is missing.
    mesh.rules["digests"] = lambda p: bool({wire.OPT_DIGEST, wire.OPT_WANT} & set(p.frame.options))
    mesh.until(lambda: node.table.joined, within=3, step=0.001)
    assert len(mesh.lost) >= 1
    assert len(picks(node, "t")) == 40


@pytest.mark.parametrize("seed", range(6))
def test_who_has_joined_knows_every_registration_at_heavy_loss(seed: int) -> None:
    """[P80]."""
    mesh = Mesh(*"abcde", seed=seed)
    for name in "abcde":
        large(mesh, name)
        mesh[name].register(f"of-{name}", "h", now=mesh.now)
    mesh.settle()
    mesh.lose(0.25)
    for name in "xyz":
        mesh.add(name)
    waiting = set("xyz")

    def told() -> bool:
        for name in sorted(waiting):
            if mesh.told(name, Joined):
                waiting.discard(name)
                table = mesh[name].table
                assert {f"of-{other}" for other in "abcde"} <= table.topics.keys()
                assert len(picks(mesh[name], "t")) == 40
        return not waiting

    mesh.until(told, within=12, step=0.002)


def test_what_a_newcomer_registers_goes_with_its_first_words() -> None:
    """Story: all knew that a host had booted 0.7 to 2.6 s before they knew what it registers.

    Its page 0 went with its hello and was passed on by whoever read it; the others waited for the
    first peer, which was another newcomer that knew nobody [P79].
    """
    mesh = Mesh("a")
    for name in "bcd":
        mesh.add(name)
    mesh.settle()
    mesh.rules["nothing but the hello"] = lambda packet: (
        packet.source == mesh["e"].addresses[0] and packet.frame.target != 0
    )
    seeds = mesh["a"].addresses
    node = mesh.add("e", seeds=[])
    node.register("t", "h", now=mesh.now)
    node.join(seeds, mesh.now)
    mesh.run(0.1)
    for name in "abcd":
        assert set(held(mesh[name], "e").pages) == {0, 1}


@pytest.mark.parametrize(("topics", "shown"), [(1, True), (6, False)])
def test_who_answers_a_newcomer_shows_its_record_if_all_of_it_fits(topics, shown) -> None:
    """Each seed's answer was asked for the record of who sent it: two datagrams more, eight times.

    Three bytes may go to an unproved address for each that came from there. Of a record that is
    larger nothing is shown: who knows a page 0 does not ask for the rest [P79].
    """
    mesh = Mesh("a")
    for topic in range(topics):
        mesh["a"].register(f"t{topic}", "h", {"m": "x" * 80}, now=mesh.now)
    mesh.run(1)
    mesh.sent.clear()
    mesh.add("b")
    mesh.run(2.5 * mesh.latency)
    hello = next(packet for packet in mesh.sent if packet.frame.kind == wire.SYN)
    answer = next(packet for packet in mesh.sent if packet.frame.kind == wire.ACK)
    assert len(answer.data) <= 3 * len(hello.data)
    assert [page.raw for page in mesh["a"]._local.me.pages.values()] * shown == answer.pages
    wanted = [p for p in mesh.sent if wire.OPT_WANT in p.frame.options]
    assert len(wanted) == (not shown)
    mesh.settle()
    assert set(held(mesh["b"], "a").pages) == {0, 1}


def test_a_hello_is_a_datagram_and_a_node_that_stays_alone_says_little() -> None:
    mesh = Mesh()
    node = mesh.add("a", seeds=[mesh.new_address()])
    for topic in range(4):
        node.register(f"t{topic}", "h", {"m": "x" * 700}, now=mesh.now)
    mesh.run(60)
    sizes = [len(packet.data) for packet in mesh.sent]
    assert max(sizes) <= mesh.config.max_datagram
    # Of 32 the first one went before it registered, and each third one shows page 0 alone [P128].
    assert sum(size > 300 for size in sizes) == 21


# -- a seed that is this node ----------------------------------------------------------------------


def looped(mesh: Mesh, name: str, seed: Address, seconds: float, *, times: int = 1) -> int:
    """Run, and bring back what the node sends to a seed; return how many datagrams those were."""
    node, count = mesh[name], 0
    for _ in range(round(seconds / 0.1)):
        before = len(mesh.sent)
        mesh.run(0.1)
        for packet in mesh.sent[before:]:
            if packet.target == seed and packet.source == node.addresses[0]:
                count += 1
                for _ in range(times):
                    node.receive_datagram(packet.data, node.addresses[0], mesh.now)
    return count


def test_a_node_whose_only_seed_is_itself_is_alone_and_has_joined() -> None:
    """Story: NOT JOINED for ever, /readyz 503, and 59 datagrams refused as its own [P78, P80].

    It is asked again after a while: behind the address of a service another host may come next.
    """
    mesh = Mesh()
    seed = mesh.new_address()
    node = mesh.add("a", seeds=[seed])
    assert not node.table.joined
    assert looped(mesh, "a", seed, 40) == 3
    assert node.table.joined
    node.join([seed], mesh.now)  # resolved again: nothing has changed
    assert node.table.joined
    mesh.run(10)
    b = mesh.add("b", address=seed, seeds=[])
    mesh.until(lambda: b.member("a") is not None and node.member("b") is not None, within=50)


def test_a_seed_beside_this_node_may_know_others() -> None:
    mesh = Mesh()
    seed = mesh.new_address()
    node = mesh.add("a", seeds=[seed, mesh.new_address()])
    looped(mesh, "a", seed, 10)
    assert not node.table.joined
    node.join([seed], mesh.now, complete=False)  # a name has not been resolved
    looped(mesh, "a", seed, 60)
    assert not node.table.joined


def test_a_datagram_that_is_doubled_comes_back_once() -> None:
    """One that somebody plays again and again would have a seed taken for this node at once."""
    mesh = Mesh()
    seed = mesh.new_address()
    node = mesh.add("a", seeds=[seed])
    while looped(mesh, "a", seed, 0.1, times=9) == 0:
        assert mesh.now < START + 5
    assert not node.table.joined
