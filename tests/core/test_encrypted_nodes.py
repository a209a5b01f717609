"""Nodes that encrypt, on the simulated network: who is in, who is out, what a recording can do."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from gossipmm.config import Config
from gossipmm.core.node import Node
from gossipmm.core.sealing.envelope import CoseEnvelope
from gossipmm.core.sealing.keyring import Key, Keyring
from gossipmm.core.values.events import ForeignTraffic
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import Address, Status
from gossipmm_sim.engine.cluster import Cluster
from gossipmm_sim.engine.host import Host

OLD, NEW = Key(b"\x01", bytes(range(32))), Key(b"\x02\x02", bytes(range(32, 64)))
RING, OTHER = Keyring((OLD,)), Keyring((NEW,))
VICTIM: Address = ("192.0.2.66", 53)
#: What says that others are on the same port.
FOREIGN = {Drop.UNKNOWN_KEY, Drop.NOT_AUTHENTIC, Drop.ENCRYPTED, Drop.NOT_ENCRYPTED, Drop.CLUSTER}


def sealing(rings: Callable[[str], Keyring | None]) -> Callable[..., Node]:
    """Return what builds nodes, each with the keyring that belongs to its name."""

    def build(config: Config, *, name: str, rng: random.Random, **keywords: Any) -> Node:
        ring = rings(name)
        envelope = None
        if ring is not None:
            envelope = CoseEnvelope(ring, config.cluster, rng, limit=config.max_datagram)
        return Node(config, name=name, rng=rng, envelope=envelope, **keywords)

    return build


def encrypted(nodes: int, seed: int = 1, **keywords: Any) -> Cluster:
    return Cluster(nodes, seed=seed, core=sealing(lambda _: RING), **keywords)


def envelope_of(host: Host) -> CoseEnvelope:
    envelope = host.core._envelope  # type: ignore[attr-defined]
    assert isinstance(envelope, CoseEnvelope)
    return envelope


def dropped(*hosts: Host) -> Counter[Drop]:
    return sum((Counter(host.core.stats.dropped) for host in hosts), Counter())


def record(cluster: Cluster) -> list[tuple[bytes, Address, Address]]:
    """Keep everything that is sent from now on: (data, source, target)."""
    kept: list[tuple[bytes, Address, Address]] = []
    cluster.network.tap = lambda host, data, to: kept.append((data, host.address, to))
    return kept


def picks(host: Host, topic: str) -> tuple[str, ...]:
    view = host.table.topic(topic)
    return view.picks if view is not None else ()


# -- a cluster ---------------------------------------------------------------------------------


def test_an_encrypted_cluster_converges_as_fast_as_a_plain_one() -> None:
    cluster = encrypted(20, seeds=1)
    sent = record(cluster)
    cluster.boot()
    assert cluster.settle(within=5) <= 1.0
    cluster[3].register("a-rather-secret-topic", "gpu-17")
    assert cluster.until(
        lambda: all(picks(host, "a-rather-secret-topic") for host in cluster), within=1
    )
    everything = b"".join(data for data, _, _ in sent)
    assert b"secret" not in everything
    assert b"gpu-17" not in everything
    assert b"n03" not in everything
    assert {data[:11] for data, _, _ in sent} == {b"\x83\x46\xa2\x01\x03\x04\x41\x01\xa1\x05\x4c"}
    assert not cluster.network.oversize


def test_nothing_that_a_newcomer_says_is_lost() -> None:
    """Its first datagram to each peer is challenged, and said again: also pushed news."""
    cluster = encrypted(10, seeds=1)
    cluster.boot()
    cluster.settle(within=5)
    late = cluster.spawn("late")
    assert cluster.settle(within=2) <= 1.0
    late.register("topic")
    assert cluster.until(lambda: all(picks(host, "topic") for host in cluster), within=0.1)


def test_idle_bytes_stay_within_the_goal() -> None:
    cluster = encrypted(10, seeds=1)
    cluster.boot()
    cluster.settle(within=5)
    cluster.advance(60)
    mark = cluster.mark()
    cluster.advance(60)
    assert cluster.traffic(since=mark).mean_bytes <= 560


def test_a_crash_is_seen_and_a_restart_is_back_at_once() -> None:
    cluster = encrypted(10, seeds=1)
    cluster.boot()
    cluster.settle(within=5)
    cluster[4].crash()
    assert cluster.until(lambda: cluster.counts["MemberDied"] == 9, within=10)
    cluster[4].restart()
    assert cluster.settle(within=5) <= 1.0


def test_loss_harms_no_healthy_node() -> None:
    cluster = encrypted(10, seeds=1)
    cluster.loss(0.25)
    cluster.boot()
    cluster.settle(within=20)
    cluster.advance(60)
    assert not cluster.counts["MemberDied"]


def test_a_new_boot_id_disturbs_nobody() -> None:
    cluster = encrypted(5, seeds=1)
    cluster.boot()
    cluster.settle(within=5)
    for host in cluster:
        before = envelope_of(host).boot
        host.call("new_boot")
        assert envelope_of(host).boot != before
        cluster.advance(3)
    assert not cluster.counts["MemberSuspected"]


def test_a_pause_as_long_as_a_snapshot_brings_a_new_boot_id() -> None:
    """[P109]."""
    cluster = encrypted(3, seeds=1)
    cluster.boot()
    cluster.settle(within=5)
    before = [envelope_of(host).boot for host in cluster]
    for seconds, changed in ((5, False), (61, True)):
        cluster[1].pause()
        cluster.advance(seconds)
        cluster[1].resume()
        cluster.advance(10)
        assert (envelope_of(cluster[1]).boot != before[1]) is changed
        cluster.settle(within=20)
    assert [envelope_of(host).boot for host in (cluster[0], cluster[2])] == [before[0], before[2]]


def test_the_same_seed_gives_the_same_history() -> None:
    def history() -> str:
        cluster = encrypted(5, seed=7, seeds=1)
        cluster.boot()
        cluster.advance(10)
        return cluster.trace.hexdigest()

    assert history() == history()


# -- two clusters ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ring", "name", "here", "there"),
    [
        (OTHER, "gossipmm", Drop.UNKNOWN_KEY, Drop.UNKNOWN_KEY),
        (Keyring((Key(OLD.kid, NEW.secret),)), "gossipmm", Drop.NOT_AUTHENTIC, Drop.NOT_AUTHENTIC),
        (RING, "another", Drop.NOT_AUTHENTIC, Drop.NOT_AUTHENTIC),
        (None, "gossipmm", Drop.NOT_ENCRYPTED, Drop.ENCRYPTED),
    ],
    ids=["another key", "another key, the same id", "another cluster name", "no key"],
)
def test_two_clusters_do_not_mix_and_say_why(
    ring: Keyring | None, name: str, here: Drop, there: Drop
) -> None:
    """[P113]."""
    cluster = Cluster(core=sealing(lambda name: RING if name[0] == "a" else ring))
    both = Config(join=("seeds:7946",))
    other = Config(join=("seeds:7946",), cluster=name)
    ours = [cluster.spawn(f"a{i}", config=both, start=False) for i in range(4)]
    theirs = [cluster.spawn(f"b{i}", config=other, start=False) for i in range(4)]
    # Everybody tries everybody: one list of seeds, one port.
    cluster.seeds = [*ours, *theirs]
    cluster.boot()
    cluster.advance(20)
    foreign = [entry for entry in cluster.events if isinstance(entry[2], ForeignTraffic)]
    assert {event.source for _, _, event in foreign} <= {host.address for host in cluster}
    for mine, reason in ((ours, here), (theirs, there)):
        names = [host.node_name for host in mine]
        for host in mine:
            assert [view.name for view in host.members()] == names
            assert {view.status for view in host.members()} == {Status.ALIVE}
        assert len({host.fingerprint for host in mine}) == 1
        assert set(dropped(*mine)) & FOREIGN == {reason}
        assert dropped(*mine)[reason] > 5
        told = [event for _, label, event in foreign if label == mine[0].label]
        assert [event.reason for event in told] == [reason.value], "once, not for each datagram"
        if reason is not Drop.NOT_ENCRYPTED:
            assert told[0].kid in (OLD.kid.hex(), NEW.kid.hex())
    if reason is Drop.UNKNOWN_KEY:
        (stranger,) = envelope_of(ours[0]).strangers.values()
        assert stranger.kid == NEW.kid
        assert stranger.source in [host.address for host in theirs]


def test_a_flood_of_strangers_becomes_one_event() -> None:
    """[P113]."""
    cluster = encrypted(1, seeds=0)
    cluster.boot()
    for number in range(300):
        ring = Keyring((Key(number.to_bytes(2, "big"), NEW.secret),))
        data = CoseEnvelope(ring, "gossipmm", random.Random(number)).seal(b"x", VICTIM, 0.0)
        cluster.network.inject(data, ("192.0.2.1", number), cluster[0].address)
    cluster.advance(1)
    assert cluster.counts["ForeignTraffic"] == 1
    cluster.advance(600)
    cluster.network.inject(data, VICTIM, cluster[0].address)
    cluster.advance(1)
    assert cluster.counts["ForeignTraffic"] == 2


# -- recordings --------------------------------------------------------------------------------


def _a_life(cluster: Cluster) -> list[tuple[bytes, Address, Address]]:
    """Let a cluster live, with registrations, a death and a restart; all of it recorded."""
    sent = record(cluster)
    cluster.boot()
    cluster.settle(within=5)
    cluster[1].register("topic")
    cluster.advance(2)
    cluster[1].unregister("topic")
    cluster[2].register("doomed")
    cluster.advance(2)
    cluster[2].crash()
    cluster[3].restart()
    cluster.advance(15)
    assert not picks(cluster[0], "topic")
    assert not picks(cluster[0], "doomed")
    return sent


def _known_to(host: Host) -> tuple[object, ...]:
    views = [view._replace(heartbeat=0, since=0, heard=0, reason="") for view in host.members()]
    return host.fingerprint, tuple(views), dict(host.table.topics)


def _replay(
    cluster: Cluster, sent: list[tuple[bytes, Address, Address]], source: Address | None
) -> None:
    for data, came_from, _ in list(sent):
        cluster.network.inject(data, source or came_from, cluster[0].address)
    cluster.advance(0.01)


@pytest.mark.parametrize("source", [None, VICTIM], ids=["its own source", "another source"])
@pytest.mark.parametrize("restarted", [False, True], ids=["running", "restarted"])
def test_a_recording_of_everything_changes_nothing(restarted: bool, source: Address | None) -> None:
    """[P112]."""
    cluster = encrypted(5, seeds=5)
    sent = _a_life(cluster)
    if restarted:
        cluster[0].restart()
        cluster.settle(within=5)
        cluster.advance(1)
    recorded, events = list(sent), Counter(cluster.counts)
    before = _known_to(cluster[0])
    drops = dropped(cluster[0])
    for _ in range(2):
        _replay(cluster, recorded, source)
        assert _known_to(cluster[0]) == before
    assert cluster.counts == events
    cluster.advance(5)
    assert cluster.counts == events
    reasons = dropped(cluster[0]) - drops
    assert set(reasons) <= {
        Drop.REPLAYED,
        Drop.BEHIND_WINDOW,
        Drop.UNPROVEN,
        Drop.MISDIRECTED,
        Drop.FROM_MYSELF,
        Drop.LATE_CHALLENGE,
    }
    assert reasons.total() >= 2 * len(recorded) - 10


def test_without_encryption_a_recording_brings_answers() -> None:
    """So that the tests above prove something."""
    cluster = Cluster(5, seed=1, seeds=5)
    sent = _a_life(cluster)
    recorded, before = list(sent), len(sent)
    _replay(cluster, recorded, VICTIM)
    assert any(to == VICTIM for _, _, to in sent[before:])


def test_a_dead_node_is_not_brought_back_by_what_it_said() -> None:
    """Not even to a node that restarted since, and has never heard of it."""
    cluster = encrypted(4, seeds=4)
    sent = record(cluster)
    cluster.boot()
    cluster.settle(within=5)
    cluster[3].register("ghost")
    cluster.advance(2)
    cluster[3].crash()
    said = [entry for entry in sent if entry[1] == cluster[3].address]
    for host in cluster.hosts[:3]:
        host.crash()
    for host in cluster.hosts[:3]:
        host.restart(lose_state=True)
    cluster.settle(within=5)
    for data, came_from, to in said:
        cluster.network.inject(data, came_from, to)
    cluster.advance(10)
    for host in cluster.hosts[:3]:
        assert host.member("n3") is None
        assert not picks(host, "ghost")


# -- amplification -------------------------------------------------------------------------------


def test_an_unproven_address_gets_at_most_three_bytes_for_one() -> None:
    """[P95]."""
    cluster = encrypted(5, seeds=5)
    sent = _a_life(cluster)
    recorded = list(sent)
    cluster[0].restart()
    cluster.settle(within=5)
    into = out = most = 0
    for data, _, _ in recorded:
        begin = len(sent)
        cluster.network.inject(data, VICTIM, cluster[0].address)
        cluster.advance(0)
        answers = [len(answer) for answer, _, to in sent[begin:] if to == VICTIM]
        assert len(answers) <= 1
        assert sum(answers) <= 3 * len(data)
        into, out, most = into + len(data), out + sum(answers), max(most, *answers, 0)
    assert 0 < out < into
    assert most <= 65


def test_what_is_not_genuine_is_never_answered() -> None:
    """[P110]."""
    cluster = encrypted(3, seeds=3)
    sent = record(cluster)
    cluster.boot()
    cluster.settle(within=5)
    stream = random.Random(5)
    recorded = list(sent)
    before = _known_to(cluster[0])
    for data, _, _ in recorded:
        forged = bytearray(data)
        forged[stream.randrange(len(forged))] ^= 1 << stream.randrange(8)
        for hostile in (bytes(forged), data[: stream.randrange(len(data))], stream.randbytes(90)):
            cluster.network.inject(hostile, VICTIM, cluster[0].address)
    cluster.advance(0.01)
    assert not any(to == VICTIM for _, _, to in sent)
    assert _known_to(cluster[0]) == before


# -- rotation ------------------------------------------------------------------------------------


def test_a_live_cluster_changes_its_key_without_a_lost_member_and_names_who_missed_it() -> None:
    cluster = encrypted(6, seeds=1)
    cluster.boot()
    cluster.settle(within=5)
    absent = cluster[5]
    absent.crash()
    assert cluster.until(lambda: cluster.counts["MemberDied"] == 5, within=10)
    present = cluster.hosts[:5]
    steps: list[Callable[[Keyring], Keyring]] = [
        lambda ring: ring.add(NEW),
        lambda ring: ring.use(NEW.kid),
        lambda ring: ring.remove(OLD.kid),
    ]
    drops = dropped(*present)
    for step in steps:
        for host in present:  # one by one, as an operator would
            envelope_of(host).keyring = step(envelope_of(host).keyring)
            cluster.advance(1)
    assert dropped(*present) == drops
    assert cluster.counts["MemberDied"] == 5
    assert {envelope_of(host).keyring for host in present} == {Keyring((NEW,), (OLD,))}

    absent.restart()  # with the old key
    cluster.advance(10)
    assert dropped(cluster[0])[Drop.RETIRED_KEY]
    (told,) = [
        e for _, label, e in cluster.events if label == "n0" and isinstance(e, ForeignTraffic)
    ]
    assert (told.source, told.reason, told.kid) == (absent.address, "retired_key", OLD.kid.hex())
    (straggler,) = envelope_of(cluster[0]).stragglers.values()
    assert (straggler.source, straggler.kid) == (absent.address, OLD.kid)
    assert dropped(absent)[Drop.UNKNOWN_KEY]
    assert cluster[0].member("n5").status is Status.DEAD
    envelope_of(absent).keyring = Keyring((NEW,))
    assert cluster.settle(within=40) is not None
