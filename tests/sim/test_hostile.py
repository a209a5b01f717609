"""The hostile family: outsiders change nothing, insiders are bounded; the rest heals.

Its scenarios as they are run in ``test_golden.py``, their variants here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from gossipmm_sim.runs.run import run
from gossipmm_sim.runs.scenario import find
from tests.golden.runs import on_record


def variants(name: str) -> list[Mapping[str, Any]]:
    """Return the quick variants of a scenario that ``test_golden.py`` does not run."""
    one = find(name)
    return [
        variant
        for variant in one.variants
        if variant.get("quick", True) and not on_record(one.with_settings(variant))
    ]


@pytest.mark.parametrize("variant", variants("a_name_is_claimed"), ids=str)
def test_names_stay_with_who_lives_while_others_claim_them(variant):
    """[P14, P129]."""
    result = run(find("a_name_is_claimed").with_settings(variant), seed=1)
    assert result.ok, "\n".join(f"{v.check}: {v.message}" for v in result.failures)


@pytest.mark.parametrize("variant", variants("insiders_accuse_for_a_minute"), ids=str)
def test_nobody_dies_of_accusations(variant):
    """First hand beats hearsay: 684 false deaths and 26,000 bytes a second before [P131, P134]."""
    result = run(find("insiders_accuse_for_a_minute").with_settings(variant), seed=1)
    assert result.ok, "\n".join(f"{v.check}: {v.message}" for v in result.failures)


@pytest.mark.parametrize("variant", find("insiders_vouch_for_a_dead_host").variants, ids=str)
def test_who_vouches_for_a_dead_host_is_believed_without_signatures(variant):
    """Known to fail: one helper's word may be the only bridge there is [P67, P138]."""
    scenario = find("insiders_vouch_for_a_dead_host").with_settings(variant)
    result = run(scenario, seed=1)
    assert "kept" not in {v.check.partition(" ")[0] for v in result.failures}
    assert not result.ok, f"remove known_failure = {scenario.known_failure!r}: it is mended"


@pytest.mark.parametrize("most", [256, 4])
def test_whoever_accuses_everybody_is_refuted_and_heard_of_so_many(most):
    scenario = find("insider_accuses_everybody").with_settings({"max_accusations": most})
    result = run(scenario, seed=1)
    assert result.ok, "\n".join(f"{v.check}: {v.message}" for v in result.failures)
    assert (result.figures.get("dropped.max_accusations", 0) > 0) == (most == 4)


BURDENS = (
    "insiders_burden_a_host",
    "a_name_is_claimed_by_who_answers",
    "members_that_answer",
    "registers_are_forged",
)


@pytest.mark.parametrize(
    ("name", "variant"),
    [(name, variant) for name in BURDENS for variant in variants(name)],
    ids=str,
)
def test_what_insiders_cost_is_bounded(name, variant):
    """Questions of 60 bytes brought 27 times what they took, and a burst ended the agent [P95]."""
    result = run(find(name).with_settings(variant), seed=1)
    assert result.ok, "\n".join(f"{v.check}: {v.message}" for v in result.failures)
