"""One real agent of a few turns hostile for a moment; ``tests/bench/hostile_agent.py`` has more."""

from __future__ import annotations

from tests.bench.hostile_agent import COLUMNS, measure, table


def test_one_agent_that_lies_moves_and_renames_nobody_who_has_a_key() -> None:
    """Without identities all of four were lost, and one of them moved, within six seconds.

    Who is suspected for a moment depends on the machine, what becomes of names and addresses not.
    """
    found = measure("authority", nodes=4, seconds=3.0, idle=0.5)
    print(found)
    assert found["lies"] > 50
    assert (found["healthy"], found["new_lives"]) == (2, 0)
    assert (found["moved"], found["another life"]) == (0, 0)
    shown = table({"authority": found}).splitlines()
    assert len(shown) == len(COLUMNS) + 2
