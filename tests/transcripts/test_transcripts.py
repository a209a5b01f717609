"""What nodes say to each other is on record, as text: a change of it is a diff that is reviewed.

pytest tests/transcripts --rewrite-transcripts && git diff tests/transcripts
"""

from __future__ import annotations

import inspect
import re
import textwrap
from difflib import unified_diff
from pathlib import Path

import pytest

from tests.transcripts.scenes import SCENES
from tests.transcripts.tape import WIDTH

FOLDER = Path(__file__).parent
README = (FOLDER / "README.md").read_text()


def transcript(name: str) -> str:
    """Play a scene: its description, and all that was said."""
    function = SCENES[name]
    doc = inspect.cleandoc(function.__doc__ or "")
    paragraphs = [textwrap.fill(" ".join(text.split()), WIDTH) for text in doc.split("\n\n")]
    title = function.__name__.replace("_", " ").capitalize()
    return f"{title}\n\n" + "\n\n".join(paragraphs) + "\n\n" + function().text()


@pytest.mark.parametrize("name", SCENES)
def test_what_is_said_is_what_is_on_record(name: str, request: pytest.FixtureRequest) -> None:
    path = FOLDER / f"{name}.txt"
    said = transcript(name)
    if request.config.getoption("--rewrite-transcripts", default=False):
        path.write_text(said)
    recorded = path.read_text() if path.exists() else ""
    diff = "\n".join(
        unified_diff(recorded.splitlines(), said.splitlines(), "on record", "now", lineterm="")
    )
    assert not diff, (
        f"{diff}\n\nIf that is meant: pytest tests/transcripts --rewrite-transcripts, "
        f"and review the diff of {path.name}"
    )


@pytest.mark.parametrize("name", SCENES)
def test_a_transcript_can_be_read_in_a_minute(name: str) -> None:
    lines = (FOLDER / f"{name}.txt").read_text().splitlines()
    assert len(lines) <= 60
    assert max(map(len, lines)) <= WIDTH
    assert not re.search(r"\b[0-9a-f]{12,}\b|0x|somebody unknown", "\n".join(lines)), "raw bytes"


def test_there_are_no_transcripts_of_nothing_and_the_tour_visits_each() -> None:
    names = {path.stem for path in FOLDER.glob("*.txt")}
    assert names == set(SCENES)
    assert set(re.findall(r"\]\((\d\d-[a-z-]+)\.txt\)", README)) == names
