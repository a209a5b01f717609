"""How much memory records take, by what is counted of them anyway.

Bytes, on a 64-bit CPython; measured with tracemalloc for records of every shape, and held against
it by ``tests/core/test_memory.py``. They are what the largest shape takes, so that a limit holds.
"""

from __future__ import annotations

from typing import Final

from gossipmm.core.wire.pages import Page

__all__ = ("A_CLOSED", "A_MEMBER", "A_PAGE", "A_TOPIC", "of_metadata", "of_page", "of_pages")

#: A record without pages: its object, trail, and places in the table's dicts.
A_MEMBER: Final = 1900
#: A page without entries, beside its bytes: its object, digest, and places in the orders.
A_PAGE: Final = 450
#: A byte of a page: itself, and in the strings that are read from it, up to 4 for 2 of UTF-8.
A_BYTE: Final = 3
#: A registration: as the page has it, as its topic has it, and as readers see it.
AN_ENTRY: Final = 420
#: Metadata: the dict of each registration (or of a node) that has any, and an item of it.
A_DICT: Final = 250
AN_ITEM: Final = 130
#: A topic, with its view.
A_TOPIC: Final = 1450
#: A closed generation.
A_CLOSED: Final = 300


def of_page(page: Page) -> int:
    """Return the bytes that a page takes, its topics apart."""
    return of_pages(1, len(page.raw), len(page.entries)) + of_metadata(page)


def of_pages(pages: int, size: int, entries: int) -> int:
    """Return the bytes that so many pages take, their metadata apart; ``size``: theirs as sent."""
    return A_PAGE * pages + A_BYTE * size + AN_ENTRY * entries


def of_metadata(page: Page) -> int:
    """Return the bytes that the metadata of a page takes, beside its bytes as sent."""
    taken = A_DICT + AN_ITEM * len(page.metadata) if page.metadata else 0
    for entry in page.entries:
        if entry.metadata:
            taken += A_DICT + AN_ITEM * len(entry.metadata)
    return taken
