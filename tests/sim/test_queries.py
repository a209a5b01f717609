"""A query in the simulator: all answer once, in time, around a way that is cut as well."""

from __future__ import annotations

from gossipmm_sim.runs.run import run
from gossipmm_sim.runs.scenario import find


def test_all_answer_once_at_a_quarter_of_loss_and_around_a_cut() -> None:
    """[P172, P173, P174]."""
    settings = {"nodes": 30, "p": 0.25, "cut": "15", "last": 2.0, "sent": 30_000, "around": 1}
    result = run(find("query_of_all").with_settings(settings), seed=1)
    assert result.ok, "\n".join(f"{v.check}: {v.message}" for v in result.failures)
