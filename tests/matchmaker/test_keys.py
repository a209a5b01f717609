"""Keys: what is one, how it is split, and what may be registered so that none is ambiguous."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossipmm.errors import RegistrationError
from gossipmm.matchmaker import (
    InvalidKeyError,
    MatchMakerBase,
    MatchMakerException,
    MatchMakerLocalhost,
    MatchMakerRing,
    MatchMakerStub,
)
from gossipmm.matchmaker.keys import check_key, split_direct, topic_of
from gossipmm.names import check_registration
from tests.matchmaker.helpers import gossip, live

NO_KEYS = ["", "fanout~", "fanout.", "a\nb", "a\x00", "\x7f", "fanout~a\x9fb", None, 7, b"compute"]
INCOMPLETE = [".host", "topic.", "fanout~.host", "fanout..host"]


def matchmakers() -> list[MatchMakerBase]:
    return [
        MatchMakerBase(),
        MatchMakerStub(),
        MatchMakerLocalhost(),
        MatchMakerRing({"a": ["b"]}),
        gossip({"a": live("b")})[0],
    ]


@pytest.mark.parametrize("key", NO_KEYS)
def test_what_is_no_key_is_refused_by_every_matchmaker(key: str) -> None:
    for matchmaker in matchmakers():
        with pytest.raises(InvalidKeyError) as caught:
            matchmaker.queues(key)
        assert isinstance(caught.value, MatchMakerException)
        assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("key", INCOMPLETE)
def test_a_key_without_its_topic_or_host_is_refused_where_it_is_split(key: str) -> None:
    for matchmaker in matchmakers()[3:]:
        with pytest.raises(InvalidKeyError, match="not of the form"):
            matchmaker.queues(key)


@pytest.mark.parametrize("key", [*NO_KEYS, *INCOMPLETE])
def test_the_other_calls_refuse_it_too_and_ask_nothing_of_the_agent(key: str) -> None:
    mm, _, agent = gossip({"a": live("b")})
    for call in (mm.ack_alive, mm.report_failure, mm.expire, mm.is_alive):
        with pytest.raises(InvalidKeyError):
            call(key, "b")
    for look in (mm.lookup, lambda key: mm.queues(key, routing_key="r")):
        with pytest.raises(InvalidKeyError):
            look(key)
    assert agent.calls == []
    assert mm.queues("a") == [("a.b", "b")]


@pytest.mark.parametrize(
    ("key", "topic"),
    [
        ("compute", "compute"),
        ("compute.a.example.org", "compute"),
        ("fanout~compute", "compute"),
        ("fanout.compute", "compute"),
        ("fanout~compute.a.b", "compute"),
        ("fanout", "fanout"),
        ("caf\u00e9\u3000\u00a0", "caf\u00e9\u3000\u00a0"),
    ],
)
def test_the_topic_of_a_key(key: str, topic: str) -> None:
    assert topic_of(key) == topic


@given(st.text(alphabet="ab.~ fanout", min_size=1))
def test_any_printable_key_is_split_or_refused(key: str) -> None:
    try:
        topic = topic_of(key)
    except InvalidKeyError:
        return
    assert topic
    assert topic in key
    assert "." not in topic


@given(
    st.text(max_size=8) | st.sampled_from(["fanout", "a.b", "fanout~a", "\ud800", "\x85", " "]),
    st.text(max_size=8) | st.sampled_from(["a.b.c", "", "\x7f", "\udfff", "\u2028"]),
)
def test_whatever_may_be_registered_has_its_keys(topic: str, host: str) -> None:
    """So that no registration is ambiguous, or out of reach."""
    try:
        check_registration(topic, host)
    except RegistrationError:
        return
    assert split_direct(f"{topic}.{host}") == (topic, host)
    check_key(topic)
    assert topic_of(f"fanout~{topic}.{host}") == topic
