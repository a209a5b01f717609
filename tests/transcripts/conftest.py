"""The flag that rewrites the transcripts."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``pytest tests/transcripts --rewrite-transcripts``."""
    parser.addoption(
        "--rewrite-transcripts",
        action="store_true",
        help="write what is said now into tests/transcripts/*.txt, to be reviewed as a diff",
    )
