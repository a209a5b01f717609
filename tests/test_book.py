"""The book is built strictly, has every page, and loads nothing from elsewhere."""

import re
from pathlib import Path

import click
import pytest

from tests.book import __main__ as book

pytestmark = pytest.mark.timeout(240)


def test_the_book_is_built_and_has_every_page(tmp_path):
    book.build(tmp_path)
    pages = {str(path.relative_to(tmp_path / "pages")) for path in tmp_path.rglob("pages/**/*.md")}
    listed = re.findall(
        r": (\S+\.md)$", Path(book.__file__).with_name("mkdocs.yml").read_text(), re.M
    )
    assert sorted(listed) == sorted(pages), "each page stands in the navigation, once"
    for name in pages:
        assert (tmp_path / "site" / name).with_suffix(".html").exists()
    api = (tmp_path / "site/reference/python.html").read_text()
    for name in ("wait_joined", "ChildMatchMaker", "TrioClient", "report_failure"):
        assert name in api
    metrics = (tmp_path / "site/reference/metrics.html").read_text()
    assert re.search(r"gossipmm_isolated</code></td>.*?<td>GossipmmIsolated</td>", metrics, re.S)


@pytest.mark.parametrize("wrong", ["[x](nowhere.md)", "[x](#nowhere)"])
def test_a_link_or_an_anchor_that_leads_nowhere_ends_the_build(tmp_path, monkeypatch, wrong):
    def one_page(folder):
        folder.mkdir()
        (folder / "index.md").write_text(f"# A page\n\n{wrong}\n")

    monkeypatch.setattr(book, "gather", one_page)
    monkeypatch.setattr(book, "settings", lambda: "site_name: x\ndocs_dir: pages\n")
    with pytest.raises(click.ClickException, match="was not built"):
        book.build(tmp_path)


def test_what_would_be_loaded_from_elsewhere_is_found(tmp_path):
    (tmp_path / "a.html").write_text(
        '<a href="https://a.example/">fine</a><script src="https://cdn.example/x.js"></script>'
        '<link rel="stylesheet" href="//fonts.example/f.css"><img src="own.png">'
    )
    (tmp_path / "a.css").write_text("b { background: url(https://i.example/i.png) }")
    assert book.foreign(tmp_path) == [
        "a.css: https://i.example/i.png",
        "a.html: https://cdn.example/x.js",
        "a.html: //fonts.example/f.css",
    ]


def test_links_lead_to_pages_of_the_book_or_are_words(tmp_path):
    book.gather(tmp_path)
    index = (tmp_path / "index.md").read_text()
    assert "](tutorial.md)" in index
    assert "](protocol.md)" in index
    assert "CONTRIBUTING.md](" not in index
    assert "](../security.md)" in (tmp_path / "howto/keys.md").read_text()
