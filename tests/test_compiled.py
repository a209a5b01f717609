"""What a compiled build would refuse only when it runs."""

from __future__ import annotations

from tests.house.inheritance import Inheritance, compiled_modules, refused, sources


def test_no_interpreted_class_inherits_from_a_compiled_one() -> None:
    """All attacks by invented members failed in the compiled simulator, at the first of them.

    The build was whole, and the swarm that the gate runs on it has no such attack.
    """
    assert list(refused(sources(), compiled_modules())) == []


def test_such_a_class_is_found_and_what_is_no_class_of_mypyc_is_not() -> None:
    texts = {
        "core.peer": "class Peer: ...\nclass Kind(enum.IntEnum): ...\nclass Row(NamedTuple): ...\n",
        "faults.puppets": (
            "from core.peer import Kind, Peer as One, Row\n"
            "class Puppet(One): ...\nclass Many(Row): ...\nclass Free(Exception): ...\n"
        ),
        "core.own": "from core.peer import Peer\nclass Own(Peer): ...\n",
    }
    found = list(refused(texts, {"core.peer", "core.own"}))
    assert found == [Inheritance("faults.puppets", "Puppet", "core.peer.Peer")]
