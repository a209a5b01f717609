"""Queries between processes: a program answers, one hangs, one host has none."""

import json
import textwrap

from tests.processes.program import run, until

TABLE = """
[[query]]
name = "load"
run = ["{program}"]
timeout = 1.0
"""


def _host(start, folder, name, script, *arguments):
    """Start an agent whose program for the query is that script; without one it has none."""
    config = folder / f"{name}.toml"
    config.write_text("")
    if script:
        program = folder / name
        program.write_text(textwrap.dedent(script))
        program.chmod(0o755)
        config.write_text(TABLE.format(program=program))
    socket = folder / f"{name}.sock"
    options = ("--config", str(config), "--control", str(socket))
    return start(name, *options, *arguments, as_json=name != "a"), str(socket)


def test_a_program_answers_one_hangs_and_one_host_has_none(start, tmp_path):
    answers = """\
        #!/bin/sh
        read payload
        echo "$GOSSIPMM_NODE for $GOSSIPMM_ASKER: $payload"
        """
    a, socket = _host(start, tmp_path, "a", "")
    until(lambda: (tmp_path / "a.sock").exists(), "a serves")
    lines = until(lambda: [line for line in a.errors if " runs at " in line], "a says where it is")
    seed = lines[0].split(" runs at ")[1].partition(",")[0]
    b, _ = _host(start, tmp_path, "b", answers, "--join", seed)
    c, _ = _host(start, tmp_path, "c", "#!/bin/sh\necho begun\nsleep 100\n", "--join", seed)
    for one in (b, c):
        until(lambda one=one: one.told("joined"), "it joined")
    ask = ("query", "load", "now", "--timeout", "20", "--control", socket)
    until(lambda: len(json.loads(run(*ask, "-o", "json").stdout)["answers"]) == 3, "all are known")
    done = run(*ask)
    rows = [line.split(None, 1) for line in done.stdout.splitlines()]
    assert [row[0] for row in rows] == ["MEMBER", "a", "b", "c"]
    assert rows[1][1].startswith("no handler ")
    assert rows[2][1].startswith("done ")
    assert rows[2][1].endswith("b for a: now")
    assert rows[3][1].startswith("late ")
    assert rows[3][1].endswith("begun")
    assert done.returncode == 1
    assert done.stderr.startswith("1 of 3 members answered, in 1")
    ping = run("query", "ping", "--timeout", "20", "--control", socket)
    assert (ping.returncode, ping.stdout.count("reaches all")) == (0, 3)
