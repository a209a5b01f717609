"""What must hold of a node at any moment, whatever it was told: checked by building it anew."""

from __future__ import annotations

from gossipmm.core.node import Node
from gossipmm.core.table.liveness import NEVER
from gossipmm.core.table.member import Member
from gossipmm.core.table.table import Table
from gossipmm.core.values.stats import Stats
from gossipmm.core.values.types import HostEntry, NodeState, Status, TopicView

_TALKS = (Status.ALIVE, Status.SUSPECT, Status.PROBATION)
_GONE = (Status.DEAD, Status.RETURNING, Status.LEFT)


def check_node(node: Node) -> None:
    """The table is consistent, and what the program registered is in it."""
    check_table(node.table, node)
    me = node.table.me
    assert me is not None
    assert node.table.by_name[node.name] is me
    assert me.generation == node.generation
    impaired = me.node_state is NodeState.IMPAIRED
    well = Status.PROBATION if impaired else Status.ALIVE
    assert me.status is (Status.LEFT if node.leaving else well)
    told = [(e.topic, e.host, dict(e.metadata), e.state) for e in me.registrations()]
    own = node.registrations(0.0)
    assert sorted(map(str, told)) == sorted(
        str((e.topic, e.host, dict(e.metadata), e.state)) for e in own
    )
    if not node.leaving and not impaired:
        for entry in own:
            assert entry.host in node.table.topics[entry.topic].entries
    for member in node.table.by_key.values():
        suspicious = member.suspicion_timer is not None
        assert not suspicious or member.suspected, f"{member.name}: a timer without a suspicion"
        if member.status is Status.SUSPECT:
            assert suspicious, f"{member.name}: suspect for ever"


def check_table(table: Table, node: Node) -> None:
    """Counters kept step by step equal those of a table that is built at once from the same."""
    assert len(table.by_name) == len(table.by_key)
    fresh = Table(node.config, Stats())
    for member in table.by_name.values():
        assert table.by_key[member.key] is member
        assert member.status is member.judged()
        assert (member.key in table.gone) == (member.status in _GONE)
        talks = member.status in _TALKS and member is not table.me
        assert (member.key in table.peers) == talks
        assert member.d <= NEVER or member.d <= max(member.s, member.k, member.d)
        _copy(member, fresh)
    assert table.ring.places == sorted(one.place for one in table.peers.values())
    assert table.gone_since == sorted((one.gone_at, key) for key, one in table.gone.items())
    unheard = [one for one in table.by_key.values() if one.status is Status.UNKNOWN]
    assert table.unheard.keys() == {one.key for one in unheard}
    since = [one.since for one in table.unheard.values()]
    assert since == sorted(since), "the reaper looks at the first alone"
    impaired = (k for k, one in table.peers.items() if one.node_state is NodeState.IMPAIRED)
    assert table.impaired == set(impaired)
    fresh.publish()
    assert fresh.fingerprint == table.fingerprint
    assert fresh.topics.keys() == table.topics.keys()
    for topic, view in table.topics.items():
        assert _comparable(view) == _comparable(fresh.topics[topic]), topic
        assert list(view.picks) == sorted(set(view.picks))
        assert list(view.fanout) == sorted(set(view.fanout))


def _copy(member: Member, table: Table) -> None:
    twin = Member(member.name, member.generation, member.key)
    for name in ("k", "s", "d", "declared_dead_at", "probation_until", "doubted", "vanished_at"):
        setattr(twin, name, getattr(member, name))
    table.insert(twin, 0.0)
    for page in member.pages.values():
        table.replace_page(twin, page, 0.0)
    twin.hidden = dict(member.hidden) if member.hidden else None
    table.refresh(twin, 0.0)
    table.rejudge(twin, 0.0)


def _comparable(view: TopicView) -> tuple[object, ...]:
    def plain(entry: HostEntry) -> tuple[object, ...]:
        return entry.host, entry.state, entry.nodes

    entries = sorted(map(plain, view.entries.values()), key=str)
    return view.picks, view.fanout, view.stale, entries
