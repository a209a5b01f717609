"""Identities of embedded agents: in a thread, in a child process; errors are those of an agent."""

import pytest

from gossipmm.config import Config
from gossipmm.embed.child import ChildAgent
from gossipmm.embed.thread import ThreadAgent
from gossipmm.errors import IdentityError
from gossipmm.publickeys import public_key_text


@pytest.mark.parametrize("kind", [ThreadAgent, ChildAgent])
def test_an_embedded_agent_signs_and_says_so(kind, tmp_path):
    config = Config(
        name="a", bind="127.0.0.1:0", identity="require", state_file=str(tmp_path / "state")
    )
    agent = kind(config)
    agent.start()
    try:
        found = agent.status().identity
        (me,) = agent.members()
    finally:
        agent.close()
    assert (found.mode, found.members, found.not_ready) == ("require", {"pinned": 1}, ())
    assert (me.identity.value, me.key) == ("pinned", found.key)
    assert (tmp_path / "state.identity").exists()


@pytest.mark.parametrize("kind", [ThreadAgent, ChildAgent])
def test_what_cannot_start_raises_what_an_agent_raises(kind, tmp_path):
    agent = kind(
        Config(
            name="a",
            bind="127.0.0.1:0",
            identity="require",
            state_file=str(tmp_path / "state"),
            authority=(public_key_text(bytes(range(32))),),
            certificate=str(tmp_path / "none.pem"),
        )
    )
    with pytest.raises(IdentityError, match=r"none.pem: is not there: gossipmm ca issue makes one"):
        agent.start()
