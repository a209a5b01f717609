"""``[[service]]`` and ``[[on]]``: what they may say, and how what they may not is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gossipmm.config import Config
from gossipmm.embed.pipe import config_from, config_to
from gossipmm.errors import ConfigError
from gossipmm.settings import load_config

FULL = """
[[service]]
topic = "compute"
port = 9100
weight = 50
metadata = { zone = "eu" }

[[service.check]]
http = "http://127.0.0.1:9100/health"
interval = 5
status = [200, 204]
header = { Host = "x" }

[[service.check]]
name = "disk"
command = ["/usr/lib/checks/disk", "-q"]
remove_after = 0

[[service]]
topic = "job"
host = "h"
start = "up"
check = [{ ttl = 15 }, { tcp = "127.0.0.1:80" }]

[[on]]
event = ["member_died", "host_changed"]
topic = ["web*"]
run = ["/usr/local/bin/reload-proxy", "now"]
"""


def load(tmp_path: Path, text: str) -> Config:
    file = tmp_path / "gossipmm.toml"
    file.write_text(text)
    return load_config(file, environ={})


def test_a_file_says_what_is_listed_while_it_works(tmp_path: Path) -> None:
    config = load(tmp_path, FULL)
    compute, job = config.service
    assert compute.told == {"port": 9100, "weight": 50, "zone": "eu"}
    assert [(one.name, one.kind, one.interval) for one in compute.check] == [
        ("http", "http", 5.0),
        ("disk", "command", 10.0),
    ]
    assert compute.check[0].status == (200, 204)
    # Who says itself how it is need not say it twice.
    assert (job.host, job.start, job.check[0].fall, job.check[0].rise) == ("h", "up", 1, 1)
    assert (job.check[1].fall, job.check[1].rise, job.check[1].remove_after) == (3, 2, 600.0)
    (on,) = config.on
    assert (on.label, on.quiet, on.within, on.timeout) == ("reload-proxy", 1.0, 5.0, 30.0)


def test_it_passes_through_a_pipe_and_a_copy_as_it_is(tmp_path: Path) -> None:
    config = load(tmp_path, FULL)
    assert config_from(json.loads(json.dumps(config_to(config)))) == config
    assert Config(service=config.service, on=config.on).service == config.service


SERVICE = '[[service]]\ntopic = "web"\n'
CHECK = SERVICE + "[[service.check]]\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SERVICE + "prot = 80", "service[0].prot: is not a field of it; did you mean port?"),
        (CHECK + 'htpp = "x"', "service[0].check[0].htpp: is not a field of it; did you mean http"),
        ("[[servic]]", "servic: is not a field of the configuration; did you mean service?"),
        ('service = "web"', "service: is not a list of tables: write [[service]]"),
        ("[service]", "service: is not a list of tables: write [[service]]"),
        ("service = [3]", "service[0]: 3 is not a table"),
        ("[[service]]\nport = 80", "service[0]: has no topic"),
        ('[[service]]\ntopic = "a.b"', "service[0].topic: topic 'a.b' contains a dot"),
        (SERVICE + 'host = ""', "service[0].host: host must not be empty"),
        (SERVICE + "port = 0", "service[0].port: 0 is not between 1 and 65535"),
        (
            SERVICE + 'metadata = { weight = "abc" }',
            "service[0]: metadata: weight 'abc' is not a whole number from 0 to 1,000,000",
        ),
        (SERVICE + "weight = 1.5", "service[0].weight: 1.5 is not a whole number"),
        (SERVICE + "metadata = { a = 1.5 }", "service[0].metadata.a: 1.5 is not a string"),
        (SERVICE + "port = 80\nmetadata = { port = 81 }", "service[0]: has port twice"),
        (SERVICE + 'start = "on"', "service[0].start: 'on' is not down or up"),
        (SERVICE + SERVICE, "service[1]: web of this node is service[0] already"),
        (CHECK, "service[0].check[0]: has none of http, tcp, command and ttl"),
        (CHECK + 'tcp = "a:1"\nttl = 3', "service[0].check[0]: has tcp and ttl of http, tcp"),
        (CHECK + 'tcp = "a"', "service[0].check[0].tcp: 'a' has no port"),
        (CHECK + 'tcp = "a:0"', "service[0].check[0].tcp: 'a:0' has port 0"),
        (CHECK + 'http = "https://a/"', "'https://a/': https is not spoken here"),
        (CHECK + 'http = "ftp://a/"', "'ftp://a/' is not http://HOST[:PORT]/PATH"),
        (CHECK + 'http = "http://a:99999/"', "'http://a:99999/' is not a URL"),
        (CHECK + 'http = "http://a/ b"', "characters that a request line cannot have"),
        (CHECK + 'http = "http://u:p@a/"', "characters that a request line cannot have, or a user"),
        (
            CHECK + 'http = "http://a/"\nheader = { "X\\r\\nY" = "v" }',
            "cannot be given as a header",
        ),
        (CHECK + 'http = "http://a/"\nheader = { X = "v\\r\\nY: w" }', "the value of X is not the"),
        (CHECK + 'http = "http://a/"\nheader = { Connection = "keep" }', "'Connection' cannot be"),
        (CHECK + 'http = "http://a/"\nstatus = [99]', "status[0]: 99 is not between 100 and 599"),
        (CHECK + 'command = "ls -l"', 'is a list, not a line for a shell: write ["ls -l"]'),
        (CHECK + 'command = ["ls"]', "'ls' is not a path from the root"),
        (CHECK + "command = []", "command: [] is not a list of strings"),
        (CHECK + "ttl = 3\nstatus = 200", "status means nothing for a check of kind ttl"),
        (CHECK + "ttl = true", "ttl: True is not a number of seconds"),
        (CHECK + 'tcp = "a:1"\ninterval = 1', "timeout 2 is not less than the interval 1"),
        (CHECK + 'tcp = "a:1"\ninterval = inf', "inf is not between 0.1 and 86400 seconds"),
        (
            SERVICE + 'check = [{ tcp = "a:1" }, { tcp = "b:1" }]',
            "is a second 'tcp' of its service",
        ),
        ('register = ["web"]\n' + SERVICE, "register: 'web' is a service as well"),
        ('register = ["web=a"]\nname = "a"\n' + SERVICE, "register: 'web=a' is a service as well"),
        ('name = "a"\n' + SERVICE + SERVICE + 'host = "a"', "service: web of a is there twice"),
        ("[[on]]", "on[0]: does not say what runs"),
        ('[[on]]\nrun = "true"', 'on[0].run: is a list, not a line for a shell: write ["true"]'),
        ('[[on]]\nrun = ["true"]', "on[0].run: 'true' is not a path from the root"),
        (
            '[[on]]\nrun = ["/bin/true"]\nquite = 1',
            "on[0].quite: is not a field of it; did you mean",
        ),
        ('[[on]]\nrun = ["/bin/true"]\nquiet = 9', "on[0]: quiet 9 is more than within 5"),
        ('[[on]]\nrun = ["/bin/true"]\nevent = []', "on[0].event: [] is not a list of strings"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert message in str(caught.value)


@pytest.mark.parametrize("name", ["service", "on"])
def test_no_variable_and_no_flag_gives_commands(name: str) -> None:
    """Whoever could set the environment of an agent could have it run anything."""
    message = f"is a list of tables: write \\[\\[{name}\\]\\] into a configuration file"
    with pytest.raises(ConfigError, match=message):
        load_config(environ={"GOSSIPMM_CONFIG": "", f"GOSSIPMM_{name.upper()}": "x"})
    with pytest.raises(ConfigError, match=message):
        load_config(environ={"GOSSIPMM_CONFIG": ""}, flags={name: "x"})


def test_many_services_are_bounded() -> None:
    with pytest.raises(ConfigError, match="has 10001 tables, more than the 10000 allowed"):
        Config(service=[{"topic": f"t{number}"} for number in range(10_001)])
    checks = [{"ttl": 1, "name": str(number)} for number in range(17)]
    with pytest.raises(ConfigError, match="a service has at most 16 checks"):
        Config(service=[{"topic": "t", "check": checks}])
