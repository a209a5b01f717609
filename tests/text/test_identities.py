"""What is wrong with identities, in words."""

from gossipmm.text.identities import ending_words, identity_words, some_names

WEEK = 7 * 86_400.0


def test_nothing_is_said_of_nothing():
    assert identity_words("require", (), (), (), 0.0) == ""
    assert identity_words("announce", ("b",), (), (), 0.0) == ""  # it refuses nobody yet
    assert ending_words("a", None, WEEK) == ending_words("a", WEEK, WEEK) == ""


def test_each_thing_that_is_wrong_says_what_to_do():
    words = identity_words("require", ("b",), ("c",), ("d",), -3600.0)
    for part in (
        "somebody uses the name c with another key",
        "gossipmm forget NAME",
        "d signed two different things as one",
        "b is refused here",
        "gossipmm identity show says what it lacks",
        "this machine's clock is 1 h 0 min ahead of those of the others",
    ):
        assert part in words
    assert "behind those of the others" in identity_words("announce", (), (), (), 400.0)
    assert ending_words("a", 86_400.0, WEEK).startswith("the certificate of this node ends in 24 h")
    assert ending_words("a", -60.0, WEEK).startswith("the certificate of this node ended 60")


def test_of_many_names_some_are_told():
    assert some_names(["b", "a"]) == "a, b"
    assert some_names([f"n{number}" for number in range(8)]) == "n0, n1, n2, n3, n4 and 3 more"
