"""Why something was refused, in words."""

import pytest

from gossipmm.core.sending.foreign_traffic import FOREIGN
from gossipmm.core.values.events import ForeignTraffic
from gossipmm.core.values.stats import Drop
from gossipmm.text.drops import DROPS, counted
from gossipmm.text.events import FOREIGN_TRAFFIC, as_line


def test_the_table_of_phrases_is_total():
    assert set(DROPS) == set(Drop)


def test_what_was_refused_is_counted_the_most_frequent_first():
    assert counted({}) == ""
    assert counted({"cluster": 2, "malformed": 3, "replayed": 2, "of_tomorrow": 1}) == (
        "3 malformed; 2 of another cluster; 2 replayed; 1 of_tomorrow"
    )


def test_the_table_of_foreign_traffic_is_total():
    assert set(FOREIGN_TRAFFIC) == FOREIGN


@pytest.mark.parametrize("reason", sorted(FOREIGN))
def test_foreign_traffic_is_told_with_its_source(reason):
    line = as_line(ForeignTraffic(1.0, ("192.0.2.1", 7946), reason, "6b"), "a")
    assert line.startswith("datagrams from 192.0.2.1:7946 ")
    assert "None" not in line
