"""What is wrong with identities, in words: of this node's certificate, and of members."""

from __future__ import annotations

from collections.abc import Collection

from gossipmm.text.durations import duration

__all__ = ("ending_words", "identity_words", "some_names")

#: Names that a sentence has; of the others there is a number.
_NAMED = 5


def some_names(names: Collection[str]) -> str:
    """Name some, and say how many more there are."""
    shown = ", ".join(sorted(names)[:_NAMED])
    more = len(names) - _NAMED
    return f"{shown} and {more} more" if more > 0 else shown


def identity_words(
    mode: str,
    not_ready: Collection[str],
    conflicts: Collection[str],
    equivocating: Collection[str],
    clock_ahead: float,
) -> str:
    """Say what is wrong with the identities of members, or here; empty: nothing.

    ``clock_ahead``: seconds by which the clocks of most members are ahead; 0: they agree.
    """
    found = []
    if conflicts:
        found.append(
            f"somebody uses the name {some_names(conflicts)} with another key, which is refused: "
            "find out which of the two it should be; if its key was lost for good, "
            "gossipmm forget NAME lets the next one in"
        )
    if equivocating:
        found.append(
            f"{some_names(equivocating)} signed two different things as one: its key is in two "
            "places, or in wrong hands; give it another one"
        )
    if mode == "require" and not_ready:
        found.append(
            f"{some_names(not_ready)} is refused here, because what it says is not signed, or has "
            "no certificate that counts: set identity there, and gossipmm identity show says what "
            "it lacks"
        )
    if clock_ahead:
        side = "behind" if clock_ahead > 0 else "ahead of"
        found.append(
            f"this machine's clock is {duration(abs(clock_ahead))} {side} those of the others: set "
            "it; until then nothing is judged by time here"
        )
    return "; ".join(found)


def ending_words(name: str, left: float | None, week: float) -> str:
    """Say that this node's certificate ends within a week, or has ended, ``left`` seconds from now.

    Empty: it does not, or there is none (None).
    """
    if left is None or left >= week:
        return ""
    when = f"ends in {duration(left)}" if left > 0 else f"ended {duration(-left)} ago"
    return (
        f"the certificate of this node {when}: gossipmm ca issue {name} renews it, and a reload "
        "reads it"
    )
