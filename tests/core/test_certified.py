"""Which key speaks for a name by its certificate, at what time, for what."""

from __future__ import annotations

import pytest

from gossipmm.core.identity.certificates import GRACE, HELD_GRACE
from gossipmm.core.identity.certified import Certified
from gossipmm.core.identity.keys import Identity, IdentityMode, verify_ed25519
from gossipmm.core.identity.revocations import encode_revocations
from gossipmm.core.values.fault import Fault
from gossipmm.core.values.types import NO_METADATA, NodeState, Registration
from gossipmm.core.wire.pages import encode_entry, encode_page, encode_page_zero
from tests.core.test_certificates import AUTHORITY, NODE, OTHER, issue

WALL = 1_500_000.0


class Looks:
    """Counts the looks at signatures."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, public: bytes, text: bytes, signature: bytes) -> bool:
        self.count += 1
        return verify_ed25519(public, text, signature)


def certified(*, most=100, revocations=None):
    looks = Looks()
    identity = Identity(
        IdentityMode.REQUIRE,
        NODE,
        looks,
        authorities=(AUTHORITY.public,),
        revocations=revocations,
    )
    return Certified(identity, "test", looks, most), looks


def take(store, certificate, wall=WALL, name="b"):
    return store.take(name, certificate.raw, wall, lambda name: False)


def revocations(number, **least):
    return encode_revocations(AUTHORITY, cluster="test", number=number, least=least).raw


def test_a_key_speaks_for_a_name_by_its_certificate():
    """[P163]."""
    store, _ = certified()
    assert store.why_not("b", NODE.public, WALL, held=False) is Fault.MISSING
    assert take(store, issue()) is None
    assert store.why_not("b", NODE.public, WALL, held=False) is None
    assert store.why_not("b", OTHER.public, WALL, held=False) is Fault.OTHER_KEY
    assert store.why_not("c", NODE.public, WALL, held=False) is Fault.MISSING
    assert (store.key_of("b"), store.key_of("c")) == (NODE.public, None)
    assert store.ends() == {"b": 2_000_000}


def test_the_highest_issue_number_of_a_name_counts_and_is_a_floor():
    """A stolen key would count until its certificate ends, though another was issued [P163]."""
    store, looks = certified()
    first, second = issue(issue=7), issue(issue=8, public=OTHER.public)
    assert take(store, first) is None
    assert take(store, second) is None
    assert store.key_of("b") == OTHER.public
    assert looks.count == 2
    assert take(store, first) is Fault.SUPERSEDED
    assert take(store, second) is None
    assert looks.count == 2  # nothing is looked at that would change nothing
    assert store.key_of("b") == OTHER.public


def test_two_certificates_of_one_number_are_one_everywhere():
    one, other = sorted((issue(expires=1_900_000), issue(expires=1_800_000)), key=lambda c: c.raw)
    for order in ((one, other), (other, one)):
        store, _ = certified()
        for certificate in order:
            take(store, certificate)
        assert store.of("b") == other


@pytest.mark.parametrize(
    ("certificate", "fault"),
    [
        (issue(name="c"), Fault.OTHER_NAME),
        (issue(cluster="prod"), Fault.FOREIGN_CLUSTER),
        (issue(OTHER), Fault.FOREIGN_AUTHORITY),
        (issue(not_before=1_600_000), Fault.NOT_YET_VALID),
    ],
)
def test_what_is_wrong_is_told_and_nothing_is_kept(certificate, fault):
    store, _ = certified()
    assert take(store, certificate) is fault
    assert store.key_of("b") is None


def test_a_forged_one_is_looked_at_once():
    store, looks = certified()
    raw = issue().raw[:-1] + b"\x00"
    for _ in range(3):
        assert store.take("b", raw, WALL, lambda name: False) is Fault.BAD_SIGNATURE
    assert looks.count == 1
    assert store.take("b", raw[:-1], WALL, lambda name: False) is Fault.TRUNCATED


def test_what_ends_while_it_is_held_stays_for_a_day_and_no_new_life_begins():
    """An authority that is late would take working hosts away, all at the same moment [P163]."""
    store, _ = certified()
    made = issue()
    take(store, made)
    ended = made.expires + GRACE
    assert store.why_not("b", NODE.public, ended - 1, held=False) is None
    assert store.why_not("b", NODE.public, ended, held=False) is Fault.EXPIRED
    assert store.why_not("b", NODE.public, ended, held=True) is None
    assert store.has_ended("b", ended)
    assert not store.has_ended("b", ended - 1)
    last = ended + HELD_GRACE
    assert store.why_not("b", NODE.public, last - 1, held=True) is None
    assert store.why_not("b", NODE.public, last, held=True) is Fault.EXPIRED
    assert store.why_not("b", NODE.public, 0.0, held=True) is Fault.NOT_YET_VALID


def test_an_ended_one_is_still_a_floor():
    store, _ = certified()
    assert take(store, issue(issue=9), wall=3_000_000.0) is None
    assert store.why_not("b", NODE.public, 3_000_000.0, held=False) is Fault.EXPIRED
    assert take(store, issue(issue=8, expires=4_000_000), wall=3_000_000.0) is Fault.SUPERSEDED


def test_who_knows_its_clock_to_be_wrong_judges_nothing_by_time():
    """[P163]."""
    store, _ = certified()
    store.judges_time = False
    assert take(store, issue(not_before=1_600_000)) is None
    for wall in (0.0, 1e10):
        assert store.why_not("b", NODE.public, wall, held=False) is None
        assert not store.has_ended("b", wall)


def test_topics_and_addresses_that_a_certificate_does_not_name_do_not_count():
    """[P164]."""
    store, _ = certified()
    take(store, issue(topics=["compute*"], networks=["10.0.0.0/8"]))
    inside, outside = ("10.0.0.1", 7946), ("11.0.0.1", 7946)

    def zero(*addresses):
        return encode_page_zero("b", 5, 1, NodeState.UP, addresses, NO_METADATA)

    both = zero(outside, inside)
    limited = store.limited(both)
    assert limited.addresses == (inside,)
    assert (limited.raw, limited.digest) == (both.raw, both.digest)
    assert store.limited(zero(inside)) == zero(inside)
    assert store.limited(zero(outside)) is None
    entries = [Registration("compute_az1", "b"), Registration("network", "b")]
    page = encode_page("b", 5, 1, 2, [(entry, encode_entry(entry)) for entry in entries])
    assert store.limited(page).entries == (entries[0],)
    assert store.limited(page).raw == page.raw
    anything, _ = certified()
    take(anything, issue())
    assert anything.limited(page) is page
    assert anything.limited(both) is both
    assert certified()[0].limited(page) is page


def test_a_revoked_certificate_counts_no_longer_whichever_comes_first():
    """[P165]."""
    store, _ = certified()
    take(store, issue(issue=7))
    assert store.take_revocations(revocations(1, b=8)) is None
    assert store.why_not("b", NODE.public, WALL, held=True) is Fault.REVOKED
    assert store.key_of("b") is None
    assert store.revoked() == ("b",)
    assert store.has_ended("b", WALL)
    later, _ = certified(revocations=revocations(1, b=8))
    assert take(later, issue(issue=7)) is Fault.REVOKED
    assert take(later, issue(issue=8)) is None
    assert later.key_of("b") == NODE.public


def test_the_newest_list_counts():
    """[P165]."""
    store, looks = certified()
    assert (store.revocations, store.number) == (None, 0)
    assert store.take_revocations(revocations(2, b=8)) is None
    assert store.take_revocations(revocations(1, c=8)) is Fault.SUPERSEDED
    assert store.take_revocations(revocations(2, c=8)) is Fault.SUPERSEDED
    assert looks.count == 1
    assert (store.revocations, store.number) == (revocations(2, b=8), 2)
    foreign = encode_revocations(OTHER, cluster="test", number=9, least={}).raw
    assert store.take_revocations(foreign) is Fault.FOREIGN_AUTHORITY
    other = encode_revocations(AUTHORITY, cluster="prod", number=9, least={}).raw
    assert store.take_revocations(other) is Fault.FOREIGN_CLUSTER
    assert store.take_revocations(b"") is Fault.TRUNCATED
    assert store.number == 2


def test_a_full_store_forgets_names_that_nobody_keeps():
    store, _ = certified(most=2)
    for name in ("b", "c", "d"):
        store.take(name, issue(name=name).raw, WALL, lambda name: name == "c")
    assert sorted(store.ends()) == ["c", "d"]
    assert store.forget("d")
    assert not store.forget("d")
