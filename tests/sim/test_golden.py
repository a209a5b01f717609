"""What runs did is on record: a change that should change nothing changes none of them.

A change of behaviour puts the new ones on record in its own commit (``python -m tests.golden
--write``), where the list of runs that it touches can be reviewed.
"""

import pytest

from tests.golden.__main__ import difference, recorded
from tests.golden.runs import Record, names, play


@pytest.mark.parametrize("name", names())
def test_a_run_does_what_it_did(name):
    now, _ = play(name)
    wrong = difference(name, now, recorded().get(name))
    assert not wrong, f"{wrong}; python -m tests.golden {name} --dump FOLDER writes the texts"


def test_each_run_on_record_is_still_run():
    assert sorted(recorded()) == sorted(names())


@pytest.mark.parametrize("kind", Record._fields)
def test_a_difference_of_any_kind_is_told(kind):
    one = Record("a", "b", "c", "d")
    assert difference("x", one._replace(**{kind: "other"}), one) == f"differs in {kind}"
    assert not difference("x", one, one)
