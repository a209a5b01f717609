"""``gossipmm docs``: the pages that come with the package."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import gossipmm
from gossipmm.cli import main

DOCS = Path(gossipmm.__file__).parent / "docs"


def run(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["gossipmm", "docs", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    return caught.value.code or 0, *capsys.readouterr()


def test_pages_are_listed_with_what_they_are_about_and_where_they_are(monkeypatch, capsys):
    status, out, err = run(monkeypatch, capsys)
    assert (status, err) == (0, "")
    *lines, empty, where = out.splitlines()
    assert (empty, where) == ("", f"They are in {DOCS}")
    listed = dict(line.split(None, 1) for line in lines)
    assert listed["howto/sick-cluster"] == "A sick cluster: symptom, command, remedy"
    assert listed["PROTOCOL"] == "The protocol"
    assert not [name for name in listed if name.startswith(("changes", "decisions"))]


@pytest.mark.parametrize(
    "name", ["howto/sick-cluster", "howto/sick-cluster.md", "sick-cluster", "Sick-Cluster"]
)
def test_a_page_is_printed_as_it_is(name, monkeypatch, capsys):
    page = (DOCS / "howto/sick-cluster.md").read_text()
    assert run(monkeypatch, capsys, name) == (0, page, "")


@pytest.mark.parametrize(
    ("name", "hint"), [("sikcluster", "; near it is howto/sick-cluster"), ("qqq", "")]
)
def test_a_page_that_is_not_there(name, hint, monkeypatch, capsys):
    status, out, err = run(monkeypatch, capsys, name)
    assert (status, out) == (2, "")
    assert f"there is no page {name!r}{hint}; gossipmm docs lists them" in err


def test_pages_are_completed(monkeypatch, capsys):
    monkeypatch.setenv("_GOSSIPMM_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "gossipmm docs howto/k")
    monkeypatch.setenv("COMP_CWORD", "2")
    _, out, _ = run(monkeypatch, capsys)
    assert out == "plain,howto/keys\nplain,howto/kubernetes\n"
