"""An owner that signs two pages of one version: told once, and in no lookup until its next life."""

from __future__ import annotations

from gossipmm.core.values.events import Equivocating
from gossipmm.core.values.types import IdentityState, Registration, Status, StatusReason
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import Page
from tests.helpers import Mesh, picks
from tests.identities import in_the_name_of, seal, signed_mesh, view
from tests.puppets import Puppet


def liar(mesh: Mesh) -> tuple[Puppet, Page, Page]:
    """A member, and two pages of it of one version."""
    x = mesh.puppet("x")
    x.seal = seal("x")
    x.introduce(entries=[Registration("t", "h0")])
    for name in mesh.names():
        x.say(name)
    version = x.version + 1
    one, two = (x.page(1, Registration("t", host), version=version) for host in ("h1", "h2"))
    x.version = version
    return x, one, two


def test_two_pages_of_one_version_are_a_proof_for_everybody() -> None:
    """Of 20 hosts ten listed one host and nine the other, and nobody knew who lied. [P154]."""
    mesh = signed_mesh("a", "b", "c", "d")
    x, one, two = liar(mesh)
    x.say("a", pages=[one])
    x.say("b", pages=[two])
    mesh.run(3)
    for name in mesh.names():
        (told,) = mesh.told(name, Equivocating)
        assert (told.name, told.page) == ("x", 1)
        shown = view(mesh, name, "x")
        assert shown.identity is IdentityState.EQUIVOCATING
        assert (shown.status, shown.reason) == (Status.PROBATION, StatusReason.EQUIVOCATES)
        assert picks(mesh[name], "t") == ()
    assert mesh.agreed()


def test_the_proof_counts_where_a_later_version_is_held_already() -> None:
    """[P154]."""
    mesh = signed_mesh("a", "b", "c")
    x, one, two = liar(mesh)
    for name in mesh.names():
        x.say(name, pages=[x.page(1, Registration("t", "h9"))])
    mesh.run(1)
    assert picks(mesh["a"], "t") == ("h9",)
    x.say("a", pages=[one, two])
    mesh.run(1)
    assert all(mesh.told(name, Equivocating) for name in mesh.names())
    assert picks(mesh["c"], "t") == ()


def test_its_next_life_begins_without_blame() -> None:
    """[P154]."""
    mesh = signed_mesh("a", "b")
    x, one, two = liar(mesh)
    x.say("a", pages=[one, two])
    mesh.run(1)
    again = mesh.puppet("x", address=x.addresses[0])
    again.seal = seal("x")
    again.introduce(entries=[Registration("t", "h3")])
    for name in mesh.names():
        again.say(name)
    mesh.run(1)
    assert picks(mesh["b"], "t") == ("h3",)


def test_proofs_against_its_next_lives_are_not_told_on_for_a_minute() -> None:
    """Five that did so cost each of twenty hosts 1,598 bytes a second, a third of it proofs [P187].

    Whoever meets both pages knows all the same.
    """
    mesh = signed_mesh("a", "b", "c", "d")
    told = []
    for life in range(3):
        x, one, two = liar(mesh)
        mesh.sent.clear()
        for name in mesh.names() if life else "a":
            x.say(name, pages=[one, two])
        mesh.run(3)
        proofs = [
            packet
            for packet in mesh.sent
            if {one.raw, two.raw} <= set(packet.frame.options.get(wire.OPT_PAGES, ()))
        ]
        told.append(len(proofs))
        assert all(len(mesh.told(name, Equivocating)) == life + 1 for name in mesh.names())
        mesh.run(35 if life else 1)
    assert told[0] > 0 == told[1]
    mesh.run(65)
    x, one, two = liar(mesh)
    mesh.sent.clear()
    x.say("a", pages=[one, two])
    mesh.run(3)
    assert all(mesh.told(name, Equivocating)[3:] for name in mesh.names())


def test_a_forged_second_page_blames_nobody() -> None:
    """[P154]: only what the name's key signed is a proof."""
    mesh = signed_mesh("a", "b", "c")
    mesh["b"].register("t", "h", now=mesh.now)
    mesh.run(1)
    x, _, _ = liar(mesh)
    held = mesh["a"].table.by_name["b"].pages[1]
    for number in (None, 1):
        forger = in_the_name_of(mesh, "b", number)
        pages = [
            forger.page(1, Registration("t", f"evil{place}"), version=held.version)
            for place in range(4)
        ]
        for page in pages:
            x.say("a", pages=[page])
        x.say("a", pages=pages)
    mesh.run(1)
    assert not mesh.told("a", Equivocating)
    assert "h" in picks(mesh["a"], "t")
