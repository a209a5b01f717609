"""The helper that waits for what real agents tell each other."""

import time

from gossipmm.embed.thread import ThreadAgent
from tests.embed.helpers import config, until


def test_it_sees_what_changes_after_the_last_event_of_the_agent() -> None:
    """It used to look again at events alone.

    A test of a child process, whose program's copy of the table changes behind its agent's, waited
    in vain when the peer that it listened to had said its last.
    """
    alone = ThreadAgent(config("alone"))
    alone.start()
    try:
        later = time.monotonic() + 0.3
        until(alone, lambda: time.monotonic() > later)
    finally:
        alone.close()
