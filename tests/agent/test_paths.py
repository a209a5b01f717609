"""What an agent says of members that it does not reach, though others do."""

import pytest
import trio

from gossipmm.agent import open_agent
from gossipmm.config import Config
from tests.agent.memory_network import Air

ONE, TWO = ("127.0.0.1", 1), ("127.0.0.1", 2)


@pytest.fixture
async def air():
    async with Air() as air:
        yield air


async def test_a_member_without_a_path_is_in_the_status_until_it_has_one(autojump_clock, air):
    """Both sides were content: each held the other alive, and told it nothing [P71]."""

    def config(port):
        return Config(name=f"n{port}", bind=f"127.0.0.1:{port}", join=("127.0.0.1:3",))

    async with (
        open_agent(config(3), network=air.host()) as third,
        open_agent(config(1), network=air.host()) as one,
        open_agent(config(2), network=air.host()) as two,
    ):
        await trio.sleep(3)
        air.lost = lambda source, target: {source, target} == {ONE, TWO}
        await trio.sleep(10)
        for agent, other, at in ((one, "n2", "127.0.0.1:2"), (two, "n1", "127.0.0.1:1")):
            status = agent.status()
            assert list(status.paths) == [other]
            assert (
                f"member {other} answers others, but not this node, at {at}"
                in (status.paths[other])
            )
            assert status.faults["no_path"] == (
                f"no path leads from this node to {other}, though others reach them"
            )
        assert third.status().paths == third.status().faults == {}
        air.lost = lambda source, target: False
        # Three of four turns of such a member are left to others: it is found out seldom.
        with trio.fail_after(60):
            while one.status().paths or two.status().paths:
                await trio.sleep(0.5)
        assert one.status().faults == two.status().faults == {}
