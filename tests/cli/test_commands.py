"""The commands that talk to an agent: what they print, where, and how they end."""

import json
import logging
import re
import subprocess
import sys

import pytest

from gossipmm.cli import main
from gossipmm.client import Client
from tests.served import served


@pytest.fixture(autouse=True)
def log_level():
    """The level of the package's log, as it was before."""
    log = logging.getLogger("gossipmm")
    before = log.level
    yield
    log.setLevel(before)


@pytest.fixture(scope="module")
def agent(tmp_path_factory):
    folder = tmp_path_factory.mktemp("agents")
    with (
        served(folder / "a.sock", register=("compute",), metadata={"zone": "z1"}) as a,
        served(
            folder / "b.sock", name="b", join=(a.address,), register=("compute", "volume=disk-1")
        ),
    ):
        while len(a.do(a.agent.queues, "fanout~compute")) < 2:
            pass
        yield a


@pytest.fixture
def run(agent, monkeypatch, capsys):
    """Run a command; returns (status, stdout, stderr)."""
    monkeypatch.setenv("GOSSIPMM_CONTROL", agent.path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["gossipmm", *arguments])
        with pytest.raises(SystemExit) as caught:
            main()
        out, err = capsys.readouterr()
        return caught.value.code or 0, out, err

    return run


def rows(out):
    return [re.split(r"\s{2,}", line) for line in out.splitlines()]


def test_members(run):
    status, out, err = run("members")
    assert (status, err) == (0, "")
    head, a, b = rows(out)
    assert head == ["NAME", "STATUS", "FOR", "HEARD AGO", "ADDRESS", "REGISTERS", "ZONE", "NOTES"]
    assert (a[0], a[1], a[-1]) == ("a *", "alive", "z1")
    assert (b[0], b[1]) == ("b", "alive")
    found = json.loads(run("members", "-o", "json")[1])
    assert [member["name"] for member in found] == ["a", "b"]


def test_topics(run):
    _, out, _ = run("topics")
    assert [line[:2] for line in rows(out)[1:]] == [
        ["compute", "a"],
        ["", "b"],
        ["volume", "disk-1"],
    ]
    assert json.loads(run("topics", "volume", "-o", "json")[1])["fanout"] == ["disk-1"]
    assert run("topics", "nothing") == (
        1,
        "",
        "gossipmm: no member registers the topic 'nothing'\n",
    )


def test_queues(run):
    assert run("queues", "compute.b") == (0, "compute.b\tb\n", "")
    assert run("queues", "fanout~compute")[1] == "fanout~compute.a\ta\nfanout~compute.b\tb\n"
    first, second = run("queues", "compute")[1], run("queues", "compute")[1]
    assert {first, second} == {"compute.a\ta\n", "compute.b\tb\n"}
    assert len({run("queues", "compute", "--routing-key", "x")[1] for _ in range(3)}) == 1
    assert (
        run("queues", "compute", "--routing-key", "x")[1]
        == (run("queues", "compute", "--routing-key-hex", "78")[1])
    )
    assert run("queues", "compute", "--routing-key-hex", "xy")[0] == 2
    assert run("queues", "compute", "--routing-key", "x", "--routing-key-hex", "78")[0] == 2
    assert json.loads(run("queues", "volume", "-o", "json")[1]) == [
        {"key": "volume.disk-1", "host": "disk-1"}
    ]
    assert run("queues", "nothing") == (
        1,
        "",
        "gossipmm: nothing: nobody: no member registers that topic\n",
    )
    assert run("queues", "nothing", "-o", "json")[:2] == (1, "[]\n")
    assert run("queues", "fanout~") == (
        2,
        "",
        "gossipmm: key 'fanout~' has no topic after its prefix\n",
    )


def test_queues_at_length(run):
    status, out, _ = run("lookup", "volume")
    assert (status, rows(out)[1][:3]) == (0, ["disk-1", "yes", "live"])
    status, out, _ = run("queues", "volume", "--long")
    assert status == 0
    assert rows(out)[1][:3] == ["disk-1", "yes", "live"]
    assert json.loads(run("queues", "volume", "-l", "-o", "json")[1])["status"] == "ok"


def test_queues_of_own_zone(run):
    for _ in range(3):
        assert run("queues", "compute", "--prefer", "zone")[1] == "compute.a\ta\n"
    status, out, err = run("lookup", "compute", "--prefer", "zone")
    assert (status, err) == (0, "only zone z1, this node's own, is picked from\n")
    assert rows(out)[0][-3:] == ["ZONE", "METADATA", "WHY"]
    assert rows(out)[1][:2] == ["a", "yes"]
    assert out.splitlines()[2].endswith("in no zone: this node prefers its own, z1")
    status, _, err = run("queues", "compute", "--prefer", "zne")
    assert status == 2
    assert "'zne' is not one of 'none', 'zone'" in err


def test_why(run):
    status, out, _ = run("why", "b")
    assert status == 0
    assert out.startswith("b has been alive for ")
    assert "serves compute.b, volume.disk-1\n" in out
    status, out, _ = run("why", "disk-1")
    assert (status, out.splitlines()[0]) == (0, "disk-1 is registered by b:")
    assert json.loads(run("why", "b", "-o", "json")[1])["status"] == "alive"
    assert run("why", "zz") == (1, "", "gossipmm: no member is called 'zz'\n")


def test_metadata_is_set_and_ended(run):
    assert run("metadata", "set", "zone=eu", "gpus=4") == (0, "this node: gpus=4 zone=eu\n", "")
    assert run("metadata", "set", "zone=eu") == (0, "this node: nothing to change\n", "")
    assert run("metadata", "set", "--end", "gpus", "v=2")[1] == "this node: v=2, gpus ended\n"
    assert run("metadata", "set", "--topic", "compute", "weight=50") == (
        0,
        "1 registration: weight=50\n",
        "",
    )
    assert run("metadata", "set", "--topic", "compute", "weight=50")[1] == "nothing to change\n"
    assert run("metadata", "set", "--topic", "none", "--host", "x", "weight=50") == (
        1,
        "",
        "gossipmm: none of x is not registered with this agent\n",
    )
    assert run("metadata", "set")[0] == run("metadata", "set", "v=1", "--end", "v")[0] == 2
    (me,) = [one for one in json.loads(run("members", "-o", "json")[1]) if one["name"] == "a"]
    assert me["metadata"] == {"v": 2, "zone": "eu"}


def test_services_say_what_their_checks_found(run, tmp_path, monkeypatch):
    service = {"topic": "job", "check": [{"ttl": 3600}]}
    with served(tmp_path / "s.sock", service=[service]) as agent:
        monkeypatch.setenv("GOSSIPMM_CONTROL", agent.path)
        _look_at_services(run)


def _look_at_services(run):
    status, out, _ = run("services")
    assert (status, rows(out)[1][:3]) == (1, ["job", "a", "starting"])
    assert run("check", "pass", "job") == (0, "job: pass\n", "")
    assert run("check", "fail", "job", "--output", "disk\x1b[2J full")[0] == 0
    status, out, _ = run("services", "job")
    assert status == 1
    lines = out.splitlines()
    assert lines[0].startswith("job of a is unhealthy for ")
    assert lines[0].endswith(": says that it fails")
    assert lines[1].startswith("  ttl is failing, ran ")
    assert lines[1].endswith("(2 runs, 1 failed, 0 left out): says that it fails")
    assert lines[2] == "    | disk\\x1b[2J full"
    assert "service job of a is unhealthy: says that it fails\n" in run("why", "a")[1]
    assert json.loads(run("services", "-o", "json")[1])[0]["topic"] == "job"
    for command in (("services", "none"), ("check", "pass", "none")):
        assert run(*command) == (
            1,
            "",
            "gossipmm: none is not among the services of this agent's configuration\n",
        )
    assert run("check", "up", "job")[0] == 2
    assert run("register", "job")[0] != 0


def test_a_registration_from_its_beginning_to_its_end(run):
    assert run(
        "register", "web", "--ttl", "30", "--metadata", "port=80", "--metadata", "v=1.2"
    ) == (
        0,
        "registered web of a, for 30 s unless it is acknowledged\n",
        "",
    )
    (own,) = [
        each for each in json.loads(run("registrations", "-o", "json")[1]) if each["topic"] == "web"
    ]
    assert own["metadata"] == {"port": 80, "v": "1.2"}
    assert "web      a     up" in run("registrations")[1]
    assert run("ack-alive", "web") == (0, "acknowledged web of a\n", "")
    assert run("ack", "web") == (0, "acknowledged web of a\n", "")  # its name until 0.1
    assert run("register", "web", "rack-7")[0] == 0
    assert run("drain", "web", "a") == (0, "web of a is draining\n", "")
    assert run("drain", "web") == (0, "web (1 host) is draining\n", "")  # the other one
    assert run("drain", "web")[1] == "web: nothing to change\n"
    assert run("queues", "web") == (
        1,
        "",
        "gossipmm: web: nobody: no host of that topic can be picked right now\n",
    )
    assert run("drain", "web", "a", "--undo")[1] == "web of a is in new picks again\n"
    assert run("undrain", "web")[1] == "web (1 host) is in new picks again\n"
    assert run("unregister", "web", "rack-7")[0] == 0
    assert run("expire", "web", "a")[0] == 0
    assert run("unregister", "web") == (0, "unregistered web of a\n", "")
    assert run("unregister", "web") == (
        1,
        "",
        "gossipmm: web of a is not registered with this agent\n",
    )
    assert run("ack-alive", "web")[0] == 1
    assert run("report-failure", "web", "a")[0] == 1
    assert run("report-failure", "compute", "b") == (
        0,
        "reported: compute of b is probed now\n",
        "",
    )
    assert run("failure", "compute", "a") == (  # its name until 0.1
        1,
        "",
        "gossipmm: compute of a is registered with this agent itself: unregister or drain it\n",
    )


def test_what_the_agent_refuses_is_wrong_use(run):
    status, out, err = run("register", "a.b")
    assert (status, out) == (2, "")
    assert err.startswith("gossipmm: topic 'a.b' contains a dot")
    assert run("register", "web", "--ttl", "0")[0] == 2
    assert run("register", "web", "--metadata", "port")[0] == 2
    assert run("no-such-command")[0] == 2


def test_status_and_info(run):
    status, out, _ = run("status", "--check")
    assert status == 0
    assert "agreement  1 of 1 live peers hold the same table" in out
    assert "2 topics; fingerprint" in out
    assert json.loads(run("status", "-o", "json")[1])["agree"] == 1
    assert "seeds         none: others join this one" in run("info")[1]
    assert json.loads(run("info", "-o", "json")[1])["config"]["register"] == ["compute"]


def test_a_fault_of_this_node_is_shown_and_fails_the_check(run, agent):
    """All live peers agreed, of whom there were none: the check was content."""
    faults = agent.agent._faults
    agent.do(faults.set, "address_gone", "10.9.0.2:7946 is gone from this machine")
    try:
        status, out, _ = run("status", "--check")
        assert status == 1
        assert "TROUBLE    10.9.0.2:7946 is gone from this machine" in out
        shown = json.loads(run("status", "-o", "json")[1])["faults"]
        assert list(shown) == ["address_gone"]
    finally:
        agent.do(faults.clear, "address_gone")
    assert run("status", "--check")[0] == 0


def test_the_check_says_what_the_verdict_says(run, monkeypatch):
    """It failed for each change that a peer did not have yet, with the verdict ok."""
    get = Client.get

    def late(self, path, *more):
        found = get(self, path, *more)
        return {**found, "differ": [{"name": "b", "since_ago": 0.6, "heard_ago": 0.6}]}

    monkeypatch.setattr(Client, "get", late)
    status, out, _ = run("status", "--check")
    assert "b differs, for 600 ms" in out
    assert status == 0


def test_diff(run, agent):
    other = agent.path.replace("a.sock", "b.sock")
    assert run("diff", other)[:2] == (0, "a and b hold the same table: 2 members, 2 topics\n")
    assert json.loads(run("diff", other, "-o", "json")[1])["same"] is True
    with served(agent.path + ".c", name="c", cluster="another") as _:
        status, out, err = run("diff", agent.path + ".c")
        assert status == 1
        assert rows(out)[1][:2] == ["member", "a"]
        assert err == "gossipmm: they belong to different clusters: gossipmm, another\n"


def test_join_forget_and_log_level(run):
    status, out, err = run("join", "nowhere.invalid:1", "--wait", "1")
    assert status == 1
    assert out == "2 live members, but not by what was given now:\n"
    assert "nowhere.invalid:1 cannot be resolved" in err
    assert run("join", "a:b:c")[0] == 2
    assert run("forget", "b") == (
        1,
        "",
        "gossipmm: b is alive: only a dead or left member, or one that was never alive here, can "
        "be forgotten\n",
    )
    assert run("forget", "zz")[0] == 1
    assert run("log-level", "info") == (0, "the agent logs info and above\n", "")


def test_the_ring(run, tmp_path):
    status, out, _ = run("ring", "export")
    assert (status, json.loads(out)) == (0, {"compute": ["a", "b"], "volume": ["disk-1"]})
    path = tmp_path / "ring.json"
    status, out, err = run("ring", "export", str(path))
    assert (status, out, err) == (0, "", f"{path}: 2 topics, 3 hosts\n")
    assert json.loads(path.read_text())["volume"] == ["disk-1"]
    assert run("ring", "export", str(tmp_path / "no" / "ring.json"))[0] == 2


def test_top_prints_one_picture_where_there_is_no_terminal(run):
    status, out, _ = run("top")
    assert status == 0
    assert "1 of 1 peers agree" in out
    assert "volume" in out


@pytest.mark.parametrize("as_json", [False, True])
def test_leave_says_the_share_and_compares_it(run, agent, tmp_path, as_json):
    with served(tmp_path / "c.sock", name="c", join=(agent.address,)) as c:
        while len(c.do(c.agent.members)) < 3:
            pass
        options = ["-o", "json"] if as_json else []
        status, out, _ = run("leave", "--wait", "99%", "--control", c.path, *options)
        assert status == 0
        if as_json:
            assert json.loads(out)["share"] == 1
        else:
            assert out == "left: 2 of 2 live members confirmed (100 %)\n"
    assert run("leave", "--wait", "101%")[0] == 2
    assert run("leave", "--wait", "all")[0] == 2


def test_no_agent_is_status_3(run, tmp_path):
    path = str(tmp_path / "x.sock")
    for command in (["members"], ["leave"], ["watch"], ["queues", "x"], ["ring", "export"]):
        assert run(*command, "--control", path) == (
            3,
            "",
            f"gossipmm: no agent answers at {path}: there is no such socket\n",
        )


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(run, shell):
    status, out, _ = run("completion", shell)
    assert status == 0
    assert "_GOSSIPMM_COMPLETE" in out


def test_names_are_completed_by_the_agent(run, monkeypatch, capsys):
    monkeypatch.setenv("_GOSSIPMM_COMPLETE", "bash_complete")
    for words, number, found in (
        ("gossipmm queues", 1, "plain,queues\n"),
        ("gossipmm queues vol", 2, "plain,volume\n"),
        ("gossipmm why b", 2, "plain,b\n"),
    ):
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(number))
        assert run()[1] == found


def test_unit_and_manifests(run):
    status, out, _ = run("systemd-unit", "--group", "rpc")
    assert status == 0
    assert "Type=notify" in out
    assert "Group=rpc" in out
    status, out, _ = run("systemd-unit", "--group", "rpc", "--sysusers")
    assert (status, out.splitlines()[1:]) == (0, ['u gossipmm - "gossipmm agent"', "g rpc -"])
    for name, words in (
        ("dockerfile", "\nUSER 10001:10001\n"),
        ("alerts", "- alert: GossipmmIsolated"),
        ("dashboard", '"title": "gossipmm"'),
    ):
        status, out, _ = run(name)
        assert status == 0
        assert words in out
    status, out, _ = run("kubernetes", "--namespace", "prod", "--image", "registry/g:1")
    assert status == 0
    assert "namespace: prod" in out
    assert "image: registry/g:1" in out
    assert "publishNotReadyAddresses: true" in out


def test_every_command_has_a_short_help(run):
    status, out, _ = run("--help")
    assert status == 0
    for line in out.splitlines()[1:]:
        assert not line.endswith("..."), line
    for command in ("Run an agent:", "Look:", "Change:", "Set up:"):
        assert command in out


@pytest.mark.parametrize(
    "module", ["lookups", "registrations", "operations", "state", "watch", "ring", "setup", "top"]
)
def test_commands_start_without_what_an_agent_needs(module):
    code = (
        f"import sys, gossipmm.cli.{module}, gossipmm.cli.app;"
        "heavy = {'trio', 'asyncio', 'cbor2', 'msgspec', 'h11', 'rich', 'prometheus_client'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert result.stdout == "[]\n"


@pytest.mark.parametrize(
    ("origin", "said"),
    [("/x/table.py", ""), ("/x/table.cpython-311-x86_64-linux-gnu.so", " (compiled)")],
)
def test_the_version_says_whether_it_is_compiled(
    origin: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import importlib.util
    from importlib.metadata import version
    from types import SimpleNamespace

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: SimpleNamespace(origin=origin))
    monkeypatch.setattr(sys, "argv", ["gossipmm", "--version"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"gossipmm {version('gossipmm')}{said}\n"
