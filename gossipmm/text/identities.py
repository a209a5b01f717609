"""What is wrong with identities, in words: of this node's certificate, and of members."""

from __future__ import annotations

from collections.abc import Collection

from gossipmm.text.durations import duration

__all__ = ("excess_words", "identity_words", "own_words", "some_names")

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
    revoked: Collection[str],
    clock_ahead: float,
) -> str:
    """Say what is wrong with the identities of other members, or here; empty: nothing.

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
            f"two different things were signed as one by {some_names(equivocating)}: such a key is "
            "in two places, or in wrong hands; make another one"
        )
    if revoked:
        found.append(
            f"the authority revoked the certificate of {some_names(revoked)}: if it should take "
            "part, gossipmm ca issue makes another one"
        )
    unsigned = {*not_ready} - {*revoked}
    if mode == "require" and unsigned:
        found.append(
            f"refused here, because what it says is not signed, or has no certificate that counts: "
            f"{some_names(unsigned)}; set identity there, and gossipmm identity show says what is "
            "missing"
        )
    if clock_ahead:
        side = "behind" if clock_ahead > 0 else "ahead of"
        found.append(
            f"this machine's clock is {duration(abs(clock_ahead))} {side} those of the others: set "
            "it; until then nothing is judged by time here"
        )
    return "; ".join(found)


def own_words(name: str, left: float | None, week: float, *, revoked: bool) -> str:
    """Say what is wrong with this node's own certificate; empty: nothing, or there is none (None).

    ``left``: seconds until its end.
    """
    if revoked:
        return (
            f"the certificate of this node was revoked: gossipmm ca issue {name} makes another one"
        )
    if left is None or left >= week:
        return ""
    when = f"ends in {duration(left)}" if left > 0 else f"ended {duration(-left)} ago"
    return (
        f"the certificate of this node {when}: gossipmm ca issue {name} renews it, and a reload "
        "reads it"
    )


def excess_words(name: str, topics: Collection[str], hosts: Collection[str]) -> str:
    """Say what a node announces although its certificate does not name it; empty: nothing.

    Others leave it out.
    """
    found = []
    if topics:
        found.append(f"the topic {some_names(topics)} (gossipmm ca issue {name} --topics)")
    if hosts:
        found.append(f"the address {some_names(hosts)} (gossipmm ca issue {name} --network)")
    if not found:
        return ""
    what = " and ".join(found)
    return f"the certificate of {name} does not name {what}, so others leave that out"
