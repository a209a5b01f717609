"""The story of an RPC whose hosts die, hang, drain and come while calls go on.

python -m tests.processes.zmq_rpc [--json]
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import time
from collections import Counter
from typing import Any

from gossipmm import HostState
from tests.processes.zmq_rpc.cluster import TIMEOUT, Cluster, Load, cluster

THREADS = 4
#: Seconds after which the story ends, and says on stderr where it was: it takes less than ten.
PATIENCE = 150.0


class Story:
    """Tells what happens, with the seconds since it began."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._began = time.monotonic()

    def tell(self, text: str) -> None:
        """Print a line for people."""
        if not self._as_json:
            print(f"{time.monotonic() - self._began:6.2f} s  {text}", flush=True)

    def end(self, summary: dict[str, Any]) -> None:
        """Print the figures."""
        if self._as_json:
            print(json.dumps(summary))
            return
        lost = " and ".join(f"{count} to {host}" for host, count in summary["lost"].items())
        self.tell(
            f"summary: {summary['calls']} calls, {summary['answered']} answered; "
            f"lost: {lost or 0}, at most one for each of {summary['threads']} threads; "
            f"{summary['misrouted']} went to a host that was known to be dead or draining"
        )


def answers(load: Load) -> str:
    """Who answered how many so far."""
    return ", ".join(f"{host} {count}" for host, count in sorted(load.answered().items()))


def run(story: Story, hosts: Cluster) -> dict[str, Any]:
    """Let it happen; return the figures."""
    #: (host, since when this caller knew that it takes no calls, until when that held)
    known: list[tuple[str, float, float]] = []
    with hosts.load(THREADS) as load:
        story.tell(f'{THREADS} threads call "compute" without a pause')
        load.wait_answered("host-b", 100)
        story.tell(f"answered: {answers(load)}")

        killed = hosts.kill("host-b")
        story.tell("kill -9 of host-b")
        dead = hosts.wait_state("host-b", None)
        load.wait_all_beyond(dead)
        story.tell(
            f"dead in this program's table after {dead - killed:.2f} s, no key finds it; "
            f"{len(load.attempts('lost'))} calls that were in flight to it are lost, "
            f"{len(load.attempts('refused'))} found no connection and went to another host"
        )
        story.tell(f"answered: {answers(load)}")

        again = time.monotonic()
        hosts.start("host-b", "host-d")
        load.wait_answered("host-b", 100)
        load.wait_answered("host-d", 100)
        known.append(("host-b", dead, again))
        story.tell("host-b was started again, at another port, and host-d added: both take calls")
        story.tell(f"answered: {answers(load)}")

        hosts.freeze("host-a")
        story.tell("host-a hangs (kill -STOP): its kernel goes on taking what is sent to it")
        dead = hosts.wait_state("host-a", None)
        load.wait_all_beyond(dead)
        known.append(("host-a", dead, float("inf")))
        lost = len(load.attempts("lost", "host-a"))
        story.tell(
            f"no answer within {TIMEOUT:g} s: {lost} calls are lost; the first of these threads "
            "reported it, and no other call went there"
        )
        story.tell(f"answered: {answers(load)}")

        hosts.drain("host-c")
        draining = hosts.wait_state("host-c", HostState.DRAINING, None)
        story.tell("host-c drains (kill -TERM): it finishes what it has and gets nothing new")
        left = hosts.hosts["host-c"].told("left")
        load.wait_all_beyond(draining)
        known.append(("host-c", draining, float("inf")))
        story.tell(f"host-c has left; it did {left['worked']} calls, and all were answered")
        story.tell(f"answered: {answers(load)}")
    misrouted = [
        attempt
        for host, since, until in known
        for attempt in load.attempts(host=host, after=since)
        if attempt.began < until
    ]
    lost_by_host = Counter(attempt.host for attempt in load.attempts("lost"))
    return {
        "threads": THREADS,
        "calls": len(load.attempts("answered")) + len(load.attempts("lost")) + load.nobody,
        "answered": len(load.answers),
        "lost": dict(sorted(lost_by_host.items())),
        "misrouted": len(misrouted),
    }


def main() -> None:
    """Tell the story."""
    parser = argparse.ArgumentParser(prog="python -m tests.processes.zmq_rpc")
    parser.add_argument("--json", action="store_true", help="only the figures, as JSON")
    faulthandler.dump_traceback_later(PATIENCE, exit=True)
    story = Story(parser.parse_args().json)
    story.tell("three hosts start, each a process with a ZeroMQ socket and an agent in a thread")
    with cluster("host-a", "host-b", "host-c") as hosts:
        story.tell("all three are in this program's table")
        summary = run(story, hosts)
    story.end(summary)


if __name__ == "__main__":
    main()
