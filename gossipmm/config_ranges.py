"""The range of each numeric field of ``Config``, its unit, and what raising it does."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

__all__ = ("RANGES", "Range")


class Range(NamedTuple):
    """What a numeric field may be. Both bounds are allowed."""

    low: float
    high: float
    #: ``s``, ``bytes``, ``bytes/s``, ``datagrams/s``, ``share``, ``times``, or what is counted.
    unit: str
    #: What becomes of a cluster where it is higher, and at which price.
    raising: str
    #: Why the range is what it is, where the numbers alone would not be understood.
    why: str = ""


RANGES: Mapping[str, Range] = MappingProxyType(
    {
        "control_port": Range(0, 65535, "port", "nothing: it is a name; 0 turns it off"),
        "dns_port": Range(0, 65535, "port", "nothing: it is a name; 0 turns it off"),
        "consul_port": Range(0, 65535, "port", "nothing: it is a name; 0 turns it off"),
        "gossip_interval": Range(
            0.01, 60.0, "s", "less traffic and slower detection, both in proportion"
        ),
        "jitter": Range(
            0.0,
            0.9,
            "share",
            "nodes that booted together drift apart sooner, each less evenly",
        ),
        "resend_base": Range(
            0.001, 10.0, "s", "fewer duplicates on slow networks, and later answers under loss"
        ),
        "helpers": Range(
            0, 16, "members", "fewer false suspicions under loss, and more datagrams a failed probe"
        ),
        "suspicion_min": Range(
            0.01, 600.0, "s", "more time to refute, and every detection is later by as much"
        ),
        "suspicion_factor": Range(
            1.0, 20.0, "times", "more protection against a single sick accuser, and later deaths"
        ),
        "confirmations": Range(
            0, 16, "members", "more accusers are needed before a death comes early"
        ),
        "fanout": Range(1, 32, "members", "a change is known sooner, and costs more bytes"),
        "second_push": Range(
            0.001, 5.0, "s", "changes that the first push missed arrive later, with fewer doubles"
        ),
        "broadcast_rate": Range(
            1200.0, 1e9, "bytes/s", "more changes at once, and more traffic while they last"
        ),
        "broadcast_burst": Range(
            1200.0, 1e9, "bytes", "longer bursts of changes, and larger peaks of traffic"
        ),
        "max_datagram": Range(
            548,
            1452,
            "bytes",
            "fewer datagrams, and the danger that a path drops them",
            ": every path carries 548 bytes (IPv4's 576 minus headers), an Ethernet 1,452 (minus "
            "those of IPv6), and a member's addresses and metadata have to fit in one datagram",
        ),
        "reap_after": Range(
            10.0, 604_800.0, "s", "splits heal after longer ones, and the dead are held longer"
        ),
        "max_closed_generations": Range(
            0, 1_000_000, "generations", "old records stay out for longer, and memory is used"
        ),
        "stale_for": Range(
            0.0, 86_400.0, "s", "a host that is cut off answers for longer, with older hosts"
        ),
        "flap_free_returns": Range(
            0, 1000, "returns", "a host that comes and goes is picked for longer"
        ),
        "flap_window": Range(1.0, 86_400.0, "s", "returns are remembered for longer"),
        "probation_max": Range(0.0, 3600.0, "s", "a host that comes and goes stays out for longer"),
        "max_members": Range(1, 1_000_000, "members", "larger clusters, and more memory"),
        "max_registrations": Range(
            1, 1_000_000, "registrations", "one node may register more, and fill more memory"
        ),
        "max_record": Range(1000, 1 << 40, "bytes", "one node may fill more of max_table"),
        "max_table": Range(
            1000, 1 << 40, "bytes", "larger clusters, and whoever has the key can fill more memory"
        ),
        "max_jump": Range(
            1, 1 << 32, "steps", "fewer forgeries are needed to exhaust a member's counter"
        ),
        "max_accusations": Range(
            1,
            1_000_000,
            "members",
            "many deaths are told sooner, a sick accuser does more harm",
        ),
        "source_rate": Range(
            10.0, 1e9, "datagrams/s", "strangers are heard more, and may use more of the CPU"
        ),
        "peer_rate": Range(
            10.0, 1e9, "datagrams/s", "transfers are faster, and one member may use more of the CPU"
        ),
        "leave_timeout": Range(
            0.0, 60.0, "s", "more members confirm a leave, and an agent may take longer to end"
        ),
        "seed_interval": Range(
            1.0, 3600.0, "s", "fewer look-ups of names, and new seeds are found later"
        ),
        "zone_spill": Range(
            1, 1_000_000, "hosts", "other zones help earlier when hosts of a node's own zone die"
        ),
    }
)
