"""Nothing large goes to an address that has not shown to be there."""

from __future__ import annotations

import pytest

from gossipmm.core.values.stats import Drop
from gossipmm.core.values.types import Address
from gossipmm.core.wire import frame as wire
from tests.helpers import Mesh, dropped
from tests.puppets import Puppet

VICTIM: Address = ("192.0.2.80", 80)


def full(count: int = 60) -> tuple[Mesh, Puppet]:
    """A node with a table, and a member that has proved nothing."""
    mesh = Mesh("a")
    mesh.puppets(*(f"m{n}" for n in range(count)))
    stranger = mesh.puppet("x")
    stranger.say("a", pages=[stranger.page_zero()], options={wire.OPT_MORE: []})
    return mesh, stranger


REQUESTS = {
    "pull": {wire.OPT_PULL: [0, 0]},
    "want": {wire.OPT_WANT: [[1, b""]] * 20},
    "digest": {wire.OPT_DIGEST: [0, b"\0", b""]},
    "buckets": {wire.OPT_BUCKETS: [0, 0, b"1234"]},
}


@pytest.mark.parametrize("what", REQUESTS)
def test_a_request_is_served_once_its_sender_answered_a_probe(what: str) -> None:
    """[P96]."""
    mesh, x = full()
    x.answers = False
    options = dict(REQUESTS[what])
    if what == "want":
        options = {wire.OPT_WANT: [[member.key, b""] for member in mesh.puppets("w1", "w2")]}
    said = x.say("a", options=options)
    assert [p.frame.kind for p in said] == [wire.SYN]
    assert said[0].target == x.addresses[0]
    assert len(said[0].data) <= len(x.frame(wire.NEWS, 1, options=options))
    served = x.say("a", wire.ACK, probe=said[0].frame.probe)
    assert any(wire.OPT_PAGES in p.frame.options or p.frame.options for p in served)
    assert sum(len(p.data) for p in served) > 100
    assert x.say("a", options=options) != []
    assert dropped(mesh["a"], Drop.LATE_ACK) == 0


def test_a_guessed_answer_proves_nothing() -> None:
    """[P97]."""
    mesh, x = full()
    x.answers = False
    (asked,) = x.say("a", options=REQUESTS["pull"])
    for guess in (0, 1, asked.frame.probe ^ 1):
        assert x.say("a", wire.ACK, probe=guess) == []
    assert dropped(mesh["a"], Drop.LATE_ACK) == 3
    assert x.addresses[0] not in mesh["a"]._admission.proved


def test_a_request_waits_for_two_seconds_only() -> None:
    """[P96]."""
    mesh, x = full()
    x.answers = False
    (asked,) = x.say("a", options=REQUESTS["pull"])
    mesh.run(2.5)
    assert not any(
        wire.OPT_PAGES in p.frame.options for p in x.say("a", wire.ACK, probe=asked.frame.probe)
    )


def test_many_that_ask_and_never_answer_take_bounded_memory() -> None:
    """[P96]."""
    mesh = Mesh("a", max_members=2000)
    for x in (mesh.puppet(f"x{n}") for n in range(600)):
        x.say("a", pages=[x.page_zero()], options={wire.OPT_MORE: []})
        for _ in range(8):
            x.say("a", options=REQUESTS["pull"])
    proofs = mesh["a"]._parts.validation
    assert len(proofs.open) == len(proofs._by_address) == 256
    assert max(len(question.requests) for question in proofs.open.values()) == 4


@pytest.mark.parametrize("kind", list(wire.KIND_NAMES))
@pytest.mark.parametrize("what", ["nothing", *REQUESTS, "page", "rows"])
def test_no_more_than_three_times_what_came_goes_back_to_an_address_that_proved_nothing(
    kind: int, what: str
) -> None:
    """Whatever is asked, in whoever's name, from whatever forged address [P95]."""
    mesh, x = full()
    member = mesh.puppets("m")[0]
    mesh["a"].register("t", "h", {"m": "x" * 500}, now=mesh.now)
    mesh.run(0.2)
    fields: dict[str, object] = {"probe": 77}
    if what == "page":
        fields["options"] = {wire.OPT_PAGES: [x.page_zero().raw]}
    elif what == "rows":
        fields["rows"] = b"".join(wire.row(n + 1, 5, wire.ALIVE) for n in range(60))
    elif what != "nothing":
        fields["options"] = REQUESTS[what]
    if kind in (wire.HELP, wire.HELPED):
        fields["options"] = {**fields.get("options", {}), wire.OPT_TARGET: member.key}  # type: ignore[dict-item]
    for who in (x, member, mesh.puppet("unknown")):
        data = who.frame(kind, 0, **fields)
        mesh.deliver(data, VICTIM, "a")
        mesh.run(0.3)
        back = sum(len(p.data) for p in mesh.sent if p.target == VICTIM)
        assert back <= 3 * len(data)
        mesh.sent.clear()


def test_an_older_life_is_told_of_the_newer_one_although_it_asked_little() -> None:
    """What does not fit three times the question waits for the proof, and then is said."""
    mesh = Mesh("a")
    old = mesh.puppet("x").introduce("a")
    new = mesh.puppet("x2")
    new.name, new.generation = "x", old.generation + (1 << 20)
    new.key = wire.record_key("gossipmm", "x", new.generation)
    page = new.page_zero(metadata={"zone": "z" * 150})
    new.say("a", pages=[page])
    mesh.run(0.05)
    moved: Address = ("10.9.9.9", 1)
    said = mesh.deliver(old.frame(wire.SYN, 0, probe=5), moved, "a")
    question = next(p for p in said if p.frame.kind == wire.SYN)
    assert all(page.raw not in p.pages for p in said)
    told = mesh.deliver(old.frame(wire.ACK, 0, probe=question.frame.probe), moved, "a")
    assert any(page.raw in p.pages for p in told)


def test_answers_of_seeds_and_of_probes_prove_their_addresses() -> None:
    """[P97]."""
    mesh = Mesh("a", "b", "c")
    mesh.settle()
    mesh.run(12)  # in turn each asks another one than its successor on the ring
    for node in (mesh["a"], mesh["b"], mesh["c"]):
        others = {mesh[n].addresses[0] for n in "abc"} - {node.addresses[0]}
        assert others <= node._admission.proved.keys()
