"""Where an agent binds, and what it announces."""

import pytest

from gossipmm.agent.binding import bind, is_loopback
from gossipmm.config import Config
from gossipmm.errors import BindError, ConfigError
from tests.agent.memory_network import Air


async def announced(air=None, primary="10.0.0.1", **fields):
    air = air or Air()
    port, addresses = await bind(Config(**fields), air.host(primary=primary))
    assert port.source in air.ports
    return port.address, addresses


async def test_one_address_is_announced_as_it_is():
    assert await announced(bind="127.0.0.1:5") == (("127.0.0.1", 5), (("127.0.0.1", 5),))


async def test_port_zero_is_replaced_by_the_bound_one():
    bound, addresses = await announced(bind="127.0.0.1:0")
    assert bound[1] != 0
    assert addresses == (bound,)


async def test_a_wildcard_announces_the_primary_address():
    bound, addresses = await announced(bind="0.0.0.0:0", insecure=True)
    assert addresses == (("10.0.0.1", bound[1]),)


async def test_a_wildcard_without_a_route_wants_to_be_told():
    with pytest.raises(BindError, match='advertise = "192.0.2.1:5"'):
        await announced(bind="0.0.0.0:5", insecure=True, primary=None)


async def test_advertise_wins_and_takes_the_bound_port_if_it_has_none():
    for text in ("192.0.2.7", "192.0.2.7:0"):
        bound, addresses = await announced(bind="0.0.0.0:0", advertise=text, insecure=True)
        assert addresses == (("192.0.2.7", bound[1]),)
    _, addresses = await announced(bind="127.0.0.1:5", advertise="192.0.2.7:9")
    assert addresses == (("192.0.2.7", 9),)


async def test_names_are_resolved_once():
    air = Air()
    air.names["me"] = [("127.0.0.1", 0)]
    assert (await announced(air, bind="me:5"))[0] == ("127.0.0.1", 5)
    assert (await announced(air, bind="me:6", advertise="me"))[1] == (("127.0.0.1", 6),)
    with pytest.raises(BindError, match="advertise: other cannot be resolved: Name or service"):
        await announced(air, bind="me:7", advertise="other")
    assert ("127.0.0.1", 7) not in air.ports  # closed again


async def test_a_wildcard_is_no_address_to_announce():
    with pytest.raises(BindError, match="not an address that others can send to"):
        await announced(bind="127.0.0.1:5", advertise="0.0.0.0:5")


async def test_an_address_in_use_is_said_so():
    air = Air()
    await announced(air, bind="127.0.0.1:5")
    with pytest.raises(BindError, match=r"cannot bind 127\.0\.0\.1:5: the address is in use"):
        await announced(air, bind="127.0.0.1:5")


@pytest.mark.parametrize("text", ["0.0.0.0:5", "[::]:5", "10.0.0.1:5", "[fe80::1%eth0]:5"])
async def test_other_machines_are_let_in_only_with_a_key_or_a_word(text):
    with pytest.raises(BindError) as caught:
        await announced(bind=text)
    assert 'keyring = "/etc/gossipmm/keyring.json"' in str(caught.value)
    assert "insecure = true" in str(caught.value)
    assert "\n" not in str(caught.value)
    await announced(bind=text, keyring="/some/file")


async def test_text_that_is_no_address_is_refused():
    with pytest.raises(ConfigError, match="bind: "):
        await announced(bind="127.0.0.1")


def test_loopback_is_127_and_1():
    assert is_loopback("127.3.2.1")
    assert is_loopback("::1")
    assert not is_loopback("10.0.0.1")
    assert not is_loopback("fe80::1%eth0")
