"""Ablations: each mechanism of the core switched off must make the matching promise break.

A mechanism whose absence no checker notices is either useless or untested. Each row says where to
look for the break; its scenario must be green with the mechanism on, at the same seed.

``Config.without`` knows four more whose absence shows in no scenario, because another mechanism
does most of their work: ``suspect_rows`` (suspicions are also broadcast), ``accused_is_told`` (the
broadcast reaches the accused), ``late_hold`` (a late probe is given its time back) and
``minimum_generations`` (a node that was alone for half of ``reap_after`` forgets all but itself).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from gossipmm.mechanisms import Mechanism
from gossipmm_sim.runs.run import run
from gossipmm_sim.runs.scenario import Scenario

__all__ = ("ABLATIONS", "Ablation", "Outcome", "ablate")


@dataclass(frozen=True, slots=True)
class Ablation:
    """A mechanism, what it is for, and a scenario in which its absence shows."""

    mechanism: Mechanism
    purpose: str
    scenario: Scenario


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an ablation did. ``seed`` is where a promise broke; None: nowhere."""

    mechanism: Mechanism
    purpose: str
    seed: int | None
    seeds: int
    message: str


def _case(
    mechanism: Mechanism,
    purpose: str,
    checks: tuple[str, ...],
    faults: tuple[str, ...],
    *,
    nodes: int = 20,
    duration: float = 30.0,
    warmup: float = 5.0,
    hosts_per_topic: int = 32,
    identity: str = "off",
    trust: str = "pin",
    encrypted: bool = False,
    **config: object,
) -> Ablation:
    scenario = Scenario(
        name=f"ablate_{mechanism}",
        family="ablation",
        doc=purpose,
        nodes=nodes,
        warmup=warmup,
        duration=duration,
        hosts_per_topic=hosts_per_topic,
        identity=identity,
        trust=trust,
        encrypted=encrypted,
        faults=faults,
        checks=checks,
        config=config,
    )
    return Ablation(mechanism, purpose, scenario)


ABLATIONS: dict[str, Ablation] = {
    one.mechanism: one
    for one in (
        _case(
            Mechanism.TARGET_RULE,
            "a probe has succeeded only when the target itself answered",
            ("removed within=6", "out on=6"),
            ("crash at=1 on=6", "takeover at=1.2 on=6"),
            nodes=10,
            duration=20,
        ),
        _case(
            Mechanism.QUICK_RESENDS,
            "a lost datagram costs one more datagram, not a round of helpers",
            ("at_most figure=datagrams_per_second value=15",),
            ("loss p=0.25",),
            duration=10,
        ),
        _case(
            Mechanism.EVENT_EXCHANGES,
            "what was sent during a split, or missed by pushes, is told all the same",
            ("events_told within=12 healed=5",),
            ("cut at=1 until=5 on=half to=rest", "user_events at=2 until=5 rate=2"),
            nodes=8,
            duration=20,
        ),
        _case(
            Mechanism.EVERYONE_DECLARES,
            "a death heard is only a suspicion: one mute accuser convinces nobody",
            ("kept by=all",),
            ("attack at=1 until=20 what=accuse_all rate=20",),
            nodes=12,
            duration=30,
        ),
        _case(
            Mechanism.HEARING_RULE,
            "a heartbeat proves that the host hears, too",
            ("out on=5",),
            ("cut at=1 on=5 way=in",),
            duration=60,
            # A suspicion has to outlast an interval for a rising heartbeat to refute it.
            suspicion_min=2.0,
        ),
        _case(
            Mechanism.EVIDENCE_AGE,
            "the dead return only by evidence younger than their burial",
            ("no_resurrection",),
            (
                "crash at=2 on=3,8",
                "pause at=1.5 until=7 on=4,9",
                "cut at=1.5 until=13 on=5,6",
                "pause at=1.5 until=19 on=7",
            ),
            nodes=10,
            duration=90,
            reap_after=20,
        ),
        _case(
            Mechanism.PROVED_LIVES,
            "a later life counts once it has answered: who lives stays in all lookups",
            ("present within=2",),
            ("later_life at=1 until=10 by=3 rate=2",),
            duration=30,
        ),
        _case(
            Mechanism.SECOND_PUSH,
            "members that the first push missed have the second one",
            ("at_most figure=registration_known_p99 value=0.05",),
            # Without loss the first push reaches everybody: one of four goes to a ring neighbour.
            ("loss p=0.1", "register at=1 on=all spread=10 topic=extra"),
            nodes=60,
            duration=15,
        ),
        _case(
            Mechanism.HELPERS,
            "another host may reach one that this host does not",
            ("at_most figure=core.suspicions value=100",),
            ("cut at=1 on=3 to=6-9 way=both",),
            duration=60,
        ),
        _case(
            Mechanism.REFUTATION_BY_ANYONE,
            "a wrong accusation dies at the first host that knows better, not only at the accused",
            ("at_most figure=longest_false_suspicion value=0.25",),
            ("accuse at=1 until=19 by=3 rate=2 to=4",),
            nodes=50,
            duration=20,
        ),
        _case(
            Mechanism.DEAF_HOLD,
            "a host that hears nothing does not accuse the whole cluster",
            ("at_most figure=false_suspicions value=0",),
            ("cut at=1 until=2.5 on=4",),
            duration=20,
        ),
        _case(
            Mechanism.FLAP_DAMPING,
            "a host that comes and goes is out of lookups until it is steady",
            ("out on=5",),
            ("flip_flop at=1 until=120 on=5 off=6 on_for=4",),
            duration=124,
        ),
        _case(
            Mechanism.DEAD_RETRY,
            "the dead are tried again, so that a split heals by itself",
            ("converged within=10",),
            ("name_service", "cut at=1 until=25 on=half to=rest", "crash at=2 on=seeds"),
            duration=60,
        ),
        _case(
            Mechanism.STALE_LOOKUPS,
            "a host that is cut off goes on answering with the members that it knew",
            ("answers on=4 topic=compute0 at_least=4",),
            ("cut at=1 on=4",),
            nodes=12,
            duration=30,
            hosts_per_topic=4,
        ),
        _case(
            Mechanism.DIGESTS,
            "what the news missed, the comparison of tables finds",
            ("converged within=5",),
            ("loss at=1 until=12 p=0.9", "churn at=1 until=12 rate=20"),
            duration=30,
        ),
        _case(
            Mechanism.RING,
            "somebody looks after each member in every interval",
            ("at_most figure=crash_seen_by_all_max value=3.7",),
            ("crash at=1 on=all spread=240 back=6",),
            nodes=60,
            duration=260,
        ),
        _case(
            Mechanism.PATHS,
            "of several addresses of a member, the one that answers is used",
            ("converged within=2",),
            ("socket on=0-5 bind=any", "socket on=6,7 bind=v4", "register at=10 on=6 topic=late"),
            nodes=8,
        ),
        _case(
            Mechanism.PATH_SIZES,
            "where what is large does not arrive, what is told there is cut",
            ("converged within=5",),
            ("mtu on=5 payload=600", "register at=1 on=0 topic=big count=100 size=20"),
            nodes=8,
        ),
        _case(
            Mechanism.ZONE_BESIDE,
            "a zone that dies is out of lookups about as soon as any hosts are",
            ("removed within=4.5",),
            ("sites across=0.0005", "crash at=1 on=20-39"),
            nodes=60,
            zone_exchanges=True,
        ),
        _case(
            Mechanism.EXPECTED_SYN,
            "an exchange on the ring watches both of its ends",
            ("at_most figure=crash_seen_by_all_median value=2",),
            ("crash at=1 on=all spread=240 back=6",),
            nodes=60,
            duration=260,
        ),
        _case(
            Mechanism.FIRST_HAND_DEATH,
            "nobody is declared dead who was not asked, whatever was accused",
            ("kept by=all",),
            ("accuse at=1 until=20 by=3-7 rate=2 to=4 ahead=1000",),
        ),
        _case(
            Mechanism.FIRST_HAND_REFUTES,
            "an answer outweighs an accusation at a heartbeat that nobody issued",
            ("at_most figure=core.renewals value=0",),
            ("accuse at=1 until=20 by=3 rate=2 to=4 ahead=1000",),
        ),
        _case(
            Mechanism.QUIET_HEARSAY,
            "after false alarms, hearsay is asked about before it is told",
            ("at_most figure=bytes_per_second value=1400",),
            ("accuse at=1 until=20 by=3-7 rate=2 to=4",),
        ),
        _case(
            Mechanism.ACCUSERS_CREDIT,
            "who brought wrong accusations is not believed, so that it costs little to hear",
            ("at_most figure=bytes_per_second value=1400",),
            ("accuse at=1 until=20 by=3-7 rate=2 to=4",),
        ),
        _case(
            Mechanism.SECOND_HAND_ASKS,
            "others' word of a life asks, so that no liar keeps a dead host listed",
            ("removed within=7", "monotone but=12"),
            ("crash at=5 on=12", "forge at=1 until=30 by=3 of=12 ahead=1 climb=1 rate=2 to=19"),
        ),
        _case(
            Mechanism.SIGNED_PAGES,
            "only its owner's key changes what a name stands for",
            ("intact within=2 on=!3",),
            ("forge_pages at=1 until=10 by=3 signed=none",),
            identity="require",
        ),
        _case(
            Mechanism.PINS,
            "a name stays with its first key, whoever answers for it under another",
            ("intact within=2",),
            ("claimant at=1 until=15 of=5",),
            identity="require",
        ),
        _case(
            Mechanism.EQUIVOCATION,
            "who signs two pages of one version is in no lookup",
            ("at_least figure=events.Equivocating", "alive_to_itself but=3"),
            ("tell_twice at=1 until=10 by=3",),
            identity="require",
        ),
        _case(
            Mechanism.SIGNED_STATEMENTS,
            "helpers that lie do not keep a dead host listed",
            ("removed within=5", "out on=12"),
            ("crash at=5 on=12", "lying_helpers at=1 by=3-7"),
            identity="require",
        ),
        _case(
            Mechanism.ASKED_IN_VAIN,
            "who tells of lives that there are not has nobody ask for them without end",
            ("at_most figure=bytes_per_second value=900",),
            ("later_life at=1 until=40 by=3-7",),
            identity="require",
            duration=45,
        ),
        _case(
            Mechanism.SIGNED_SUSPICIONS,
            "who tells heartbeats of all has nobody declared dead that one question did not find",
            ("kept by=all", "monotone but=all"),
            ("loss p=0.25", "forge at=1 until=61 by=3-7 ahead=1 climb=1 to=19"),
            identity="require",
            trust="authority",
            duration=75,
        ),
        _case(
            Mechanism.VOUCHERS,
            "who tells that a crashed host lives has nobody ask for it without end",
            ("at_most figure=bytes_per_second value=490", "removed within=5", "monotone but=all"),
            ("crash at=5 on=12", "forge at=1 until=50 by=3 ahead=1 climb=1 to=19"),
            identity="require",
            trust="authority",
            duration=60,
        ),
        _case(
            Mechanism.SIGNED_ENDS,
            "a floor that nobody signed a life for makes nobody begin another one",
            ("at_most figure=core.renewals value=0",),
            ("later_life at=1 until=10 by=3 what=floor",),
            identity="require",
        ),
        _case(
            Mechanism.ROTATION_ORDERS,
            "no rotation of keys begins that the authority has not ordered",
            ("at_most figure=events.KeyRotation value=0",),
            ("registers at=1 until=10 by=3 what=next rate=2",),
            identity="require",
            trust="authority",
            encrypted=True,
        ),
        _case(
            Mechanism.IMPAIRED,
            "a host whose answers do not get through says so, and is in no lookup",
            ("out on=3,4",),
            ("loss at=1 on=3,4 way=out p=0.8",),
            duration=90,
        ),
        _case(
            Mechanism.QUERY_RELAYS,
            "a query and its answer go around a way that is broken",
            ("at_most figure=query_missing value=0",),
            ("cut at=0.5 on=5 to=0 way=out", "ask_all at=1 on=0"),
            duration=10,
        ),
        _case(
            Mechanism.SUSPECT_REPORTER,
            "who is itself suspected is not believed against others",
            # Each of the five deaf ones suspects the 55 others, and nobody else does.
            ("at_most figure=false_suspicions value=275",),
            ("cut at=1 on=4-8 way=in",),
            nodes=60,
            duration=50,
        ),
    )
}


def ablate(one: Ablation, seeds: int, tell: Callable[[int], None] = lambda _seed: None) -> Outcome:
    """Look for a seed at which the scenario is green with the mechanism and red without it."""
    without = replace(
        one.scenario, config={**one.scenario.config, "without": frozenset({one.mechanism})}
    )
    for seed in range(seeds):
        tell(seed)
        broken = run(without, seed)
        if broken.ok:
            continue
        whole = run(one.scenario, seed)
        if whole.ok:
            first = broken.failures[0]
            message = f"{first.check}: {first.message}"
            return Outcome(one.mechanism, one.purpose, seed, seed + 1, message)
    return Outcome(one.mechanism, one.purpose, None, seeds, "no promise broke")
