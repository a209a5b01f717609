"""Keyrings as values: what each step of a rotation gives, and what is refused."""

from __future__ import annotations

import pytest

from gossipmm.core.sealing.keyring import Key, Keyring
from gossipmm.errors import KeyringError

A, B, C = (Key(name, name * 32) for name in (b"a", b"b", b"c"))


def test_the_first_key_sends_and_a_rotation_changes_which_that_is() -> None:
    ring = Keyring((A,))
    ring = ring.add(B)
    assert ring.keys == (A, B)
    assert ring.sending is A
    ring = ring.use(B.kid)
    assert ring.keys == (B, A)
    ring = ring.remove(A.kid)
    assert ring == Keyring((B,), (A,))
    assert ring.find(B.kid) is B
    assert ring.find(A.kid) is None


def test_adding_the_same_key_again_changes_nothing() -> None:
    ring = Keyring((A, B))
    assert ring.add(B) is ring


def test_a_retired_key_can_be_taken_back() -> None:
    ring = Keyring((B,), (A,))
    assert ring.add(A) == Keyring((B, A))


def test_retired_keys_are_few() -> None:
    """[P115]."""
    ring = Keyring((A,))
    for number in range(10):
        key = Key(bytes((1, number)), bytes((number + 1,)) * 32)
        ring = ring.add(key).remove(key.kid)
    assert [key.kid[1] for key in ring.retired] == [9, 8, 7, 6]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda: Keyring(()), "at least one key"),
        (lambda: Keyring((A, Key(A.kid, B.secret))), "61 appears twice"),
        (lambda: Keyring((A,), (A,)), "61 appears twice"),
        (lambda: Keyring(tuple(Key(bytes((n,)), A.secret) for n in range(9))), "9 keys"),
        (lambda: Keyring((A,)).add(Key(A.kid, B.secret)), "with another secret"),
        (lambda: Keyring((A, B)).use(C.kid), "there is no key 63: there is 61, 62"),
        (lambda: Keyring((A, B)).remove(C.kid), "there is no key 63"),
        (lambda: Keyring((A, B)).remove(A.kid), "use another one first"),
        (lambda: Key(b"", A.secret), "1 to 4 bytes, but this has 0"),
        (lambda: Key(b"abcde", A.secret), "1 to 4 bytes, but this has 5"),
        (lambda: Key(b"a", b"short"), "key 61: a key has 32 bytes, but this has 5"),
        (lambda: Key(b"a", bytes(32)), "all zeros"),
    ],
)
def test_what_is_refused_says_why(change, says) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(KeyringError, match=says):
        change()


def test_no_secret_is_ever_shown() -> None:
    shown = repr(Keyring((A,), (B,)))
    assert "61" not in shown.replace("kid=b'a'", "")
    assert A.secret.hex() not in shown
    assert repr(A.secret)[2:-1] not in shown
