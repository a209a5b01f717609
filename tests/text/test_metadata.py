"""Metadata as text."""

import pytest

from gossipmm.core.values.types import HostEntry, HostState, MemberView, NodeState, Status
from gossipmm.sidecar.api import prometheus_sd
from gossipmm.sidecar.consul import shapes
from gossipmm.text.metadata import metadata_text, value_text

METADATA = {"ready": True, "old": False, "port": 9100, "zone": "EU"}


@pytest.mark.parametrize(
    ("value", "text"), [(True, "true"), (False, "false"), (1, "1"), ("True", "True"), (-7, "-7")]
)
def test_true_and_false_are_words_and_all_else_is_as_it_was_given(value, text):
    assert value_text(value) == text


def test_every_face_writes_a_value_alike():
    """Three places each had a rule of its own for true and false."""
    entry = HostEntry("t", "b", HostState.LIVE, ("b",), METADATA, 0.0, 0.0)
    view = MemberView("b", 1, Status.ALIVE, NodeState.UP, (), 5, 90.0, 80.0, 0, METADATA)
    texts = {key: value_text(value) for key, value in METADATA.items()}
    labels = prometheus_sd._labels(entry, "b")
    assert {key: labels[f"__meta_gossipmm_metadata_{key}"] for key in METADATA} == texts
    assert shapes.node(view).meta == shapes.entry(entry, view).service.meta == texts
    assert metadata_text(METADATA) == "old=false port=9100 ready=true zone=EU"
