"""What one member invents costs the others little: answers, questions and records [P145, P146].

Story: an insider invented 40 members a second, at the address of its own host, for five seconds.
That host sent 2 MB/s: it answered every question that was meant for one of them with all verdicts
that had changed lately, and gave everybody records for which nobody had room.
"""

from __future__ import annotations

from gossipmm.core.sealing.admission import Budget
from gossipmm.core.values.types import NodeState, Status
from gossipmm.core.wire import frame as wire
from tests.helpers import Mesh, Packet, held, key_of
from tests.puppets import Puppet, claims

#: As in ``admission.py``.
FLOOR, TABLES = 65_536, 4
#: Of these each is accused by another one.
MANY = 30


def with_much_to_tell() -> tuple[Mesh, Puppet]:
    """Node a, which heard some puppets accuse others; x, which asks it; proved addresses."""
    mesh = Mesh("a")
    x, *others = mesh.puppets("x", *(f"p{number}" for number in range(2 * MANY)))
    mesh.run(3)
    for one, accuser in zip(others[:MANY], others[MANY:], strict=True):
        one.answers = False
        accuser.say("a", rows=wire.row(one.key, one.heartbeat, wire.SUSPECT))
    assert all(held(mesh["a"], one.name).status is Status.SUSPECT for one in others[:MANY])
    return mesh, x


def syns_to(mesh: Mesh, puppet: Puppet, begin: int = 0) -> list[Packet]:
    """Questions that went to its address."""
    address = puppet.addresses[0]
    return [p for p in mesh.sent[begin:] if p.target == address and p.frame.kind == wire.SYN]


def test_who_is_asked_in_the_place_of_another_tells_nothing_beside_its_key() -> None:
    """A thousand bytes of verdicts went out for 45, to whoever asked for a ghost here [P145]."""
    mesh, x = with_much_to_tell()
    (ack,) = x.say("a", wire.SYN, probe=9, known=1, target=12345)
    assert (ack.frame.kind, ack.frame.probe, ack.frame.sender) == (wire.ACK, 9, key_of(mesh["a"]))
    assert claims(ack.frame.rows) == []
    (ack,) = x.say("a", wire.SYN, probe=17, known=1)
    assert len(claims(ack.frame.rows)) > MANY // 2


def test_verdicts_beside_an_answer_are_charged_as_one() -> None:
    """SYNs of 65 bytes brought 1,000 each, as often as somebody liked [P95, P145]."""
    mesh, x = with_much_to_tell()
    node, said, told, empty = mesh["a"], 0, 0, 0
    budget = node._admission.proved[x.addresses[0]]
    for number in range(400):
        said += len(x.frame(wire.SYN, key_of(node), probe=8 * number))
        (ack,) = x.say("a", wire.SYN, probe=8 * number)
        told += len(ack.frame.rows)
        empty += not ack.frame.rows
    assert empty > 100
    most = FLOOR + TABLES * node.table.size + 4 * (said + 10_000) + 1200
    assert most / 2 < told <= most
    assert isinstance(budget, Budget)
    assert budget.said > 0


def question_in_vain(mesh: Mesh, x: Puppet) -> wire.Frame:
    """Let a member fall silent; return the next question to it."""
    x.answers = False
    x.heard.clear()
    mesh.until(lambda: any(frame.kind == wire.SYN for frame in x.heard), within=60, step=0.001)
    return next(frame for frame in x.heard if frame.kind == wire.SYN)


def test_an_address_at_which_somebody_else_answered_is_not_tried_again() -> None:
    """Each invented member was asked for six times within half a second, by everybody [P146]."""
    mesh = Mesh("a")
    x, y, z = mesh.puppets("x", "y", "z")
    mesh.run(2)
    question = question_in_vain(mesh, x)
    began = len(mesh.sent)
    y.say("a", wire.ACK, probe=question.probe, source=x.addresses[0])
    mesh.run(0.45)
    assert syns_to(mesh, x, began) == []
    helpers = [p for p in mesh.sent[began:] if p.frame.kind == wire.HELP]
    assert {p.target for p in helpers} <= {y.addresses[0], z.addresses[0]}
    assert helpers  # somebody else may have a path to where it is
    mesh.until(lambda: held(mesh["a"], "x").status is Status.SUSPECT, within=1)


def test_one_with_another_address_is_asked_there() -> None:
    """[P146]."""
    mesh = Mesh("a")
    x, y = mesh.puppets("x", "y")
    x.addresses = (*x.addresses, mesh.new_address())
    x.say("a", pages=[x.page_zero()])
    question = question_in_vain(mesh, x)
    began = len(mesh.sent)
    y.say("a", wire.ACK, probe=question.probe, source=x.addresses[0])
    mesh.run(0.45)
    tried = {p.target for p in mesh.sent[began:] if p.frame.kind == wire.SYN}
    assert x.addresses[1] in tried


def test_a_full_table_asks_for_nobody_for_whom_it_cannot_make_room() -> None:
    """Half of all pages that went about were asked for, and refused [P145]."""
    mesh = Mesh("a", max_members=3)
    x, y = mesh.puppets("x", "y")
    ghost = mesh.puppet("ghost")
    row = wire.row(ghost.key, 5, wire.ALIVE)
    assert x.say("a", rows=row) == []
    y.say("a", pages=[y.page_zero(NodeState.LEFT)])
    (asked,) = x.say("a", rows=row)
    assert [want[0] for want in asked.frame.options[wire.OPT_WANT]] == [ghost.key]


def test_a_full_table_still_says_that_a_life_is_over() -> None:
    """Who tells of a closed one hears that it is, whether there is room or not [P48, P145]."""
    mesh = Mesh("a", max_members=3)
    x, y = mesh.puppets("x", "y")
    y.say("a", pages=[y.page_zero(NodeState.LEFT)])
    mesh["a"].forget("y", now=mesh.now)
    mesh.puppet("z").introduce("a")
    assert mesh["a"].table.full
    (reply,) = x.say("a", rows=wire.row(y.key, 9, wire.ALIVE))
    assert reply.frame.options[wire.OPT_MINIMUMS] == [["y", y.generation]]
