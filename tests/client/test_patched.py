"""The blocking client in processes that gevent or eventlet patched, where they are installed."""

import importlib.util
import subprocess
import sys

import pytest

from tests.served import served

PROGRAM = """
{patch}
import sys
from gossipmm.client import Client
ticks = []
def tick():
    for _ in range(10):
        sleep(0.01)
        ticks.append(1)
client = Client(sys.argv[1])
ticking = spawn(tick)
events = client.watch(topics=("web",))
assert next(events)["event"] == "hello"
with client.registered("web", "h", ttl=0.3):
    assert next(events)["host"] == "h"
    sleep(0.6)
    asking = [spawn(client.queues, "web") for _ in range(5)]
    assert [wait(each) for each in asking] == [[("web.h", "h")]] * 5
wait(ticking)
assert len(ticks) == 10 and "trio" not in sys.modules
"""
PATCHES = {
    "gevent": (
        "from gevent import monkey; monkey.patch_all()\n"
        "from gevent import sleep, spawn\n"
        "wait = lambda greenlet: greenlet.get()"
    ),
    "eventlet": (
        "import eventlet; eventlet.monkey_patch()\n"
        "from eventlet import sleep, spawn\n"
        "wait = lambda thread: thread.wait()"
    ),
}


@pytest.mark.parametrize("name", PATCHES)
def test_it_works_and_blocks_nobody(tmp_path, name):
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    with served(tmp_path / "a.sock") as agent:
        result = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", PROGRAM.format(patch=PATCHES[name]), agent.path],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert result.returncode == 0, result.stderr
