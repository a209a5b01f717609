"""User events: to every live member once, in the order of each sender, and bounded."""

from __future__ import annotations

import pytest

from gossipmm.core.identity.keys import IdentityMode
from gossipmm.core.identity.signed import Texts
from gossipmm.core.values.stats import Drop
from gossipmm.core.values.user_events import EventText, UserEvent, UserEventsLost, UserEventsRefused
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.event_text import encode_event
from gossipmm.errors import UserEventError, UserEventRateError
from gossipmm.mechanisms import Mechanism
from gossipmm_sim.engine.signing import StandInSigner
from tests.helpers import Mesh, dropped, key_of
from tests.identities import seal, signed_mesh
from tests.puppets import Puppet


def names(mesh: Mesh, at: str) -> list[str]:
    return [event.event_name for event in mesh.told(at, UserEvent)]


def told_of(mesh: Mesh, since: int) -> set[int]:
    """Options about events in what was sent."""
    about = {wire.OPT_EVENTS, wire.OPT_HELD, wire.OPT_MISSED}
    return {key for one in mesh.sent[since:] for key in one.frame.options if key in about}


def numbers(mesh: Mesh, at: str) -> list[int]:
    return [event.number for event in mesh.told(at, UserEvent)]


def test_an_event_reaches_all_members_once_its_sender_included() -> None:
    """[P166, P167]: by pushes alone, within a moment."""
    mesh = Mesh("a", "b", "c", "d", "e", "f", "g", "h")
    mesh.settle()
    assert mesh["c"].send_event("deploy", b"v1.2\x00\xff", now=mesh.now) == 1
    mesh.run(0.05)
    for name in mesh.names():
        (told,) = mesh.told(name, UserEvent)
        assert (told.name, told.event_name, told.payload) == ("c", "deploy", b"v1.2\x00\xff")
        assert (told.number, told.topic, told.replayed) == (1, "", False)
        assert 0.0 <= told.age < 0.05
    mesh.run(120.0)
    assert all(numbers(mesh, name) == [1] for name in mesh.names())


def test_events_of_one_sender_come_in_its_order() -> None:
    """[P167]: at a third of all datagrams lost, and none is missing."""
    mesh = Mesh("a", "b", "c", "d", "e", "f", seed=4)
    mesh.settle()
    mesh.lose(0.33)
    for _ in range(60):
        mesh["a"].send_event("tick", now=mesh.now)
        mesh["b"].send_event("tock", now=mesh.now)
        mesh.run(0.01)
    mesh.run(3.0)
    for name in mesh.names():
        for sender in "ab":
            told = [one.number for one in mesh.told(name, UserEvent) if one.name == sender]
            assert told == list(range(1, 61))


def test_without_exchanges_lost_events_stay_lost_and_that_is_told() -> None:
    """[P167, P168]: what pushes miss is closed by exchanges; without them it is given up."""
    mesh = Mesh("a", "b", "c", seed=2, without={Mechanism.EVENT_EXCHANGES})
    mesh.settle()
    mesh["a"].send_event("first", now=mesh.now)
    mesh.run(0.1)
    mesh.cut("ab", "c")
    mesh["a"].send_event("second", now=mesh.now)
    mesh.run(0.1)
    mesh.heal()
    mesh["a"].send_event("third", now=mesh.now)
    mesh.run(0.1)
    assert names(mesh, "c") == ["first"]  # the third one waits for the second
    mesh.run(4.0)
    assert names(mesh, "c") == ["first", "third"]
    (lost,) = mesh.told("c", UserEventsLost)
    assert (lost.name, lost.first, lost.lost) == ("a", 2, 1)
    assert mesh["c"].event_stats.lost == 1


def test_what_was_sent_during_a_split_reaches_the_other_half_afterwards() -> None:
    """[P168]: as far as it is still remembered, which is for a minute."""
    mesh = Mesh("a", "b", "c", "d", seed=3)
    mesh.settle()
    mesh.cut("ab", "cd")
    mesh["a"].send_event("forgotten", now=mesh.now)
    mesh.run(70.0)
    mesh["a"].send_event("left", now=mesh.now)
    mesh["c"].send_event("right", now=mesh.now)
    mesh.run(20.0)
    mesh.heal()
    mesh.run(20.0)
    for name in "ab":
        assert names(mesh, name) == ["forgotten", "left", "right"]
    for name in "cd":
        assert names(mesh, name) == ["right", "left"]


def test_a_joiner_is_told_nothing_from_before_it_began_unless_it_asks_for_that() -> None:
    """[P169]."""
    mesh = Mesh("a", "b", "c")
    mesh.settle()
    mesh["a"].send_event("before", now=mesh.now)
    mesh.run(10.0)
    mesh.add("d")
    mesh.add("e", replay_events=True)
    mesh.run(8.0)
    assert names(mesh, "d") == []
    (told,) = mesh.told("e", UserEvent)
    assert told.replayed
    assert 10.0 <= told.age < 20.0
    mesh["a"].send_event("after", now=mesh.now)
    mesh.run(1.0)
    assert names(mesh, "d") == ["after"]
    assert names(mesh, "e") == ["before", "after"]
    assert not mesh.told("d", UserEventsLost)


def test_topic_and_metadata_choose_who_is_told_and_all_pass_it_on() -> None:
    """[P169]: those it is not meant for are no gap for what follows."""
    mesh = Mesh("a", "b", "c")
    mesh.settle()
    mesh["b"].register("compute", "gpu-1", now=mesh.now)
    mesh["c"].set_metadata({"zone": "east", "rack": 7}, now=mesh.now)
    mesh["a"].send_event("compute", topic="compute", now=mesh.now)
    mesh["a"].send_event("east", metadata={"zone": "east", "rack": 7}, now=mesh.now)
    mesh["a"].send_event("west", metadata={"zone": "west"}, now=mesh.now)
    mesh["a"].send_event("all", now=mesh.now)
    mesh.run(0.2)
    assert names(mesh, "a") == ["all"]
    assert names(mesh, "b") == ["compute", "all"]
    assert names(mesh, "c") == ["east", "all"]
    assert mesh["b"].event_stats.filtered == 2


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"payload": b"x" * 513}, "the payload has 513 bytes, more than the 512 allowed"),
        ({"name": "tab\there"}, "control characters"),
        ({"name": ""}, "event name must not be empty"),
        ({"name": "x" * 65}, "takes 65 bytes, more than the 64 allowed"),
        ({"topic": "a.b"}, "contains a dot"),
        ({"topic": ""}, "leave it out"),
        ({"payload": 5}, "must be bytes or text, not int"),
        ({"metadata": ["zone"]}, "must be a map, not list"),
        ({"metadata": {"zone": 1.5}}, "not a string, an integer or a boolean"),
        ({"topic": "t" * 790}, "takes 803 bytes with its name and its filters, more than the"),
    ],
)
def test_what_nobody_could_be_told_is_refused_at_the_door(given: dict, why: str) -> None:  # type: ignore[type-arg]
    """[P166]: with the number, and nothing is sent."""
    mesh = Mesh("a")
    with pytest.raises(UserEventError, match=why):
        mesh["a"].send_event(**{"name": "deploy", **given}, now=mesh.now)
    mesh.run(0.1)
    assert not mesh.told("a", UserEvent)


def test_the_door_refuses_a_flood_and_says_when_to_try_again() -> None:
    """[P171]: 256 at once, 128 a second."""
    mesh = Mesh("a", "b")
    mesh.settle()
    for _ in range(256):
        mesh["a"].send_event("flood", now=mesh.now)
    with pytest.raises(UserEventRateError, match="more than 128 events") as caught:
        mesh["a"].send_event("flood", now=mesh.now)
    assert 0.0 < caught.value.retry_after <= 1 / 128
    stats = mesh["a"].event_stats
    assert (stats.over_budget, stats.refused) == (1, 0), "it is not others' that were refused"
    mesh.run(1.0)
    mesh["a"].send_event("again", now=mesh.now)
    mesh.run(1.0)
    assert numbers(mesh, "b") == list(range(1, 258))


def test_a_sender_without_a_door_is_held_to_its_budget_by_everybody() -> None:
    """[P171]: what is above is counted, told once, and passed on by nobody."""
    mesh = Mesh("a", "b", "c")
    mesh.settle()
    mesh["a"]._parts.user_events.keeps_budget = False
    for _ in range(2000):
        mesh["a"].send_event("flood", now=mesh.now)
    mesh.run(1.0)
    for name in "bc":
        assert 1024 <= len(mesh.told(name, UserEvent)) <= 1024 + 256
        assert dropped(mesh[name], Drop.EVENT_RATE)
        (refused,) = mesh.told(name, UserEventsRefused)
        assert (refused.name, refused.reason) == ("a", Drop.EVENT_RATE)


def test_nothing_costs_a_byte_before_the_first_event_and_a_minute_after_the_last() -> None:
    """[P168]: members that hold no event say nothing of events."""
    loud = Mesh("a", "b", "c")
    loud.settle()
    loud["a"].send_event("once", now=loud.now)
    loud.run(67.0)
    before = len(loud.sent)
    loud.run(30.0)
    assert told_of(loud, 0) == {wire.OPT_EVENTS, wire.OPT_HELD}
    assert not told_of(loud, before)
    loud.cut("a", "bc")
    loud["a"].send_event("again", now=loud.now)
    loud.run(1.0)
    loud.heal()
    loud.run(5.0)
    assert wire.OPT_MISSED in told_of(loud, before)


def test_a_restarted_sender_begins_again_with_one() -> None:
    """[P166]: numbers are of a life."""
    mesh = Mesh("a", "b", "c")
    mesh.settle()
    mesh["a"].send_event("one", now=mesh.now)
    mesh.run(1.0)
    mesh.crash("a")
    mesh.add("a")
    mesh.run(5.0)
    assert mesh["a"].send_event("two", now=mesh.now) == 1
    mesh.run(1.0)
    assert names(mesh, "b") == ["one", "two"]


def item(
    mesh: Mesh, sender: str, number: int, signer: StandInSigner | None = None, *, name: str = "evil"
) -> list[object]:
    """An event in somebody's name."""
    raw, key = encode_event(EventText(number, name, b"rm -rf")), key_of(mesh[sender])
    signed = Texts("gossipmm").of_event(key, number, raw)
    return [key, number, 0, raw, signer.sign(signed) if signer is not None else b""]


def insider(mesh: Mesh, signs: bool) -> Puppet:
    """A member that relays what it likes."""
    x = mesh.puppet("x")
    x.seal = seal("x") if signs else None
    return x.introduce()


def test_a_relay_cannot_invent_an_event_in_the_name_of_one_that_signs() -> None:
    """[P170]: unsigned, by its own key or by rubbish; and what the sender signed it may relay."""
    mesh = signed_mesh("a", "b", "c", mode=IdentityMode.REQUIRE)
    x = insider(mesh, signs=True)
    mesh.run(1)
    x.say("b", options={wire.OPT_EVENTS: [item(mesh, "a", 1)]})
    assert dropped(mesh["b"], Drop.UNSIGNED) == 1
    x.say("b", options={wire.OPT_EVENTS: [item(mesh, "a", 1, StandInSigner("x"))]})
    assert dropped(mesh["b"], Drop.BAD_SIGNATURE) == 1
    assert not mesh.told("b", UserEvent)
    (refused,) = mesh.told("b", UserEventsRefused)
    assert (refused.name, refused.reason) == ("a", Drop.UNSIGNED)
    x.say("b", options={wire.OPT_EVENTS: [item(mesh, "a", 1, StandInSigner("a"), name="good")]})
    assert names(mesh, "b") == ["good"]
    mesh["c"].send_event("own", now=mesh.now)
    mesh.run(0.1)
    assert names(mesh, "b") == ["good", "own"]


def test_while_identities_are_announced_members_without_a_key_send_events() -> None:
    """[P170]: as their records are taken."""
    mesh = signed_mesh("a", "b", mode=IdentityMode.ANNOUNCE)
    x = insider(mesh, signs=False)
    mesh.run(1)
    raw = encode_event(EventText(1, "plain", b""))
    x.say("b", options={wire.OPT_EVENTS: [[x.key, 1, 0, raw, b""]]})
    assert names(mesh, "b") == ["plain"]


def test_a_node_goes_on_above_a_number_used_in_its_name() -> None:
    """[P170]: without identities; its next event would be taken for a repetition."""
    mesh = Mesh("a", "b", "c")
    mesh.settle()
    x = insider(mesh, signs=False)
    x.say("b", options={wire.OPT_EVENTS: [item(mesh, "a", 1)]})
    mesh.run(1.0)
    assert names(mesh, "b") == ["evil"]
    assert dropped(mesh["a"], Drop.OWN_EVENT) >= 1
    assert mesh["a"].send_event("true", now=mesh.now) == 2
    mesh.run(0.1)
    assert names(mesh, "b") == ["evil", "true"]


def test_each_gap_is_told_as_lost_before_what_comes_after_it() -> None:
    """A sender that forgot what was missed: events that waited behind it come in order [P167]."""
    mesh = Mesh("a", "b", "c", without={Mechanism.EVENT_EXCHANGES})
    mesh.settle()
    x = insider(mesh, signs=False)
    mesh["a"].send_event("first", now=mesh.now)
    mesh.run(0.1)
    key = key_of(mesh["a"])
    for number, base in ((4, 1), (7, 7)):
        raw = encode_event(EventText(base, f"event {number}", b""))
        x.say("b", options={wire.OPT_EVENTS: [[key, number, 0, raw, b""]]})
    mesh.flush("b")
    told = [one for one in mesh.events["b"] if isinstance(one, UserEvent | UserEventsLost)]
    assert [
        (one.first, one.lost) if isinstance(one, UserEventsLost) else one.number for one in told
    ] == [1, (2, 2), 4, (5, 2), 7]


def test_a_second_gap_is_waited_for_as_long_as_the_first() -> None:
    """From when the first was closed: it may have been opened by the same loss [P167]."""
    mesh = Mesh("a", "b", "c", without={Mechanism.EVENT_EXCHANGES})
    mesh.settle()
    x = insider(mesh, signs=False)
    mesh["a"].send_event("first", now=mesh.now)
    mesh.run(0.1)
    for number in (3, 5):
        raw = encode_event(EventText(1, "late", b""))
        x.say("b", options={wire.OPT_EVENTS: [[key_of(mesh["a"]), number, 0, raw, b""]]})
    mesh.run(2.0)
    raw = encode_event(EventText(1, "filled", b""))
    x.say("b", options={wire.OPT_EVENTS: [[key_of(mesh["a"]), 2, 0, raw, b""]]})
    mesh.run(2.0)
    assert numbers(mesh, "b") == [1, 2, 3]
    mesh.run(2.0)
    assert numbers(mesh, "b") == [1, 2, 3, 5]


def test_forged_and_senseless_events_are_refused() -> None:
    """[P166, P171]: what is no text, and a number that leaves no room for others."""
    mesh = Mesh("a", "b", "c")
    mesh.settle()
    x = insider(mesh, signs=False)
    mesh["a"].send_event("first", now=mesh.now)
    mesh.run(0.1)
    key = key_of(mesh["a"])
    for raw in (b"", b"\xff", encode_event(EventText(9, "e", b"")), bytes(801)):
        x.say("b", options={wire.OPT_EVENTS: [[key, 2, 0, raw, b""]]})
    assert dropped(mesh["b"], Drop.BAD_EVENT) == 4
    x.say("b", options={wire.OPT_EVENTS: [item(mesh, "a", 100_000)]})
    assert dropped(mesh["b"], Drop.EVENT_JUMP) == 1
    assert names(mesh, "b") == ["first"]


def test_what_an_insider_says_it_holds_costs_little_and_hides_nothing() -> None:
    """[P168, P169]: a joiner begins where the sender says, not where somebody else does."""
    mesh = Mesh("a", "b", "c")
    mesh.settle()
    x = insider(mesh, signs=False)
    key = key_of(mesh["a"])
    for _ in range(50):
        before = mesh["b"].stats.work
        x.say("b", options={wire.OPT_HELD: [True, [[key, 1, 4_000_000_000, 0, bytes(64)]]]})
        x.say("b", options={wire.OPT_HELD: [True, [[key, 1, 4_000_000_000, 90_000, b""]]]})
        assert mesh["b"].stats.work - before < 200
    mesh["a"].send_event("heard", now=mesh.now)
    mesh.run(0.1)
    assert names(mesh, "b") == ["heard"]


def test_events_of_many_senders_take_bounded_memory() -> None:
    """[P168]: the sender that takes most loses its oldest, and everybody was told them."""
    mesh = Mesh("a", "b")
    mesh.settle()
    for node in "ab":
        mesh[node]._parts.user_events.keeps_budget = False
    memory = mesh["a"]._parts.user_events._memory
    mesh["b"].send_event("small", now=mesh.now)
    for _ in range(9000):
        mesh["a"].send_event("large", bytes(512), now=mesh.now)
    assert memory.bytes <= 8_388_608
    assert mesh["a"].event_stats.forgotten > 0
