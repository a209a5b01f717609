"""The parts of the core that a datagram may concern, together."""

from __future__ import annotations

from typing import NamedTuple

from gossipmm.core.failure.detector import Detector
from gossipmm.core.failure.predecessor import ExpectedSyn
from gossipmm.core.failure.probes import Probes
from gossipmm.core.life.closed_generations import ClosedGenerations
from gossipmm.core.life.conflict import NameConflict
from gossipmm.core.life.generation import OwnGenerations
from gossipmm.core.life.later_lives import LaterLives
from gossipmm.core.life.leaving import Leaving
from gossipmm.core.life.newcomers import Newcomers
from gossipmm.core.life.registrations import Registrations
from gossipmm.core.life.reply_loss import ReplyLoss
from gossipmm.core.life.rotation import Rotation
from gossipmm.core.life.service_health import ServiceHealth
from gossipmm.core.messages.events import UserEvents
from gossipmm.core.sealing.admission import Admission
from gossipmm.core.sealing.envelope import Envelope
from gossipmm.core.sending.address_validation import AddressValidation
from gossipmm.core.sending.broadcasts import BroadcastQueue
from gossipmm.core.sending.foreign_traffic import ForeignTraffic
from gossipmm.core.sending.paths import Paths
from gossipmm.core.sending.replies import Replies
from gossipmm.core.sending.size_tests import SizeTests
from gossipmm.core.sync.anti_entropy import AntiEntropy
from gossipmm.core.sync.claims import Claims
from gossipmm.core.sync.fingerprints import Fingerprints
from gossipmm.core.sync.identities import Identities
from gossipmm.core.sync.joining import Joining
from gossipmm.core.sync.records import Records
from gossipmm.core.sync.transfer import Transfer

__all__ = ("Parts",)


class Parts(NamedTuple):
    """The parts of the core that a datagram may concern: made by ``Node``, for ``Receiver``."""

    admission: Admission
    envelope: Envelope
    paths: Paths
    foreign_traffic: ForeignTraffic
    validation: AddressValidation
    size_tests: SizeTests
    broadcasts: BroadcastQueue
    replies: Replies
    detector: Detector
    probes: Probes
    expected: ExpectedSyn
    own_generations: OwnGenerations
    closed: ClosedGenerations
    conflict: NameConflict
    identities: Identities
    later_lives: LaterLives
    newcomers: Newcomers
    leaving: Leaving
    registrations: Registrations
    service_health: ServiceHealth
    reply_loss: ReplyLoss
    rotation: Rotation
    claims: Claims
    records: Records
    fingerprints: Fingerprints
    anti_entropy: AntiEntropy
    transfer: Transfer
    joining: Joining
    user_events: UserEvents
