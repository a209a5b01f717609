"""A browser, and clusters for it to look at."""

import pytest

from tests.sidecar.browser import browser
from tests.sidecar.fake_agent import FakeAgent


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture
def cluster():
    made = []

    def make(size, **more):
        made.append(FakeAgent(size, **more))
        return made[-1]

    yield make
    for agent in made:
        agent.close()
