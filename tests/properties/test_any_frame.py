"""Well-formed frames with any content, from anybody, at any time: nothing breaks a node.

The frames keep to the grammar and know the names and keys that matter, so that they get further
than damaged ones do.
"""

from __future__ import annotations

import random
from contextlib import suppress
from typing import Any

import cbor2
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gossipmm.core.values.queries import Query
from gossipmm.core.values.types import EntryState, NodeState, Registration
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.pages import Page, encode_entry, encode_page, encode_page_zero
from gossipmm.errors import QueryRateError
from tests.helpers import Mesh, key_of
from tests.invariants import check_node
from tests.puppets import datagram

#: Lives that frames speak of: two generations of each name, and the node's own name.
NAMES = ("a", "x", "y", "z", "w")
ZERO = 1_700_000_000_000 << 16

beats = st.one_of(st.integers(0, 12), st.sampled_from([1000, wire.MAX_COUNTER - 1, 2**32 - 1]))
ages = st.sampled_from([0, 1, 60, 120, 200, 255])
lives = st.tuples(st.sampled_from(NAMES), st.integers(-1, 1))
entries = st.lists(
    st.builds(
        Registration,
        st.sampled_from("tuv"),
        st.sampled_from("hij"),
        st.sampled_from(EntryState),
        st.sampled_from([{}, {"m": 1}, {"m": True}, {"m": "x" * 700}]),
    ),
    max_size=1,
)

#: What members say in user events, the last two of which are none.
EVENT_TEXTS = [cbor2.dumps([1, "e", b"x"]), cbor2.dumps([3, "e", b"", "t"]), b"\xff", b""]


class AnyFrame(RuleBasedStateMachine):
    """Node ``a`` under test; real nodes ``x`` and ``y``; z and w are invented."""

    @initialize(seed=st.integers(0, 100))
    def begin(self, seed: int) -> None:
        options = {"suspicion_min": 0.3, "reap_after": 20.0, "accept_drain": True}
        self.mesh = Mesh("a", "x", "y", seed=seed, **options)
        self.mesh.settle()
        self.node = self.mesh["a"]
        self.node.register("t", "own", now=self.mesh.now)
        self.rng = random.Random(seed)
        self.answers: list[Any] = []

    # -- words -----------------------------------------------------------------------------------

    def generation(self, life: tuple[str, int]) -> int:
        """The present generation of a name, one before, or one after."""
        name, later = life
        held = self.node.table.by_name.get(name)
        return (held.generation if held is not None else ZERO) + later

    def key(self, life: tuple[str, int]) -> int:
        return wire.record_key("gossipmm", life[0], self.generation(life))

    def page(
        self, life: tuple[str, int], number: int, version: int, state: NodeState, some: Any
    ) -> Page:
        name, generation = life[0], self.generation(life)
        if number == 0:
            where = ((f"10.1.0.{len(name)}", 7946),)
            return encode_page_zero(name, generation, version, state, where, {})
        pairs = [(entry, encode_entry(entry)) for entry in some]
        return encode_page(name, generation, number, version, pairs)

    def hear(self, sender: tuple[str, int], kind: int, **fields: Any) -> None:
        options = fields.pop("options", None)
        data = datagram(kind, sender=self.key(sender), options=options, **fields)
        if len(data) <= wire.MAX_RECEIVE:
            self.mesh.deliver(data, (f"10.1.0.{len(sender[0])}", 7946), "a")

    # -- what happens ----------------------------------------------------------------------------

    @rule(
        sender=lives,
        kind=st.sampled_from(sorted(wire.KIND_NAMES)),
        beat=beats.filter(lambda beat: beat < wire.MAX_COUNTER),
        known=st.integers(0, 30),
        rows=st.lists(st.tuples(lives, beats, st.integers(0, 7), ages), max_size=4),
        probe=st.integers(0, 3),
    )
    def claims(
        self, sender: Any, kind: int, beat: int, known: int, rows: list[Any], probe: int
    ) -> None:
        encoded = b"".join(wire.row(self.key(life), *rest) for life, *rest in rows)
        target = key_of(self.node)
        self.hear(
            sender, kind, heartbeat=beat, known=known, rows=encoded, probe=probe, target=target
        )

    @rule(
        sender=lives,
        life=lives,
        number=st.sampled_from([0, 0, 1, 2, 65535]),
        version=st.sampled_from([1, 2, 3, 50, wire.MAX_COUNTER - 1]),
        state=st.sampled_from(NodeState),
        some=entries,
        quiet=st.booleans(),
    )
    def pages(
        self, sender: Any, life: Any, number: int, version: int, state: Any, some: Any, quiet: bool
    ) -> None:
        page = self.page(life, number, version, state, some)
        options: dict[int, Any] = {wire.OPT_PAGES: [page.raw]}
        if quiet:
            options[wire.OPT_MORE] = []
        self.hear(sender, wire.NEWS, options=options)

    @rule(sender=lives, life=lives, data=st.data())
    def questions(self, sender: Any, life: Any, data: st.DataObject) -> None:
        key, name, generation = self.key(life), life[0], self.generation(life)
        row = wire.digest_row(key, 3, data.draw(st.integers(0, 6)), 0, b"abcdef")
        cursor = [data.draw(st.sampled_from([0, 1, 65535])), data.draw(st.sampled_from([0, key]))]
        wanted: dict[int, Any] = {
            wire.OPT_DIGEST: [0, b"\0", row],
            wire.OPT_BUCKETS: [3, 0, bytes(32)],
            wire.OPT_WANT: [[key, wire.vector({0: 1, 9: 9})], [key, b"", 5, 2]],
            wire.OPT_MINIMUMS: [[name, generation]],
            wire.OPT_PULL: cursor,
            wire.OPT_MORE: cursor,
            wire.OPT_TARGET: key,
            wire.OPT_SLOW: True,
            wire.OPT_EXPIRE: ["t", "own"],
            wire.OPT_REACHED: True,
            wire.OPT_PADDING: bytes(1000),
            wire.OPT_ASK: data.draw(
                st.sampled_from(
                    [
                        *([0], [1, None, None, True], [1, "u", None, False], [1], [7, "x"]),
                        *([2, "ping", b"", 500, None], [2, "q", b"x", 900, None], [2, "q", b"x"]),
                    ]
                )
            ),
            wire.OPT_TOLD: data.draw(
                st.sampled_from(
                    [
                        *([0], [0, "ok", [], "1", 1, 1], [0, 1], [3], [99, {}]),
                        *([9], [11, b"x", True, 3]),
                    ]
                )
            ),
            wire.OPT_SIGN: [7, 9],
            wire.OPT_REVOKED: data.draw(st.sampled_from([b"", b"\xd2", bytes(900)])),
            wire.OPT_RELAY: [
                *(self.key(sender), data.draw(st.sampled_from([key, key_of(self.node)])), 8),
                data.draw(st.sampled_from([[2, "q", b"", 500, None], [0]])),
            ],
            wire.OPT_RELAYED: [
                *(data.draw(st.sampled_from([key, key_of(self.node)])), self.key(sender)),
                *(data.draw(st.sampled_from([8, 16])), [0, b"x", False, 0]),
            ],
            wire.OPT_LIFE: [key, 5, [7], 0, 0, bytes(64)],
            wire.OPT_EVENTS: [
                [key, number, 5, data.draw(st.sampled_from(EVENT_TEXTS)), b""]
                for number in data.draw(st.lists(st.integers(1, 9), max_size=4))
            ],
            wire.OPT_HELD: [
                data.draw(st.booleans()),
                [[key, 1, data.draw(st.integers(1, 1 << 31)), 0, b"\x05\xff"]],
            ],
            wire.OPT_MISSED: [[key, 1, 1 << 31], [7, 1, 1, 2]],
            wire.OPT_PART: data.draw(
                st.sampled_from([[1, 8, 0, b"half"], [1, 8, 4, b"half"], [1, 9, 0, b"more"]])
            ),
        }
        chosen = data.draw(st.lists(st.sampled_from(sorted(wanted)), min_size=1, unique=True))
        kind = data.draw(st.sampled_from(sorted(wire.KIND_NAMES)))
        options = {option: wanted[option] for option in chosen}
        self.hear(sender, kind, options=options, target=key_of(self.node))

    @rule(sender=lives, speaker=lives, life=lives, order=st.permutations(range(4)))
    def parts(self, sender: Any, speaker: Any, life: Any, order: list[int]) -> None:
        """Bring a frame in parts, in any order, perhaps that of somebody else."""
        row = wire.row(self.key(life), 3, wire.SUSPECT)
        whole = datagram(wire.NEWS, sender=self.key(speaker), rows=30 * row)
        number, size = self.rng.getrandbits(2), len(whole) // 4 + 1
        for place in order:
            piece = whole[place * size : (place + 1) * size]
            part = [number, len(whole), place * size, piece]
            self.hear(sender, wire.NEWS, options={wire.OPT_PART: part})

    @rule(address=st.sampled_from(["x", "y"]), size=st.sampled_from([600, 1200]))
    def the_system_refuses_a_size(self, address: str, size: int) -> None:
        self.node.send_failed(self.mesh[address].addresses[0], self.mesh.now, size)

    @rule(seconds=st.sampled_from([0.0, 0.02, 0.3, 2.0, 11.0]))
    def time_passes(self, seconds: float) -> None:
        self.mesh.run(seconds)

    @rule(
        what=st.sampled_from(
            [
                *("register", "unregister", "drain", "doubt", "expire", "alive"),
                *("ask", "ask to drain", "query"),
            ]
        )
    )
    def the_program_acts(self, what: str) -> None:
        now, node = self.mesh.now, self.node
        if what == "register":
            node.register("u", "own", {"n": self.rng.randrange(9)}, now=now)
        elif what == "unregister":
            node.unregister("u", "own", now=now)
        elif what == "drain":
            node.drain(draining=self.rng.random() < 0.5, now=now)
        elif what == "doubt":
            node.report_failure("t", self.rng.choice("hij"), now=now)
        elif what == "expire":
            node.expire("t", self.rng.choice("hij"), now=now)
        elif what == "ask":
            node.questions.asking.health("xyzq", 0.5, self.answers.append, now)
        elif what == "query":
            with suppress(QueryRateError):
                node.questions.querying.ask(Query("q", seconds=0.5), self.answers.append, now)
        elif what == "ask to drain":
            drain = (None, None, True)
            node.questions.asking.drain("x", drain, 0.5, self.answers.append, now)
        else:
            node.ack_alive("t", self.rng.choice("hij"), now=now)

    @rule(name=st.sampled_from(NAMES[1:]))
    def the_operator_forgets(self, name: str) -> None:
        self.node.forget(name, now=self.mesh.now)

    # -- what must hold --------------------------------------------------------------------------

    @invariant()
    def the_node_is_consistent(self) -> None:
        check_node(self.node)
        assert "own" in self.node.table.topics["t"].entries

    @invariant()
    def no_datagram_is_too_large_and_none_goes_nowhere(self) -> None:
        for packet in self.mesh.sent:
            assert len(packet.data) <= self.node.config.max_datagram
            assert packet.target[1] > 0
        self.mesh.sent.clear()

    def teardown(self) -> None:
        """When it is over, the real ones find together again."""
        if hasattr(self, "mesh"):
            self.mesh.run(15)
            check_node(self.node)


AnyFrame.TestCase.settings = settings(max_examples=40, stateful_step_count=25)
TestAnyFrame: Any = AnyFrame.TestCase
