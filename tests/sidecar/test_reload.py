"""SIGHUP: what can change does, what cannot is said, what is wrong changes nothing."""

from dataclasses import replace

from gossipmm.errors import ConfigError
from gossipmm.sidecar.ops.reload import Reloader
from tests.sidecar.api import apis


async def test_seeds_and_registrations_change_and_the_rest_is_said(autojump_clock):
    async with apis("a", register=("compute", "volume=disk-1")) as (a,):
        old = a.agent.config
        now = old
        reloader = Reloader(a.agent, old, lambda: now)
        assert reloader.reload() == ["nothing differs"]

        now = replace(old, register=("compute", "web=x"), join=("127.0.0.1:9",), fanout=5)
        assert reloader.reload() == [
            "join: added 127.0.0.1:9",
            "register: volume=disk-1 ended",
            "register: web=x added",
            "fanout: changed in the configuration, needs a restart",
        ]
        registered = {(e.topic, e.host) for e in a.agent.registrations()}
        assert registered == {("compute", "a"), ("web", "x")}
        assert a.agent.config.register == ("compute", "web=x")
        assert a.agent.config.fanout == 4

        # What needs a restart is said again, what was done is not done again.
        assert reloader.reload() == ["fanout: changed in the configuration, needs a restart"]
        now = replace(now, join=())
        assert "join: 127.0.0.1:9 is still tried until a restart" in reloader.reload()


async def test_a_wrong_configuration_changes_nothing(autojump_clock):
    async with apis("a", register=("compute",)) as (a,):

        def load():
            raise ConfigError("'x' is not a number", path="fanout", source="/etc/gossipmm.toml")

        (said,) = Reloader(a.agent, a.agent.config, load).reload()
        assert said == "nothing was changed: /etc/gossipmm.toml: fanout: 'x' is not a number"
        assert len(a.agent.registrations()) == 1


async def test_a_registration_that_is_refused_does_not_stop_the_others(autojump_clock):
    async with apis("a") as (a,):
        large = "w" * 2000  # no datagram has room for it
        new = replace(a.agent.config, register=(large, "web"))
        said = Reloader(a.agent, a.agent.config, lambda: new).reload()
        assert said[0].startswith(f"register: {large} refused: ")
        assert said[1] == "register: web added"
