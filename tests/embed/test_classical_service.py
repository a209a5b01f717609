"""The service of the time over real agents, in a thread and in a child process."""

from __future__ import annotations

import pytest

from gossipmm.embed.child import ChildMatchMaker
from gossipmm.matchmaker import MatchMakerGossip
from tests.embed.helpers import config
from tests.matchmaker.classical import run_service


@pytest.mark.parametrize("kind", [MatchMakerGossip, ChildMatchMaker])
def test_a_service_starts_serves_and_closes(kind: type[MatchMakerGossip]) -> None:
    """Every service registers ``topic``, ``topic.host``, ``topic``: the second was refused."""
    with kind(config=config("host-a")) as mm:
        assert run_service(mm) == [True, False]
        assert mm.registrations() == ()
        assert run_service(mm) == [True, False]
