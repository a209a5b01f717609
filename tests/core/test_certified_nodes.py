"""Nodes with an authority: a key counts for a name by its certificate, and for what that says."""

from __future__ import annotations

import pytest

from gossipmm.core.identity.certificates import Certificate, Wanted, encode_certificate
from gossipmm.core.values.events import IdentityConflict
from gossipmm.core.values.fault import Fault
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import IdentityState, Status, StatusReason
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import MAX_PAGE_NUMBER, Page, encode_certificate_page
from gossipmm_sim.engine.signing import StandInSigner
from tests.core.certified_mesh import DAY, NOW, a_list, insider, issued, mesh_of
from tests.helpers import Mesh, dropped, held, picks
from tests.identities import seal, view
from tests.puppets import Puppet


def test_a_certificate_travels_with_page_0_and_counts_everywhere() -> None:
    """[P155, P163]: to who joins by one that was not there, and with a large table as well."""
    mesh = mesh_of("a", "b", "c")
    mesh["b"].register("compute", "gpu-1", now=mesh.now)
    mesh.run(1)
    assert mesh.agreed()
    assert picks(mesh["c"], "compute") == ("gpu-1",)
    late = mesh.add("d", seeds=mesh["c"].addresses)
    mesh.run(1)
    assert mesh.agreed()
    assert view(mesh, "d", "b").identity is IdentityState.CERTIFIED
    assert view(mesh, "d", "d").identity is IdentityState.CERTIFIED
    assert MAX_PAGE_NUMBER in held(late, "b").pages
    assert late.identities.certificate_ends()["b"] == NOW + DAY
    assert not dropped(late, Drop.NO_CERTIFICATE)


def test_forty_members_are_known_to_a_newcomer_with_their_certificates() -> None:
    """[P155]: in a transfer each certificate comes before the page 0 that it speaks for."""
    mesh = mesh_of("a", "b")
    for number in range(40):
        name = f"n{number}"
        one = mesh.puppet(name)
        one.seal = seal(name)
        page = encode_certificate_page(name, one.generation, 1, issued(name).raw)
        one.say("a", pages=[page, one.page_zero()])
        one.prove("a")
    mesh.run(3)
    late = mesh.add("late", seeds=mesh["a"].addresses)
    mesh.run(3)
    assert len(late.table.by_name) == 43
    assert dropped(late, Drop.NO_CERTIFICATE) <= 2


def test_who_has_no_certificate_is_nobody_where_all_have_to_sign() -> None:
    """[P163]."""
    mesh = mesh_of("a", "b", z=None)
    mesh.add("z")
    mesh.run(3)
    assert mesh["a"].member("z") is None
    assert dropped(mesh["a"], Drop.NO_CERTIFICATE)


def asked_for(mesh: Mesh, key: int, by: Puppet, page: Page, seconds: float) -> int:
    """Tell a node a page ten times a second; return how often it asks for that record."""
    asked = 0
    for _ in range(round(10 * seconds)):
        for packet in by.say("a", pages=[page]):
            asked += [want[0] for want in packet.frame.options.get(wire.OPT_WANT, ())].count(key)
        mesh.run(0.1)
    return asked


def test_a_page_without_its_certificate_is_not_asked_about_without_end() -> None:
    """Whoever tells it ten times a second would have all ask as often. [P155]."""
    mesh = mesh_of("a", "b")
    x = insider(mesh)
    z = mesh.puppet("z")
    z.seal = seal("z")
    assert 1 <= asked_for(mesh, z.key, x, z.page_zero(), 3.0) <= 4


def test_a_later_life_under_another_key_is_not_asked_about_without_end() -> None:
    """Its certificate may be a newer one, so it is asked for; a forger says so all the time.

    [P155, P163]
    """
    mesh = mesh_of("a", "b")
    x = insider(mesh)
    forger = mesh.puppet("forger", generation=mesh["b"].generation + (1 << 20))
    forger.name, forger.seal = "b", seal("forger", 1)
    key = wire.record_key("gossipmm", "b", forger.generation)
    assert 1 <= asked_for(mesh, key, x, forger.page_zero(), 4.0) <= 2


@pytest.mark.parametrize(
    "wrong",
    [
        issued("x", cluster="other"),
        issued("x", not_before=NOW + DAY, expires=NOW + 2 * DAY),
        issued("x", expires=NOW - 3600),
        issued("other"),
        encode_certificate(
            StandInSigner("nobody"),
            Wanted("x", "gossipmm", StandInSigner("x").public, 1, NOW - DAY, NOW + DAY),
        ),
    ],
    ids=["cluster", "early", "expired", "name", "authority"],
)
def test_a_certificate_that_does_not_count_admits_nobody(wrong: Certificate) -> None:
    """[P155, P163]."""
    mesh = mesh_of("a", "b")
    insider(mesh, wrong)
    assert mesh["a"].member("x") is None
    drops = dropped(mesh["a"], Drop.BAD_CERTIFICATE) + dropped(mesh["a"], Drop.NO_CERTIFICATE)
    assert drops


def test_topics_and_addresses_outside_the_certificate_do_not_count() -> None:
    """[P164]: nothing else of the record is lost, and all tables agree."""
    limits = {"topics": ["compute*"], "networks": ["10.0.0.0/8"]}
    mesh = mesh_of("a", "b", "c", b=issued("b", **limits))
    for topic in ("compute", "billing"):
        mesh["b"].register(topic, "gpu-1", now=mesh.now)
    mesh.run(1)
    assert mesh.agreed()
    assert picks(mesh["a"], "compute") == ("gpu-1",)
    assert picks(mesh["a"], "billing") == ()
    assert dropped(mesh["a"], Drop.NOT_CERTIFIED)
    mesh["b"].set_addresses([*mesh["b"].addresses, ("192.0.2.1", 7946)], mesh.now)
    mesh.run(1)
    assert view(mesh, "a", "b").addresses == mesh["b"].addresses[:1]


def test_a_renewed_certificate_counts_without_a_new_life() -> None:
    """[P155, P164]: what it allows now is listed, though its page was told before."""
    mesh = mesh_of("a", "b", "c", b=issued("b", topics=["compute"]))
    for topic in ("compute", "billing"):
        mesh["b"].register(topic, "gpu-1", now=mesh.now)
    mesh.run(1)
    generation = mesh["b"].generation
    assert mesh["b"].identities.set_certificate(issued("b", 2).raw, mesh.now) is None
    mesh.flush("b")
    mesh.run(1)
    assert mesh["b"].generation == generation
    assert picks(mesh["c"], "billing") == ("gpu-1",)
    assert mesh.agreed()
    assert mesh["b"].identities.set_certificate(issued("b", 1).raw, mesh.now) is Fault.SUPERSEDED


def test_an_owner_takes_a_newer_certificate_of_its_key_from_others() -> None:
    """[P155]: it was issued, told somewhere, and not read where its owner runs."""
    mesh = mesh_of("a", "b", "c")
    x = insider(mesh)
    newer = issued("b", 9)
    page = encode_certificate_page("b", mesh["b"].generation, 9, newer.raw)
    x.say("a", pages=[page])
    mesh.run(3)
    assert held(mesh["c"], "b").pages[MAX_PAGE_NUMBER].version == 9
    assert mesh["b"].stats.renewals == 0
    mesh.until(mesh.agreed, within=20)


def test_a_key_that_a_higher_issue_number_replaced_is_dead() -> None:
    """[P163]: whoever stole it says nothing for the name any more."""
    mesh = mesh_of("a", "b", "c")
    x = insider(mesh)
    new = issued("b", 2, StandInSigner("b", 1))
    page = encode_certificate_page("b", mesh["b"].generation, 2, new.raw)
    for name in "ac":
        x.say(name, pages=[page])
    mesh.run(3)
    assert mesh["a"].member("b") is None
    assert mesh.told("a", IdentityConflict)


def test_a_certificate_that_ends_takes_no_working_host_away_for_a_day() -> None:
    """[P163]: then it is on probation; a new life of it does not begin at all."""
    mesh = mesh_of("a", "b", "c", b=issued("b", expires=NOW + 600))
    mesh["b"].register("t", "h", now=mesh.now)
    mesh.run(1000)
    assert view(mesh, "a", "b").identity is IdentityState.EXPIRED
    assert view(mesh, "a", "b").status is Status.ALIVE
    assert picks(mesh["a"], "t") == ("h",)
    for name in "abc":
        mesh[name].new_boot(mesh.now, mesh.wall_ms(DAY + 900))
    mesh.run(100)
    shown = view(mesh, "a", "b")
    assert (shown.status, shown.reason) == (Status.PROBATION, StatusReason.EXPIRED)
    address = mesh["b"].addresses[0]
    mesh.crash("b")
    mesh.add("b", address=address).new_boot(mesh.now, mesh.wall_ms(DAY + 900))
    mesh.run(5)
    assert held(mesh["a"], "b").generation != mesh["b"].generation


def test_a_revoked_certificate_counts_nowhere_and_all_learn_of_it() -> None:
    """[P158, P165]: whoever misses the push is told by the next that states that it lives."""
    mesh = mesh_of("a", "b", "c", "d")
    mesh["b"].register("t", "h", now=mesh.now)
    mesh.run(1)
    mesh.cut(["d"], ["a", "b", "c"])
    listed = a_list(5, b=2)
    assert mesh["a"].identities.set_revocations(listed.raw, mesh.now) is None
    mesh.flush("a")
    mesh.run(0.5)
    for name in "ac":
        assert mesh[name].identities.revocations() == listed.raw
        assert view(mesh, name, "b").reason is StatusReason.REVOKED
        assert picks(mesh[name], "t") == ()
    mesh.heal()
    mesh.until(lambda: mesh["d"].identities.revocations() == listed.raw, within=60)
    assert picks(mesh["d"], "t") == ()


def test_a_node_whose_clock_is_wrong_judges_nothing_by_time() -> None:
    """[P159]: it would refuse everybody."""
    mesh = mesh_of("a", "b", "c", "d")
    node = mesh["c"]
    node._local._wall += 30 * DAY  # type: ignore[operator]
    mesh.run(60)
    assert node.identities.clock_ahead() < -29 * DAY
    assert view(mesh, "c", "a").identity is IdentityState.CERTIFIED
    assert view(mesh, "c", "a").status is Status.ALIVE
    assert mesh["a"].identities.clock_ahead() == 0


def test_nobody_writes_the_page_of_a_certificate_for_another_one() -> None:
    """[P155]: in the place of the true one, with an issue number of its own."""
    mesh = mesh_of("a", "b", "c")
    x = insider(mesh)
    forged = encode_certificate(
        StandInSigner("x"),
        Wanted("b", "gossipmm", StandInSigner("x").public, 99, NOW - DAY, NOW + DAY),
    )
    page = encode_certificate_page("b", mesh["b"].generation, 99, forged.raw)
    for name in mesh.names():
        x.say(name, pages=[page])
    mesh.run(1)
    assert view(mesh, "a", "b").identity is IdentityState.CERTIFIED
    assert held(mesh["a"], "b").pages[MAX_PAGE_NUMBER].version == 1
    assert dropped(mesh["a"], Drop.BAD_CERTIFICATE)
    assert mesh["b"].stats.renewals == 0
