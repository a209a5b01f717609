"""The one list of verbs: what can be asked of an agent, and under which name on each of its faces.

Data only, imported by no face: ``tests/test_verbs.py`` compares each of them with this list, modulo
``async``, the core's ``now`` and what the transport needs. To add a verb, add it here first; the
test then names the faces that lack it. A face may lack a verb, or differ from the others, only as
written here, with the reason.

* Unknown is never an exception: what was named and is not there gives ``missing``.
* ``host`` left out is the node's own name; ``topic`` left out is all topics.
* Times are seconds of the face's clock, ``now()``.
"""

from __future__ import annotations

from gossipmm.verbs.keys import KEYS
from gossipmm.verbs.node import NODE
from gossipmm.verbs.registrations import OWN, SERVICES, TABLE
from gossipmm.verbs.verb import Differs, Face, Scope, Verb

__all__ = ("VERBS", "Differs", "Face", "Scope", "Verb")

#: All verbs, in the order in which people meet them.
VERBS: tuple[Verb, ...] = (*OWN, *SERVICES, *TABLE, *NODE, *KEYS)
