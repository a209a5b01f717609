"""What an index of packages shows, of a wheel that is built: published somewhere, and nowhere."""

from __future__ import annotations

import email
import importlib.util
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from tests.house.source import ROOT

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("hatchling") is None,
    reason="hatchling is not installed: pip install -e '.[dev]'",
)
URL = "https://code.example.org/team/gossipmm"


@dataclass
class Wheel:
    metadata: Message
    files: set[str]

    @property
    def description(self) -> str:
        text = self.metadata.get_payload()
        assert isinstance(text, str)
        return text

    @property
    def shown(self) -> str:
        """The description as HTML, by the rules of CommonMark, with tables."""
        return str(MarkdownIt("commonmark").enable("table").render(self.description))

    @property
    def links(self) -> list[str]:
        return re.findall(r'(?:href|src)="([^"]*)"', self.shown)


def sources(folder: Path, url: str) -> Path:
    """Copy what a build reads, with an address."""
    for name in ("gossipmm", "sim/gossipmm_sim", ".ci"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "README.md", folder)
    text = (ROOT / "pyproject.toml").read_text()
    assert text.count('\nurl = ""\n') == 1
    (folder / "pyproject.toml").write_text(text.replace('\nurl = ""\n', f'\nurl = "{url}"\n'))
    return folder


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", "dist"],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def wheel(folder: Path) -> Wheel:
    done = build(folder)
    assert done.returncode == 0, done.stderr
    (path,) = (folder / "dist").glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith("/METADATA"))
        text = archive.read(name).decode()
        return Wheel(email.message_from_string(text), set(archive.namelist()))


@pytest.fixture(scope="module")
def nowhere(tmp_path_factory: pytest.TempPathFactory) -> Wheel:
    return wheel(sources(tmp_path_factory.mktemp("nowhere") / "tree", ""))


@pytest.fixture(scope="module")
def somewhere(tmp_path_factory: pytest.TempPathFactory) -> Wheel:
    return wheel(sources(tmp_path_factory.mktemp("somewhere") / "tree", URL))


def test_a_description_of_what_is_published_nowhere_has_no_dead_link(nowhere: Wheel) -> None:
    """Its 20 links to pages led into the index that showed it, where no such pages are."""
    assert nowhere.links == []
    assert "](" not in nowhere.description
    assert nowhere.metadata.get_all("Project-URL") is None


def test_what_it_names_instead_comes_with_the_package(nowhere: Wheel) -> None:
    named = re.findall(r" \(`([^`]+/[^`]+\.md)`\)", nowhere.description)
    assert len(named) > 15
    assert set(named) <= nowhere.files
    assert "| change it | CONTRIBUTING.md |" in nowhere.description, "that does not"
    assert "`gossipmm docs` lists them" in nowhere.description.partition("\n## ")[0]


def test_one_setting_gives_addresses_to_the_package_and_its_description(somewhere: Wheel) -> None:
    files = f"{URL}/blob/v{somewhere.metadata['Version']}/"
    assert dict(each.split(", ") for each in somewhere.metadata.get_all("Project-URL", [])) == {
        "Source": URL,
        "Issues": f"{URL}/issues",
        "Changelog": f"{files}gossipmm/docs/CHANGELOG.md",
        "Documentation": f"{files}README.md#read-on",
    }
    assert len(somewhere.links) > 15
    for link in somewhere.links:
        assert link.startswith(files), link
        assert (ROOT / link.removeprefix(files)).exists(), link


@pytest.mark.parametrize("which", ["nowhere", "somewhere"])
def test_the_description_is_shown_as_it_is_meant(
    which: str, request: pytest.FixtureRequest
) -> None:
    found: Wheel = request.getfixturevalue(which)
    assert found.metadata["Description-Content-Type"] == "text/markdown"
    assert found.shown.startswith("<h1>gossipmm</h1>")
    headings = re.findall(r"^## (.+)$", (ROOT / "README.md").read_text(), re.M)
    assert re.findall(r"<h2>(.+)</h2>", found.shown) == headings
    assert found.shown.count("<table>") == 2
    assert "mm.queues(&quot;fanout~compute&quot;)" in found.shown, "code is left alone"


@pytest.mark.parametrize("url", ["code.example.org/gossipmm", f"{URL}/", "https://"])
def test_an_address_that_leads_nowhere_is_refused(tmp_path: Path, url: str) -> None:
    done = build(sources(tmp_path / "tree", url))
    assert done.returncode != 0
    assert f"of pyproject.toml: url = {url!r}: give https://HOST/PATH, without a /" in done.stderr
