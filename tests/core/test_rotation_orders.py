"""Where there is an authority, no rotation of keys begins that it has not ordered [P185]."""

from __future__ import annotations

import pytest

from gossipmm.core.identity.revocations import encode_revocations, revocations_untrusted
from gossipmm.core.values.events import KeyRotation, RotationUnordered
from gossipmm.core.values.fault import Fault
from gossipmm.core.values.rotation_order import RotationOrder, order_of, order_of_text
from gossipmm.core.values.rotation_state import Phase, RotationState, Told
from gossipmm.errors import KeyringError
from gossipmm.mechanisms import Mechanism
from tests.core.certified_mesh import AUTHORITY, certified
from tests.core.sealed_mesh import NEW, OLD, OTHER, RING, SealedMesh

THREE = ("a", "b", "c")
FORGED = RotationState(0, 1, Phase.ADD, OTHER.kid, OLD.kid, False, 3, 3600)
ORDER = RotationOrder(0, 1, 3, 3600, OLD.kid, b"")


def mesh_of(**fields: object) -> SealedMesh:
    mesh = SealedMesh(*THREE, identity=certified(), wall=True, **fields)
    mesh.settle()
    return mesh


def order(mesh: SealedMesh, wanted: RotationOrder, number: int = 1, at: str = "a") -> None:
    """The authority's list reaches one node, which tells the others."""
    listed = encode_revocations(
        AUTHORITY, cluster="gossipmm", number=number, least={}, order=wanted
    )
    assert mesh[at].identities.set_revocations(listed.raw, mesh.now) is None
    mesh.flush(at)
    mesh.run(1)


def forge(mesh: SealedMesh, register: RotationState, by: str = "c") -> None:
    """One member announces a register in page 0 of its own, signed as it should be."""
    node = mesh[by]
    node._parts.rotation._saved = node.keys.ring
    node._local.own.keys = Told((OLD.kid,), register)
    node._parts.own_generations.write([node._local.own.page_zero()])
    mesh.flush(by)
    mesh.run(3)


def start(mesh: SealedMesh, by: str = "b") -> None:
    """Begin the ordered rotation, of which all hear."""
    mesh[by].keys.start(NEW, mesh.now)
    mesh.flush(by)
    mesh.run(0.5)


def began(mesh: SealedMesh) -> list[str]:
    return [name for name in mesh.names() if mesh.told(name, KeyRotation)]


def test_a_rotation_that_one_member_begins_is_taken_part_in_by_nobody() -> None:
    """Whoever holds the gossip key could begin one, again and again [P130]."""
    mesh = mesh_of()
    forge(mesh, FORGED)
    assert began(mesh) == []
    (told,) = mesh.told("a", RotationUnordered)
    assert (told.active, told.kid, told.by) == (True, OTHER.kid.hex(), ("c",))
    assert order_of_text(told.order) == ORDER
    forge(mesh, RotationState())
    assert [one.active for one in mesh.told("a", RotationUnordered)] == [True, False]


def test_without_orders_one_member_begins_a_rotation_for_all() -> None:
    """The switch, and what a cluster without an authority is left with."""
    mesh = mesh_of(without=frozenset({Mechanism.ROTATION_ORDERS}))
    forge(mesh, FORGED)
    assert {"a", "b"} <= set(began(mesh))
    assert mesh.told("a", RotationUnordered) == []


def test_an_operator_is_told_what_to_do_and_the_ordered_rotation_ends() -> None:
    mesh = mesh_of()
    with pytest.raises(KeyringError, match="has not ordered this rotation") as refused:
        mesh["b"].keys.start(NEW, mesh.now)
    word = str(refused.value).partition("ca rotate ")[2].partition(",")[0]
    assert order_of_text(word) == ORDER
    order(mesh, order_of_text(word))
    mesh["b"].keys.start(NEW, mesh.now, keep=5.0)
    assert mesh["b"].keys.ring.rotation.keep == 3600  # type: ignore[union-attr]
    mesh.until(mesh.done, within=30)
    assert {tuple(mesh.kids(name)) for name in THREE} == {(NEW.kid.hex(),)}
    assert mesh.told("a", RotationUnordered) == []


def test_who_hears_of_a_rotation_before_its_order_takes_part_once_that_is_there() -> None:
    """The list and page 0 come on their own ways, in any order."""
    mesh = mesh_of()
    forge(mesh, FORGED._replace(new=NEW.kid))
    assert began(mesh) == []
    order(mesh, ORDER)
    mesh.run(3)
    assert {"a", "b"} <= set(began(mesh))
    assert mesh.told("a", RotationUnordered)[-1].active is False


@pytest.mark.parametrize(
    "register",
    [
        FORGED._replace(members=1 << 30),
        FORGED._replace(keep=1),
        FORGED._replace(epoch=2),
        FORGED._replace(old=b"\x07"),
        FORGED._replace(evictions=1, out_of_band=True),
    ],
    ids=["members", "time", "epoch", "other old key", "out of band"],
)
def test_an_order_allows_that_rotation_alone(register: RotationState) -> None:
    """Members without number, and no time at all, were how an insider stopped or hurried one."""
    mesh = mesh_of()
    order(mesh, ORDER)
    forge(mesh, register)
    assert began(mesh) == []


def test_a_rotation_is_taken_back_by_an_order_as_well() -> None:
    """An insider that takes back whatever is begun would stop it for good."""
    mesh = mesh_of()
    order(mesh, ORDER)
    start(mesh)
    with pytest.raises(KeyringError, match="ca rotate 1.2.3.3600.02.01,"):
        mesh["b"].keys.cancel(mesh.now)
    order(mesh, RotationOrder(1, 2, 3, 3600, NEW.kid, OLD.kid), number=2)
    mesh["b"].keys.cancel(mesh.now)
    mesh.until(mesh.done, within=30)
    assert {tuple(mesh.kids(name)) for name in THREE} == {(OLD.kid.hex(),)}


def test_an_eviction_is_ordered_with_the_key_that_all_have_in_their_files() -> None:
    mesh = mesh_of()
    for name in THREE:
        mesh.reread(name, RING.add(NEW))
    forge(mesh, RotationState(1, 1, Phase.ADD, NEW.kid, OLD.kid, True, 5, 3600))
    assert began(mesh) == []
    order(mesh, RotationOrder(1, 1, 3, 3600, OLD.kid, NEW.kid))
    mesh["a"].keys.start(NEW.kid, mesh.now, out_of_band=True)
    mesh.until(mesh.done, within=30)
    assert {tuple(mesh.kids(name)) for name in THREE} == {(NEW.kid.hex(),)}


def test_a_rotation_under_way_goes_on_when_its_order_is_replaced() -> None:
    """The authority may revoke somebody, or order the next one, meanwhile."""
    mesh = mesh_of()
    order(mesh, ORDER)
    mesh.full.add("c")  # so that it does not end at once
    start(mesh)
    order(mesh, ORDER._replace(epoch=2, old=NEW.kid), number=2)
    mesh.full.clear()
    mesh.flush("c")
    mesh.until(mesh.done, within=30)
    assert {tuple(mesh.kids(name)) for name in THREE} == {(NEW.kid.hex(),)}


def test_who_was_away_learns_from_most_members_what_it_missed() -> None:
    """Its authority's list has the last order alone, not that of the rotation that it missed."""
    mesh = mesh_of()
    order(mesh, ORDER)
    mesh.crash("c")
    start(mesh)
    mesh["b"].keys.leave_behind(["c"], mesh.now)
    mesh["a"].keys.leave_behind(["c"], mesh.now)
    mesh.run(10)
    assert mesh.phase("a") is Phase.DONE
    order(mesh, ORDER._replace(epoch=2, old=NEW.kid), number=2)
    mesh.files["c"] = RING.add(NEW).use(NEW.kid)
    mesh.add("c")
    mesh.until(lambda: mesh["c"].keys.ring.rotation.epoch == 1, within=30)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        [0, 1, 3, 3600, b"\x01"],
        [0, 1, 3, 3600, b"\x01", b"", 0],
        [0, 0, 3, 3600, b"\x01", b""],
        [-1, 1, 3, 3600, b"\x01", b""],
        [True, 1, 3, 3600, b"\x01", b""],
        [0, 1, 1 << 31, 3600, b"\x01", b""],
        [0, 1, 3, 3600, b"", b""],
        [0, 1, 3, 3600, b"\x01", bytes(5)],
        [0, 1, 3, 3600, "01", b""],
        [0, 1, 3, 3600, b"\x01", None],
    ],
)
def test_what_orders_nothing_is_read_as_no_order(value: object) -> None:
    """A list with it counts all the same: what it revokes is revoked."""
    assert order_of(value) is None


@pytest.mark.parametrize(
    "word",
    [
        *("", "0.1.3.3600.01", "0.1.3.3600.01.any.any", "0.1.3.3600..any", "0.1.3.3600.01.", "x"),
        *("0.1.3.-1.01.any", "0.1.3.3600.1.any", "0.0.3.3600.01.any", "0.1.٣.3600.01.any"),
        *("0.01.3.3600.01.any", "0.1.3.3600.0A.any", "9999999999.1.3.3600.01.any"),
    ],
)
def test_a_word_that_is_no_order_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match="."):
        order_of_text(word)


@pytest.mark.parametrize("new", [b"", b"\x02"])
def test_an_order_is_the_same_as_a_word_and_in_a_list(new: bytes) -> None:
    wanted = RotationOrder(int(bool(new)), 7, 12, 60, b"\xab\xcd", new)
    assert order_of_text(f" {wanted.text()}\n") == wanted
    listed = encode_revocations(AUTHORITY, cluster="c", number=3, least={"x": 4}, order=wanted)
    read = revocations_untrusted(listed.raw)
    assert not isinstance(read, Fault)
    assert (read.order, dict(read.least)) == (wanted, {"x": 4})


def test_a_list_without_an_order_takes_the_last_one_away() -> None:
    """The list counts as a whole; the command of the authority repeats the order in each."""
    mesh = mesh_of()
    order(mesh, ORDER)
    bare = encode_revocations(AUTHORITY, cluster="gossipmm", number=2, least={})
    assert mesh["a"].identities.set_revocations(bare.raw, mesh.now) is None
    with pytest.raises(KeyringError, match="has not ordered"):
        mesh["a"].keys.start(NEW, mesh.now)
