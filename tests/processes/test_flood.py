"""A real agent in a short flood of hostile datagrams; ``tests/bench/flood.py`` has the long one."""

from __future__ import annotations

import pytest

from tests.bench.flood import flood

#: What each of the five shapes of hostile datagrams may be counted as; the damaged ones are of all
#: kinds of frames, short ones among them.
_PLAIN = {"malformed", "cluster", "encrypted", "version", "too_large"}
_PLAIN |= {"unknown_sender", "unknown_kind", "out_of_range"}
_SEALED = {"malformed", "not_encrypted", "not_authentic", "unknown_key", "too_large"}


@pytest.mark.parametrize(("encrypted", "rate"), [(False, 1e9), (True, 1e9), (False, 100.0)])
def test_an_agent_rejects_a_flood_and_goes_on(encrypted: bool, rate: float) -> None:
    found = flood(40_000, encrypted=encrypted, rate=rate, sources=8, every=0.2)
    refused = {reason for reason, number in found["by_reason"].items() if number > 20}
    assert refused
    assert refused <= (_SEALED if encrypted else _PLAIN) | {"source_rate"}
    assert ("source_rate" in refused) == (rate < 1e9)
    assert found["rejected"] > 1000
    # Nothing is answered, nobody is lost, and what everybody knows is still known.
    assert found["members"] == {"target": "alive", "b": "alive", "c": "alive"}
    assert found["hosts"] == 3
    assert found["deaths"] == 0
    assert found["exchanges_answered_after"] >= 1
    assert found["sent_by_agent_bytes"] < 50_000
    assert found["rss_last_mb"] - found["rss_first_mb"] < 3
