"""Pages of one record, delivered in any order: lost ones come again from any other holder."""

from __future__ import annotations

import random

from hypothesis import example, given, settings
from hypothesis import strategies as st

from gossipmm.config import Config
from gossipmm.core.table.self_record import SelfRecord
from gossipmm.core.table.table import Table
from gossipmm.core.values.evidence_time import first_hand
from gossipmm.core.values.stats import Stats
from gossipmm.core.values.types import EntryState, Registration
from gossipmm.core.wire.pages import Page, page_untrusted

#: (topic, how large, or -1: unregister). Two large ones do not fit one page, so entries move.
CHANGES = st.lists(
    st.tuples(st.sampled_from("tuv"), st.sampled_from((-1, 0, 450, 700))), min_size=1, max_size=14
)


def written(changes: list[tuple[str, int]]) -> tuple[SelfRecord, list[Page]]:
    """An owner, and every page that it ever wrote, in order."""
    own = SelfRecord(Config(), "a", 1 << 40, (("127.0.0.1", 7946),))
    pages = [own.page_zero()]
    for topic, size in changes:
        if size < 0:
            page = own.remove(topic, "h")
            pages += [page] if page is not None else []
        else:
            pages += own.set(topic, "h", {"m": "x" * size}, EntryState.UP)
    return own, pages


def holder() -> Table:
    return Table(Config(), Stats())


def deliver(table: Table, pages: list[Page]) -> None:
    for page in pages:
        _, member = table.put(page_untrusted(page.raw), 0.0)
        assert member is not None
        member.hear_alive(1, first_hand(0.0))
        table.refresh(member, 0.0)
    table.publish()


def listed(table: Table) -> dict[str, int]:
    """Topic -> size of its entry's metadata, as readers see it."""
    return {
        topic: len(str(entry.metadata["m"]))
        for topic, view in table.topics.items()
        for entry in view.entries.values()
    }


def registered(own: SelfRecord) -> dict[str, int]:
    return {entry.topic: len(str(entry.metadata["m"])) for entry in own.registrations()}


def check_exact(table: Table, own: SelfRecord) -> None:
    member = table.by_name["a"]
    key = str
    assert sorted(member.registrations(), key=key) == sorted(own.registrations(), key=key)
    assert listed(table) == registered(own)


# 't' outgrows the page that it shares with 'u'. Where the new page comes first, and the old page
# only then, the old one must neither hide what the new one says nor take it along when it goes.
MOVES = [("t", 0), ("u", 450), ("t", 700)]
#: Shuffles the five pages so: first page 0, then 't' where it is now, then where it was.
LATE_OLD_PAGE = 5


@settings(max_examples=150)
@given(changes=CHANGES, seed=st.integers(0, 2**16), twice=st.booleans())
@example(changes=MOVES, seed=LATE_OLD_PAGE, twice=False)
def test_pages_in_any_order_doubled_and_late_end_in_the_owners_exact_record(
    changes: list[tuple[str, int]], seed: int, twice: bool
) -> None:
    """Each page is a last-writer-wins register; nothing needs a tombstone.

    [P3]
    """
    own, pages = written(changes)
    order = pages * (1 + twice)
    random.Random(seed).shuffle(order)
    table = holder()
    deliver(table, order)
    check_exact(table, own)


@settings(max_examples=150)
@given(changes=CHANGES, seed=st.integers(0, 2**16))
@example(changes=MOVES, seed=LATE_OLD_PAGE)
def test_at_no_moment_is_an_entry_missing_that_all_delivered_pages_agree_on(
    changes: list[tuple[str, int]], seed: int
) -> None:
    """What readers see is always what the newest of the pages held says of each entry."""
    _, pages = written(changes)
    random.Random(seed).shuffle(pages)
    table = holder()
    newest: dict[int, Page] = {}
    for page in pages:
        deliver(table, [page])
        if page.number not in newest or newest[page.number].version < page.version:
            newest[page.number] = page
        expected: dict[str, Registration] = {}
        for one in sorted(newest.values(), key=lambda page: page.version):
            expected.update({entry.topic: entry for entry in one.entries})
        sizes = {topic: len(str(entry.metadata["m"])) for topic, entry in expected.items()}
        assert listed(table) == (sizes if 0 in newest else {})


@settings(max_examples=80)
@given(changes=CHANGES, seed=st.integers(0, 2**16), lost=st.floats(0, 0.9))
def test_what_was_lost_comes_from_any_other_holder(
    changes: list[tuple[str, int]], seed: int, lost: float
) -> None:
    """Holders that each missed something bring each other to the owner's record [P6]."""
    own, pages = written(changes)
    rng = random.Random(seed)
    holders = [holder() for _ in range(3)]
    for place, page in enumerate(pages):
        lucky = place % len(holders)  # each page reached at least one of them
        for number, table in enumerate(holders):
            if number == lucky or rng.random() >= lost:
                deliver(table, [page])
    for _ in range(2):
        for table in holders:
            for other in holders:
                if "a" in other.by_name:
                    deliver(table, list(other.by_name["a"].pages.values()))
    for table in holders:
        check_exact(table, own)
    assert len({table.by_name["a"].page_hash for table in holders}) == 1


@settings(max_examples=80)
@given(changes=CHANGES, others=CHANGES, seed=st.integers(0, 2**16))
# The page that counted less for 't' comes again, later, with the same 't'.
@example(
    changes=[("u", 450), ("t", 700), ("t", 0)],
    others=[("t", 0), ("t", 450), ("u", 0), ("u", -1)],
    seed=0,
)
def test_of_two_pages_at_one_version_all_holders_end_with_the_same(
    changes: list[tuple[str, int]], others: list[tuple[str, int]], seed: int
) -> None:
    """A clone writes other pages at the versions of the original: any order ends in one record.

    [P3]
    """
    pages = written(changes)[1] + written(others)[1]
    ends = []
    for turn in range(3):
        order = pages * 2
        random.Random(seed + turn).shuffle(order)
        table = holder()
        deliver(table, order)
        ends.append((listed(table), table.fingerprint, table.by_name["a"].page_hash))
    assert ends[0] == ends[1] == ends[2]


@settings(max_examples=80)
@given(changes=CHANGES, seed=st.integers(0, 2**16))
def test_nothing_that_was_removed_comes_back(changes: list[tuple[str, int]], seed: int) -> None:
    """However late, however often, and whoever brings the old pages [P3]."""
    own, pages = written(changes)
    table = holder()
    deliver(table, pages)
    before = listed(table), table.fingerprint
    late = pages * 2
    random.Random(seed).shuffle(late)
    deliver(table, late)
    assert (listed(table), table.fingerprint) == before
    check_exact(table, own)
