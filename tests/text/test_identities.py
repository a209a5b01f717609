"""What is wrong with identities, in words."""

from gossipmm.text.identities import excess_words, identity_words, own_words, some_names

WEEK = 7 * 86_400.0


def test_nothing_is_said_of_nothing():
    assert identity_words("require", (), (), (), (), 0.0) == ""
    assert identity_words("announce", ("b",), (), (), (), 0.0) == ""  # it refuses nobody yet
    assert (
        own_words("a", None, WEEK, revoked=False) == own_words("a", WEEK, WEEK, revoked=False) == ""
    )
    assert excess_words("a", (), ()) == ""


def test_each_thing_that_is_wrong_says_what_to_do():
    words = identity_words("require", ("b", "e"), ("c",), ("d",), ("e",), -3600.0)
    for part in (
        "somebody uses the name c with another key",
        "gossipmm forget NAME",
        "two different things were signed as one by d",
        "has no certificate that counts: b; set identity there",
        "the authority revoked the certificate of e",
        "gossipmm identity show says what is missing",
        "this machine's clock is 1 h 0 min ahead of those of the others",
    ):
        assert part in words
    assert "behind those of the others" in identity_words("announce", (), (), (), (), 400.0)
    assert own_words("a", 86_400.0, WEEK, revoked=False).startswith(
        "the certificate of this node ends in 24 h"
    )
    assert own_words("a", -60.0, WEEK, revoked=False).startswith(
        "the certificate of this node ended 60"
    )


def test_a_node_is_told_what_its_certificate_does_not_allow():
    """It registered a topic that all others left out, and nothing said so."""
    assert excess_words("c", ["compute"], ["10.0.0.1"]) == (
        "the certificate of c does not name the topic compute (gossipmm ca issue c --topics) and "
        "the address 10.0.0.1 (gossipmm ca issue c --network), so others leave that out"
    )
    assert own_words("c", 1.0, WEEK, revoked=True) == (
        "the certificate of this node was revoked: gossipmm ca issue c makes another one"
    )


def test_of_many_names_some_are_told():
    assert some_names(["b", "a"]) == "a, b"
    assert some_names([f"n{number}" for number in range(8)]) == "n0, n1, n2, n3, n4 and 3 more"
