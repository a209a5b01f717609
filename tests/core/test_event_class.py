"""Classes of events are frozen dataclasses to whoever uses them, but cost less to import."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, dataclass, fields, is_dataclass
from typing import get_args

import pytest

from gossipmm.core.values import events
from gossipmm.core.values.event import event


@event
class Made:
    """One of ours."""

    at: float
    name: str


@dataclass(frozen=True, slots=True)
class Dataclass:
    """The same by the standard library."""

    at: float
    name: str


def test_it_is_what_a_dataclass_is() -> None:
    made, theirs = Made(1.5, "a"), Dataclass(1.5, "a")
    assert repr(made).replace("Made", "Dataclass") == repr(theirs)
    assert [one.name for one in fields(Made)] == ["at", "name"]
    assert is_dataclass(Made)
    assert Made(1.5, name="a") == made == Made(name="a", at=1.5)
    assert hash(made) == hash(Made(1.5, "a"))
    assert made not in (Made(1.5, "b"), theirs, (1.5, "a"))
    assert pickle.loads(pickle.dumps(made)) == made == copy.deepcopy(made)
    assert Made.__match_args__ == ("at", "name")  # type: ignore[attr-defined]
    assert Made.__doc__ == "One of ours."
    assert not hasattr(made, "__dict__")


@pytest.mark.parametrize("change", [lambda x: setattr(x, "at", 2), lambda x: delattr(x, "at")])
def test_it_cannot_be_changed(change) -> None:
    with pytest.raises(FrozenInstanceError, match="'at'"):
        change(Made(1.5, "a"))


@pytest.mark.parametrize(
    ("values", "named"),
    [((1.5,), {}), ((1.5, "a", 3), {}), ((1.5,), {"at": 1}), ((), {"at": 1, "nmae": "a"})],
)
def test_each_field_is_given_once(values, named) -> None:
    with pytest.raises(TypeError, match="Made takes at, name, each once"):
        Made(*values, **named)


def test_all_events_are_made_like_that() -> None:
    init = {kind.__init__ for kind in get_args(events.Event)}
    assert init == {Made.__init__}
