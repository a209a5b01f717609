"""What status and members say of identities."""

import time

from gossipmm.cli.identity_rows import identity_rows
from gossipmm.cli.members import _show

OWN = {
    "mode": "announce",
    "key": "00ff",
    "authorities": ["aa"],
    "issue": 7,
    "expires": 0.0,
    "members": {"certified": 2},
    "not_ready": [],
    "conflicts": {},
    "equivocating": [],
    "revoked": [],
    "ending": {},
}


def rows(**changes):
    return [text for _, text in identity_rows({"identity": OWN | changes})]


def test_nothing_is_said_without_an_identity():
    """Nor by an agent of an older version."""
    assert identity_rows({}) == identity_rows({"identity": OWN | {"key": ""}}) == []


def test_what_an_operator_needs_before_the_next_step():
    now = time.time()
    assert rows(expires=now + 86_400 * 20 + 60)[0] == (
        "announce, key 00ff, certificate ends in 20 days 0 h"
    )
    assert rows(expires=None)[0] == "announce, key 00ff, no certificate"
    assert rows(expires=None, authorities=[])[0] == "announce, key 00ff"
    assert rows()[1:] == ["2 certified", "all members are ready for require"]
    assert rows(mode="require")[1:] == ["2 certified"]
    found = rows(
        not_ready=["b"],
        conflicts={"c": "11"},
        equivocating=["d"],
        revoked=["e"],
        ending={"g": now - 7200.5, "f": now + 7200.5},
    )
    assert found[2:] == [
        "not ready for require: b",
        "used with another key as well: c",
        "signed two things as one: d",
        "certificate revoked: e",
        "the certificate of g ended 2 h 0 min ago",
        "the certificate of f ends in 2 h 0 min",
    ]


def test_members_have_columns_for_it_where_somebody_has_a_key(capsys):
    member = {
        "name": "b",
        "status": "alive",
        "draining": False,
        "self": False,
        "since_ago": 1.0,
        "heard_ago": 1.0,
        "addresses": ["127.0.0.1:1"],
        "registrations": 0,
        "metadata": {},
        "reason": "",
    }
    _show([member])
    assert "IDENTITY" not in capsys.readouterr().out
    _show([member, member | {"name": "c", "identity": "certified", "key": "00ff"}])
    shown = capsys.readouterr().out.splitlines()
    assert "IDENTITY   KEY" in shown[0]
    assert "certified  00ff" in shown[2]
