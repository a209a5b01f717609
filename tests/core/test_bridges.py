"""A helper names the member by whose help it reaches the target itself [P198].

One real node, ``a``; everybody else is a puppet whose words the test chooses.
"""

from __future__ import annotations

from gossipmm.core.values.purpose import Purpose
from gossipmm.core.values.types import Status
from gossipmm.core.wire import frame as wire
from tests.helpers import Mesh, Packet, held
from tests.puppets import Puppet


class Scene:
    """Node ``a``, puppet ``x`` that does not answer it, and eight others that may help."""

    def __init__(self) -> None:
        self.mesh = Mesh("a")
        self.x, *self.others = self.mesh.puppets("x", *(f"y{n}" for n in range(8)))
        self.mesh.run(1)
        self.x.answers = False

    def ask(self) -> tuple[int, list[Puppet]]:
        """Have the node ask for x until it wants help; the probe's identity, and who was asked."""
        self.mesh.sent.clear()
        assert self.mesh["a"]._parts.probes.start(held(self.mesh["a"], "x"), Purpose.SUSPICION)
        self.mesh.until(lambda: bool(self.helps()), within=1, step=0.001)
        asked = {packet.target for packet in self.helps()}
        helpers = [one for one in self.others if one.addresses[0] in asked]
        return self.helps()[0].frame.probe, helpers

    def helps(self) -> list[Packet]:
        return [packet for packet in self.mesh.sent if packet.frame.kind == wire.HELP]

    def name(self, by: Puppet, probe: int, bridge: int, about: int | None = None) -> list[Packet]:
        """Say that the bridge reached x; return whom that has the node ask for help."""
        options = {wire.OPT_TARGET: about or self.x.key, wire.OPT_BRIDGE: bridge}
        said = by.say("a", wire.HELPED, probe=probe, options=options)
        return [packet for packet in said if packet.frame.kind == wire.HELP]


def test_who_reached_the_target_for_a_helper_is_asked_at_once() -> None:
    """Each host of a half had to find the bridge for itself, by three helpers at random a question.

    In eighteen of 240 splits that one or two hosts bridge one was not found in time, and a member
    that all others had just heard of was declared dead. The helpers that were asked knew the
    bridge, and only said that they did not reach the member themselves.
    """
    scene = Scene()
    probe, helpers = scene.ask()
    bridge = next(one for one in scene.others if one not in helpers)
    (packet,) = scene.name(helpers[0], probe, bridge.key)
    assert packet.target == bridge.addresses[0]
    assert (packet.frame.probe, packet.frame.options[wire.OPT_TARGET]) == (probe, scene.x.key)
    options = {wire.OPT_TARGET: scene.x.key, wire.OPT_REACHED: True}
    bridge.say("a", wire.HELPED, probe=probe, options=options)
    scene.mesh.run(1)
    assert held(scene.mesh["a"], "x").status is Status.ALIVE


def test_a_helper_names_one_member_a_question_and_who_was_named_names_nobody() -> None:
    """Otherwise one member has a node ask all others, with a datagram for each [P198]."""
    scene = Scene()
    probe, helpers = scene.ask()
    first, second, third = [one for one in scene.others if one not in helpers][:3]
    assert scene.name(helpers[0], probe, first.key)
    assert not scene.name(helpers[0], probe, second.key)
    assert not scene.name(first, probe, second.key)
    assert scene.name(helpers[1], probe, third.key)


def test_only_who_was_asked_names_a_member_that_is_known_and_was_not_asked() -> None:
    """[P198]."""
    scene = Scene()
    probe, helpers = scene.ask()
    stranger, bridge = [one for one in scene.others if one not in helpers][:2]
    assert not scene.name(stranger, probe, bridge.key)
    assert not scene.name(helpers[0], probe + 8, bridge.key)
    assert not scene.name(helpers[0], probe, bridge.key, about=stranger.key)
    assert not scene.name(helpers[0], probe, 4711)
    for helper, named in zip(helpers[1:], (helpers[0].key, scene.x.key), strict=False):
        assert not scene.name(helper, probe, named)
    assert scene.helps()[-1].frame.probe == probe
    assert len(scene.helps()) == len(helpers)


def test_a_helper_that_reaches_the_target_by_another_one_only_says_by_whom() -> None:
    """[P198]."""
    scene = Scene()
    node, seeker = scene.mesh["a"], scene.others[0]

    def answered() -> wire.Frame:
        options = {wire.OPT_TARGET: scene.x.key}
        said = seeker.say("a", wire.HELP, probe=64, options=options)
        return next(packet.frame for packet in said if packet.frame.kind == wire.HELPED)

    assert wire.OPT_BRIDGE not in answered().options
    probe, helpers = scene.ask()
    options = {wire.OPT_TARGET: scene.x.key, wire.OPT_REACHED: True}
    bridge = next(one for one in helpers if one is not seeker)
    bridge.say("a", wire.HELPED, probe=probe, options=options)
    assert answered().options[wire.OPT_BRIDGE] == bridge.key
    scene.x.answers = True
    scene.x.heartbeat += 1
    scene.x.say("a", wire.SYN, probe=9, known=node.heartbeat)
    assert not held(node, "x").indirect
    assert wire.OPT_BRIDGE not in answered().options
