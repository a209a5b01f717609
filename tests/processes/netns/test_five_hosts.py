"""The pages of how to run it, followed to the letter on five systems with the printed unit."""

from __future__ import annotations

import pytest

from tests import container, namespaces
from tests.processes.netns.five_hosts import Day
from tests.processes.netns.rack import Rack

_MISSING = container.missing() or namespaces.missing()
pytestmark = pytest.mark.skipif(bool(_MISSING), reason=_MISSING or "can be booted")


def test_five_hosts_are_set_up_upgraded_and_evicted_by_the_pages(tmp_path) -> None:
    """Nobody had typed them: no agent started, and a key that leaked could not be replaced.

    The file for sysusers made a group and no user, which systemd refuses; ``config check`` refused
    the file of the page; ``status`` told of seeds that were long members; the new key went into a
    file that the unit's agent does not read, and the rotation waited for the evicted host.
    """
    try:
        with Rack(tmp_path) as rack:
            Day(rack).play()
    except container.NoContainerError as exc:
        pytest.skip(f"this system boots no container: {exc}")
