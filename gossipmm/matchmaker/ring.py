"""The classical ring file: a JSON map of topics to lists of hosts, read and written.

``{"scheduler": ["node1", "node2"], "conductor": ["controller1"]}``
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from gossipmm.core.values.types import TopicView
from gossipmm.errors import RingFileError

#: Topic -> its hosts, in the order of the file.
Ring: TypeAlias = dict[str, tuple[str, ...]]

#: Where the classical matchmaker looks when no file is configured.
CLASSICAL_RING_FILE = "/etc/oslo/matchmaker_ring.json"


def check_ring(ring: Any, *, source: str = "ring") -> Ring:
    """Copy a map of topics to lists of host names; raises RingFileError, naming the topic."""
    if not isinstance(ring, Mapping):
        raise RingFileError(
            f"{source}: expected a map of topics to lists of hosts, not {type(ring).__name__}"
        )
    checked: Ring = {}
    for topic, hosts in ring.items():
        if not isinstance(topic, str) or not topic:
            raise RingFileError(f"{source}: a topic must be a non-empty string, not {topic!r}")
        if isinstance(hosts, (str, bytes, Mapping)) or not isinstance(hosts, Iterable):
            raise RingFileError(f"{source}: topic {topic!r}: expected a list of hosts: {hosts!r}")
        checked[topic] = tuple(hosts)
        for host in checked[topic]:
            if not isinstance(host, str) or not host:
                raise RingFileError(
                    f"{source}: topic {topic!r}: a host must be a non-empty string, not {host!r}"
                )
    return checked


def load_ring(path: str | os.PathLike[str]) -> Ring:
    """Read a ring file. Raises RingFileError: missing, not JSON, not a map of lists."""
    import json  # 1 ms, and most programs have no ring

    source = os.fspath(path)
    try:
        with open(path, encoding="utf-8") as file:
            ring = json.load(file)
    except OSError as exc:
        raise RingFileError(f"{source}: cannot be read: {exc.strerror or exc}") from exc
    except (ValueError, RecursionError) as exc:
        raise RingFileError(f"{source}: is not JSON: {exc}") from exc
    return check_ring(ring, source=source)


def ring_of(topics: Mapping[str, TopicView]) -> dict[str, list[str]]:
    """Return the hosts that a fanout would reach now, as a ring; topics without any are left out.

    (A classical matchmaker fails on a topic whose list is empty.)
    """
    views = [topics.get(topic) for topic in sorted(topics)]
    return {view.topic: list(view.fanout) for view in views if view is not None and view.fanout}


def write_ring(path: str | os.PathLike[str], ring: Mapping[str, Iterable[str]]) -> None:
    """Write a ring file, replacing an old one in one step: a reader sees the old or the new.

    Raises RingFileError when it cannot be written; the old file is then unharmed.
    """
    import json
    import tempfile  # 2 ms

    target = os.fspath(path)
    text = json.dumps({topic: list(hosts) for topic, hosts in ring.items()}, indent=2)
    scratch = ""
    try:
        handle, scratch = tempfile.mkstemp(dir=os.path.dirname(target) or ".", prefix=".ring-")
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fchmod(file.fileno(), 0o644)  # mkstemp gives 0600; other programs read this file
            os.fsync(file.fileno())
        os.replace(scratch, target)
    except OSError as exc:
        if scratch and os.path.exists(scratch):
            os.unlink(scratch)
        raise RingFileError(f"{target}: cannot be written: {exc.strerror or exc}") from exc
