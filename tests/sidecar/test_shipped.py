"""What the package ships for other programs: alerts for Prometheus, a dashboard, a Dockerfile."""

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from gossipmm.config_fields import Settings
from gossipmm.sidecar.ops import metrics
from gossipmm.sidecar.ops.dashboard import dashboard
from tests.agent.memory_network import Air
from tests.sidecar.helpers import agents

SHIPPED = files("gossipmm.sidecar.ops") / "shipped"
ALERTS = (SHIPPED / "alerts.yml").read_text()
DOCKERFILE = (SHIPPED / "Dockerfile").read_text()

#: Beside the Python that runs the tests, whose folder need not be on the path.
HADOLINT = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed: apt-get install prometheus"
)


def promtool(*arguments):
    command = ["promtool", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def expressions():
    """Each query of the dashboard, with what Grafana fills in filled in."""
    for panel in json.loads(dashboard())["panels"]:
        for target in panel.get("targets", ()):
            filled = target["expr"].replace("$__rate_interval", "1m")
            yield filled.replace("$job", "gossipmm").replace("$instance", ".+")


def asked_for(text):
    """Names of our metrics in expressions, whatever is in quotes left out."""
    return set(re.findall(r"\b(gossipmm_\w+|process_\w+)", re.sub(r'"[^"]*"', "", text)))


async def test_every_metric_that_alerts_and_dashboard_ask_for_is_there(autojump_clock):
    """A rule over a metric that nobody has is silent for ever, and nothing says so."""
    async with Air() as air, agents(air, "a", "b") as (a, _):
        there = set(re.findall(r"^(\w+)", metrics.render(a).decode(), re.MULTILINE))
    rules = re.findall(r"expr: (.*?)\n\s+for:", ALERTS, re.DOTALL)
    assert len(rules) == ALERTS.count("- alert:")
    wanted = asked_for("\n".join([*rules, *expressions()]))
    assert len(wanted) > 20
    # Errors by errno have no series until there is one.
    assert wanted - there == {f"gossipmm_udp_{way}_errors_total" for way in ("send", "receive")}


@needs_promtool
def test_the_alerts_fire_when_they_should_and_not_before(tmp_path):
    (tmp_path / "gossipmm-alerts.yml").write_text(ALERTS)
    tried = Path(__file__).with_name("alerts.test.yml")
    (tmp_path / "alerts.test.yml").write_text(tried.read_text())
    result = promtool("test", "rules", tmp_path / "alerts.test.yml")
    assert result.returncode == 0, result.stdout + result.stderr
    named = set(re.findall(r"alertname: (\w+)", tried.read_text()))
    assert named == set(re.findall(r"- alert: (\w+)", ALERTS)), "an alert that no point tries"


@needs_promtool
def test_every_query_of_the_dashboard_is_one_to_prometheus(tmp_path):
    rules = [
        {"record": f"q:{number}", "expr": expression}
        for number, expression in enumerate(expressions())
    ]
    file = tmp_path / "queries.yml"
    # JSON is YAML.
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    result = promtool("check", "rules", file)
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{len(rules)} rules found" in result.stdout


def test_the_panels_lie_on_the_grid_and_none_on_another():
    panels = json.loads(dashboard())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = set()
    for panel in panels:
        at = panel["gridPos"]
        squares = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert max(x for x, _ in squares) < 24
        assert not squares & taken, panel["title"]
        taken |= squares


def test_the_image_is_started_with_options_and_settings_that_exist():
    """The file is not built here: what it names is compared with what there is."""
    from gossipmm.cli.app import cli

    found = dict(re.findall(r"^(ENTRYPOINT|HEALTHCHECK).*?(\[.*\])$", DOCKERFILE, re.MULTILINE))
    for command in map(json.loads, found.values()):
        program, name, *rest = command
        assert program == "gossipmm"
        known = {
            each
            for option in cli.get_command(None, name).params
            for each in (*option.opts, *option.secondary_opts)
        }
        assert {word for word in rest if word.startswith("--")} <= known
    settings = {f"GOSSIPMM_{name.upper()}" for name in Settings.__annotations__}
    assert set(re.findall(r"GOSSIPMM_\w+", DOCKERFILE)) <= settings
    assert re.search(r"^USER \d+:\d+$", DOCKERFILE, re.MULTILINE), "by number, not root"


@pytest.mark.skipif(HADOLINT is None, reason="hadolint is not installed")
def test_hadolint_has_nothing_to_say():
    command = [HADOLINT, "-"]
    result = subprocess.run(
        command, input=DOCKERFILE, capture_output=True, text=True, timeout=60, check=False
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
