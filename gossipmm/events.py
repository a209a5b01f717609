"""What happens to members, hosts and this node: what ``watch`` gives, on every face.

    with mm.agent.watch(MemberDied, topics=("compute",)) as events:
        for event in events:
            print(event)

Each is a frozen dataclass; ``at`` is core time, the clock of the agent's ``now()``.
"""

from gossipmm.core.values.events import (
    KINDS,
    AddressChanged,
    Event,
    ForeignTraffic,
    GenerationRenewed,
    HostChanged,
    Isolated,
    Joined,
    KeyRotation,
    KeysChanged,
    KeyWanted,
    LeaveFinished,
    MemberCrashLooping,
    MemberDied,
    MemberImpaired,
    MemberJoined,
    MemberLeft,
    MemberReaped,
    MemberRefuted,
    MemberRestarted,
    MemberReturned,
    MemberSuspected,
    NameConflict,
    PathTrouble,
    ProbationEnded,
    RegistrationExpired,
    SelfImpaired,
    SelfSlow,
    SelfSuspected,
    SourceDiffers,
)

__all__ = (
    "KINDS",
    "AddressChanged",
    "Event",
    "ForeignTraffic",
    "GenerationRenewed",
    "HostChanged",
    "Isolated",
    "Joined",
    "KeyRotation",
    "KeyWanted",
    "KeysChanged",
    "LeaveFinished",
    "MemberCrashLooping",
    "MemberDied",
    "MemberImpaired",
    "MemberJoined",
    "MemberLeft",
    "MemberReaped",
    "MemberRefuted",
    "MemberRestarted",
    "MemberReturned",
    "MemberSuspected",
    "NameConflict",
    "PathTrouble",
    "ProbationEnded",
    "RegistrationExpired",
    "SelfImpaired",
    "SelfSlow",
    "SelfSuspected",
    "SourceDiffers",
)
