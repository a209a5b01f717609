"""A real Prometheus finds what to scrape by our ``http_sd``, and keeps it while we are not sure."""

import json
import shutil
import signal
import socket
import subprocess
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from tests.processes.program import programs, run, until

pytestmark = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="prometheus is not installed: apt-get install it"
)

CONFIG = """
scrape_configs:
  - job_name: web
    scrape_interval: 1s
    scrape_timeout: 1s
    http_sd_configs:
      - url: http://127.0.0.1:{port}/v1/prometheus/sd/web
        refresh_interval: 1s
    relabel_configs:
      - source_labels: [__meta_gossipmm_host]
        target_label: instance
"""


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def targets(port):
    """Instances that Prometheus has now, with where it scrapes them."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/api/v1/targets", timeout=5) as answer:
            active = json.load(answer)["data"]["activeTargets"]
    except HTTPError as refusal:  # it is not ready yet; this is an open file, too
        refusal.close()
        return None
    except OSError:
        return None
    return {each["labels"]["instance"]: each["discoveredLabels"]["__address__"] for each in active}


def test_prometheus_follows_joins_and_deaths(tmp_path):
    sd, own = free_port(), free_port()
    config = tmp_path / "prometheus.yml"
    config.write_text(CONFIG.format(port=sd))
    with programs() as start:
        a = start("a", "--control-port", str(sd), bind="127.0.0.1:0")
        control = str(tmp_path / "b.sock")
        b = start("b", "--join", a.address, "--control", control, bind="127.0.0.2:0")
        start("c", "--join", a.address, bind="127.0.0.3:0")
        register = ("register", "web", "b", "--metadata", f"port={own}", "--control", control)
        process = subprocess.Popen(
            [
                *("prometheus", f"--config.file={config}", f"--storage.tsdb.path={tmp_path}/data"),
                f"--web.listen-address=127.0.0.1:{own}",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            until(lambda: targets(own) == {}, "prometheus up without targets")
            until(lambda: run(*register).returncode == 0, "registered")
            until(lambda: targets(own) == {"b": f"127.0.0.2:{own}"}, "b is a target")
            b.signal(signal.SIGKILL)
            until(lambda: targets(own) == {}, "b is gone from the targets")
        finally:
            process.terminate()
            process.wait()
