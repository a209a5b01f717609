"""Lists of revocations among members: the highest number counts, and reaches everybody."""

from __future__ import annotations

from gossipmm.core.identity.revocations import encode_revocations
from gossipmm.core.values.fault import Fault
from gossipmm.core.values.stats import Drop
from gossipmm.core.wire import frame as wire
from gossipmm_sim.engine.signing import StandInSigner
from tests.core.certified_mesh import a_list, insider, mesh_of
from tests.helpers import dropped


def test_who_holds_an_older_list_is_shown_the_newer_one() -> None:
    """[P158]."""
    mesh = mesh_of("a", "b")
    x = insider(mesh)
    newer, older = a_list(5), a_list(4)
    x.say("a", options={wire.OPT_REVOKED: newer.raw})
    assert mesh["a"].identities.revocations() == newer.raw
    for shown in (older.raw, b""):
        answers = x.say("a", options={wire.OPT_REVOKED: shown})
        told = [p.frame.options.get(wire.OPT_REVOKED) for p in answers]
        assert newer.raw in told
    assert not any(
        wire.OPT_REVOKED in p.frame.options
        for p in x.say("a", options={wire.OPT_REVOKED: newer.raw})
    )
    assert mesh["a"].identities.set_revocations(older.raw, mesh.now) is Fault.SUPERSEDED


def test_a_list_that_no_authority_signed_changes_nothing() -> None:
    """[P158, P165]."""
    mesh = mesh_of("a", "b")
    x = insider(mesh)
    forged = encode_revocations(StandInSigner("x"), cluster="gossipmm", number=99, least={"b": 2})
    x.say("a", options={wire.OPT_REVOKED: forged.raw})
    assert mesh["a"].identities.revocations() is None
    assert dropped(mesh["a"], Drop.BAD_CERTIFICATE)


def test_a_newcomer_learns_of_the_list_by_its_first_exchanges() -> None:
    """[P158, P159]: they are signed until it knows three clocks."""
    mesh = mesh_of("a", "b", "c")
    listed = a_list(7)
    mesh["a"].identities.set_revocations(listed.raw, mesh.now)
    mesh.flush("a")
    mesh.run(1)
    late = mesh.add("d")
    mesh.until(lambda: late.identities.revocations() == listed.raw, within=10)
