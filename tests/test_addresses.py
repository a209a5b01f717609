"""Addresses, seeds and registrations as text."""

import pytest

from gossipmm.addresses import (
    Seed,
    format_address,
    parse_address,
    parse_registration,
    parse_seed,
)
from gossipmm.errors import ConfigError, SeedError
from gossipmm.names import why_not_topic


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:7946", ("127.0.0.1", 7946)),
        ("host-a.example.org:0", ("host-a.example.org", 0)),
        ("[::1]:7946", ("::1", 7946)),
        ("[::]:1", ("::", 1)),
        ("[fe80::1%eth0]:7946", ("fe80::1%eth0", 7946)),
    ],
)
def test_an_address_is_read_and_written_alike(text, address):
    assert parse_address(text) == address
    assert format_address(address) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("127.0.0.1", "has no port: write, for example, 127.0.0.1:7946"),
        ("[::1]", "has no port"),
        ("::1", r"is ambiguous: write \[::1\]:7946"),
        (":7946", "has no host: write 0.0.0.0"),
        ("host:", "has port ''"),
        ("host:65536", "has port '65536'"),
        ("host:99999999999999999999", "not a number up to 65535"),
        # Only the first six digits were looked at; getaddrinfo raised, and the agent ended.
        ("host:000000999999999999999999999", "not a number up to 65535"),
        ("host:" + "0" * 5000 + "65536", "not a number up to 65535"),
        ("host:-1", "has port '-1'"),
        ("host:٣", "has port"),
        ("ho st:1", "neither a name nor an address"),
        ("a..b:1", "neither a name nor an address"),
        (f"{'a' * 254}:1", "neither a name nor an address"),
        ("[::1", r"is not \[ADDRESS\]:PORT"),
        ("[::1]7946", r"is not \[ADDRESS\]:PORT"),
        ("[host]:1", "no IPv6 address between its brackets"),
        ("", "has no host"),
    ],
)
def test_a_wrong_address_is_refused_with_what_to_write(text, words):
    with pytest.raises(ConfigError, match=words) as caught:
        parse_address(text, path="bind")
    assert str(caught.value).startswith(f"bind: {text!r} ")


@pytest.mark.parametrize(
    ("text", "seed"),
    [
        ("host-a:7947", ("host-a", 7947)),
        ("host-a", ("host-a", 7946)),
        ("[::1]", ("::1", 7946)),
        ("10.0.0.1", ("10.0.0.1", 7946)),
    ],
)
def test_a_seed_may_leave_out_the_port(text, seed):
    assert parse_seed(text) == Seed(text, *seed)


def test_a_seed_may_name_srv_records():
    assert parse_seed("_gossipmm._udp.example.org").srv


@pytest.mark.parametrize("text", ["", "a:b", "a b", "host:0", "::1", "_gossipmm._udp.a b"])
def test_a_malformed_seed_is_refused(text):
    with pytest.raises(SeedError, match="seed"):
        parse_seed(text)


def test_a_registration_names_a_topic_and_perhaps_a_host():
    assert parse_registration("compute") == ("compute", None)
    assert parse_registration("compute=host-x") == ("compute", "host-x")
    assert parse_registration("compute=a=b") == ("compute", "a=b")


@pytest.mark.parametrize("text", ["", "=", "=host", "topic="])
def test_a_registration_with_a_missing_name_is_refused(text):
    with pytest.raises(ConfigError, match="must not be empty: write TOPIC or TOPIC=HOST, not"):
        parse_registration(text)


def test_a_name_that_is_there_is_judged_without_a_lesson_in_writing():
    with pytest.raises(ConfigError) as caught:
        parse_registration("a.b")
    assert str(caught.value) == f"register: {why_not_topic('a.b')}"
