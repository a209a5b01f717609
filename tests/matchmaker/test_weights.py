"""Turns by weight: exact over a cycle, smooth within it, and fair while hosts come and go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from math import gcd

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossipmm.matchmaker.turns import RoundRobin, rendezvous
from gossipmm.matchmaker.weights import MAX_WRITTEN, Computed, cycle

#: Weights as people write them, and any others.
WEIGHTS = st.lists(
    st.one_of(st.sampled_from((1, 2, 5, 10, 50, 100)), st.integers(1, 300)), min_size=1, max_size=12
)


def names(count: int) -> tuple[str, ...]:
    return tuple(f"h{number:05}" for number in range(count))


class Walk:
    """A topic's turn, as an exchange drives it."""

    def __init__(self, spread: str = "") -> None:
        self.turns = RoundRobin(spread)
        self.made: dict[tuple[tuple[str, int], ...], tuple[str, ...]] = {}

    def pick(self, weights: Mapping[str, int]) -> str:
        hosts = self.made.setdefault(tuple(weights.items()), tuple(weights))
        given = None if len(set(weights.values())) == 1 else list(weights.values())
        turn = self.turns.turns.get("t")
        if turn is None or turn.of is not hosts:
            turn = self.turns.renew("t", hosts, turn, given)
        return turn.hosts[turn.advance() % turn.size]


@pytest.mark.parametrize(
    ("weights", "order"),
    [((5, 1, 1), "aaabaac"), ((3, 2, 1), "ababac"), ((100, 100, 50), "ababc"), ((7,), "a")],
)
def test_turns_by_weight_are_spread(weights: tuple[int, ...], order: str) -> None:
    """Five turns of a behind one another would be a burst on it, and nothing for a while."""
    assert "".join(cycle("abc"[: len(weights)], weights)) == order


@given(WEIGHTS)
def test_over_a_cycle_each_host_comes_as_often_as_its_weight_says(weights: list[int]) -> None:
    hosts = names(len(weights))
    way = cycle(hosts, weights)
    assert len(way) == sum(weights) // gcd(*weights)
    times = Counter(way)
    assert [times[host] * gcd(*weights) for host in hosts] == weights


@given(WEIGHTS, st.text(max_size=3))
def test_at_any_moment_each_host_has_nearly_its_share(weights: list[int], spread: str) -> None:
    """Within less than two turns, and within four where a cycle is too long to be written out."""
    given = dict(zip(names(len(weights)), weights, strict=True))
    total, walk, had = sum(weights), Walk(spread), Counter[str]()
    bound = 2 if total // gcd(*weights) <= MAX_WRITTEN else 8
    for number in range(1, min(2 * total, 250)):
        had[walk.pick(given)] += 1
        for host, weight in given.items():
            assert abs(had[host] - number * weight / total) < bound


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(names(6)), st.sampled_from((1, 2, 5, 10, 100)), min_size=2, max_size=6
        ),
        min_size=2,
        max_size=5,
    ),
    st.integers(1, 5),
)
def test_nobody_starves_while_hosts_come_and_go(plans: list[dict[str, int]], stay: int) -> None:
    """A walk that began again at each change gave all turns to whoever comes first in it."""
    plans = [dict(sorted(plan.items())) for plan in plans]
    plans = [plan for plan in plans if len(set(plan.values())) > 1] or [{"a": 2, "b": 1}]
    walk, had, due = Walk(), Counter[str](), Counter[str]()
    for number in range(120):
        plan = plans[number // stay % len(plans)]
        had[walk.pick(plan)] += 1
        for host, weight in plan.items():
            due[host] += weight / sum(plan.values())  # type: ignore[assignment]
        assert all(abs(had[host] - due[host]) < 4 for host in due)


def test_a_topic_whose_weights_become_equal_goes_on_in_plain_turn() -> None:
    walk = Walk()
    for _ in range(3):
        walk.pick({"a": 2, "b": 1})
    assert [walk.pick({"a": 1, "b": 1}) for _ in range(4)] in (list("abab"), list("baba"))


def test_ten_thousand_hosts_of_any_weight_have_their_turns_without_a_list_of_millions() -> None:
    weights = [1 + number * 7919 % 1000 for number in range(10_000)]
    hosts = names(10_000)
    way = cycle(hosts, weights)
    assert isinstance(way, Computed)
    assert len(way) == sum(weights)
    had = Counter(way[number] for number in range(200_000))
    heaviest = max(zip(weights, hosts, strict=True))
    assert abs(had[heaviest[1]] - 200_000 * heaviest[0] / sum(weights)) < 4
    assert way[-1] == way[len(way) - 1]
    assert way[2:4] == (way[2], way[3])
    with pytest.raises(IndexError, match="of a cycle of"):
        way[len(way)]


def test_a_weight_of_a_million_beside_one_is_exact_as_well() -> None:
    way = cycle("ab", (1_000_000, 1))
    assert len(way) == 1_000_001
    assert isinstance(way, Computed)
    assert sum(way[number] == "b" for number in range(len(way))) == 1


# -- routing keys ----------------------------------------------------------------------------------

KEYS = [f"tenant-{number}" for number in range(2000)]


def test_routing_keys_are_shared_out_by_weight() -> None:
    hosts, weights = names(4), (100, 50, 25, 25)
    had = Counter(rendezvous(key, hosts, weights) for key in KEYS)
    for host, weight in zip(hosts, weights, strict=True):
        assert had[host] / len(KEYS) == pytest.approx(weight / 200, abs=0.03)


def test_equal_weights_route_as_none_do() -> None:
    hosts = names(7)
    assert all(rendezvous(key, hosts, [3] * 7) == rendezvous(key, hosts) for key in KEYS)


def test_a_changed_weight_moves_only_keys_of_its_host() -> None:
    hosts = names(5)
    for key in KEYS:
        before, after = (rendezvous(key, hosts, (100, 100, w, 100, 100)) for w in (50, 200))
        assert after in (before, hosts[2])
