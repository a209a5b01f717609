"""The state of key rotations: whatever order, loss and repetition, one state in the end."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gossipmm.core.life.rotation_progress import has_majority, obstacles, standing
from gossipmm.core.sealing.keyring import Key, Keyring, applied, merged
from gossipmm.core.values.rotation_state import (
    NEVER,
    Phase,
    RotationState,
    Told,
    register_of,
    told_of,
)

KEYS = [Key(bytes((n,)), bytes([n]) * 32) for n in range(1, 6)]
KIDS = st.sampled_from([key.kid for key in KEYS])
REGISTERS = st.builds(
    RotationState,
    evictions=st.integers(0, 2),
    epoch=st.integers(1, 4),
    phase=st.sampled_from(Phase),
    new=KIDS,
    old=KIDS,
    out_of_band=st.booleans(),
    members=st.integers(0, 9),
    keep=st.integers(0, 9),
)
#: As honest nodes make them: out of band counts one more, so by gossip never beats it unknowingly.
BY_GOSSIP = REGISTERS.map(lambda register: register._replace(out_of_band=False))
RINGS = st.builds(Keyring, st.permutations(KEYS).flatmap(lambda keys: st.just(tuple(keys[:3]))))


@given(RINGS, st.lists(BY_GOSSIP, max_size=8), st.data())
def test_any_order_and_repetition_ends_in_the_same_register(
    ring: Keyring, registers: list[RotationState], data: st.DataObject
) -> None:
    """[P114]."""
    other = data.draw(
        st.permutations(registers + data.draw(st.lists(st.sampled_from(registers or [NEVER]))))
    )
    ends = []
    for order in (registers, other):
        one = ring
        for register in order:
            one = merged(one, register)
        ends.append(one.rotation)
    assert ends[0] == ends[1] == max([NEVER, *registers])


@given(RINGS, st.lists(REGISTERS, max_size=8))
def test_a_node_never_loses_its_last_key_and_never_goes_back(
    ring: Keyring, registers: list[RotationState]
) -> None:
    """[P115]."""
    for register in registers:
        before, ring = ring, merged(ring, register)
        assert ring.keys
        assert ring.rotation >= before.rotation
        assert merged(ring, register) is ring
        assert {key.kid for key in ring.keys} <= {key.kid for key in before.keys}
        if before.find(ring.rotation.new) is None:
            assert ring.keys == before.keys, "without the new key nothing is given up"
        if before.rotation.active and before.rotation.out_of_band and not register.out_of_band:
            assert ring is before


@given(RINGS, REGISTERS, st.sampled_from(KEYS))
def test_doing_it_twice_is_doing_it_once(ring: Keyring, register: RotationState, key: Key) -> None:
    for held in (ring, ring.add(key)):
        wanted = replace(held, rotation=register)
        once = applied(wanted, NEVER)
        assert applied(once, register) == once
        assert applied(once, NEVER) == once


@given(st.permutations([Phase.ADD, Phase.USE, Phase.DONE]), st.booleans())
def test_who_takes_part_ends_with_the_new_key_alone(order: list[Phase], late: bool) -> None:
    """[P115]."""
    ring = Keyring((KEYS[0],)) if late else Keyring((KEYS[0], KEYS[1]))
    register = RotationState(0, 1, Phase.ADD, KEYS[1].kid, KEYS[0].kid, False, 3, 9)
    ring = merged(ring, register)
    for number, phase in enumerate(order):
        ring = merged(ring, register._replace(phase=phase))
        if late and number == 0 and ring.find(KEYS[1].kid) is None:
            ring = ring.add(KEYS[1])
            ring = applied(ring, ring.rotation)
    assert ring.sending == KEYS[1]
    if not late or order[0] is not Phase.DONE:
        assert ring.keys == (KEYS[1],)


@given(REGISTERS, st.lists(KIDS, min_size=1, max_size=5))
def test_what_is_told_is_what_is_read(register: RotationState, holds: list[bytes]) -> None:
    assert register_of(register.row()) == register
    for told in (Told(tuple(holds), register), Told(tuple(holds))):
        assert told_of(told.row()) == told
        assert told_of([told.row()[0], [*register.row(), "later"]]) == Told(tuple(holds), register)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.binary(max_size=6) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=9),
    max_leaves=12,
)


@given(JUNK)
def test_anything_else_is_nothing_and_raises_nothing(junk: object) -> None:
    for read in (told_of(junk), register_of(junk)):
        assert read is None or isinstance(read, tuple)


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), min_size=1, max_size=9))
def test_of_two_halves_at_most_one_goes_on(members: list[tuple[bool, bool, bool]]) -> None:
    """Each member is in one half; to that half the other one is down, whatever it holds."""
    register = RotationState(0, 1, Phase.ADD, b"\x02", b"\x01", False, len(members), 9)
    told = {True: Told((b"\x01", b"\x02"), register), False: Told((b"\x01",), register)}
    goes_on = []
    for half in (True, False):
        seen = [
            standing(
                f"n{number}", told[holds if side is half else False], register, live=side is half
            )
            for number, (side, holds, _) in enumerate(members)
        ]
        waits = obstacles(seen, register, (), expired=False)
        goes_on.append(not waits and has_majority(seen, register, (), 0))
    assert not all(goes_on)
