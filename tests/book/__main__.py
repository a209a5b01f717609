"""Build the book.

    python -m tests.book FOLDER

Gathers the pages of ``gossipmm/docs``, README.md, PROTOCOL.md and RESULTS.md, makes the reference
from the program, and builds all of it with Zensical, strictly: a broken link or anchor ends it
with status 1. What is built loads nothing from elsewhere.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from tests.book.reference import PAGES
from tests.house.source import ROOT

__all__ = ("build", "foreign", "gather", "settings")

_DOCS = ROOT / "gossipmm/docs"
#: Pages from elsewhere in the repository: file -> its name in the book.
_OTHERS = {
    ROOT / "README.md": "index.md",
    ROOT / "gossipmm/core/PROTOCOL.md": "protocol.md",
    ROOT / "sim/RESULTS.md": "results.md",
}
_LINK = re.compile(r"(?<!!)\[([^\]\[]*)\]\(([^)\s]+)\)")
_LOADED = re.compile(
    r"""<(?:script|img|iframe|source|link)\b[^>]*?\b(?:src|href)\s*=\s*["']?((?:https?:)?//[^"'\s>]+)"""
    r"""|url\(["']?((?:https?:)?//[^)"']+)|@import\s+["']((?:https?:)?//[^"']+)"""
)


def gather(folder: Path) -> None:
    """Write all pages of the book into a folder."""
    sources = {
        path: str(path.relative_to(_DOCS))
        for path in sorted(_DOCS.rglob("*.md"))
        if path.parent.name not in ("changes", "decisions")
    } | _OTHERS
    for path, name in sources.items():
        page = folder / name
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(_relinked(path, name, sources))
    for name, make in PAGES.items():
        page = folder / name
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(make())


def _relinked(path: Path, name: str, sources: dict[Path, str]) -> str:
    """Return a page whose links lead to pages of the book; of those that cannot, the words."""

    def link(match: re.Match[str]) -> str:
        words, target = match[1], match[2]
        if re.match(r"[a-z]+:|#", target):
            return match[0]
        file, _, anchor = target.partition("#")
        found = sources.get((path.parent / file).resolve())
        if found is None:
            return words  # a file of the repository, which is not in the book
        up = "../" * name.count("/")
        return f"[{words}]({up}{found}{'#' * bool(anchor)}{anchor})"

    parts = re.split(r"(^ *```.*?^ *```)", path.read_text(), flags=re.M | re.S)
    return "".join(
        part if number % 2 else _LINK.sub(link, part) for number, part in enumerate(parts)
    )


def settings() -> str:
    """Return the configuration, with where the sources are."""
    text = Path(__file__).with_name("mkdocs.yml").read_text()
    return text.replace("PATHS", f'"{ROOT}", "{ROOT / "sim"}"')


def build(folder: Path) -> None:
    """Build the book into ``folder/site``. Raises ``ClickException`` with what is wrong."""
    gather(folder / "pages")
    (folder / "mkdocs.yml").write_text(settings())
    done = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict", "-f", str(folder / "mkdocs.yml")],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode != 0:
        raise click.ClickException(f"the book was not built:\n{done.stdout}{done.stderr}")
    if found := foreign(folder / "site"):
        raise click.ClickException("the book loads from elsewhere:\n" + "\n".join(found))


def foreign(site: Path) -> list[str]:
    """Return what pages and styles would load from elsewhere, as ``file: address``."""
    return [
        f"{path.relative_to(site)}: {''.join(match)}"
        for path in sorted(site.rglob("*"))
        if path.suffix in (".html", ".css")
        for match in _LOADED.findall(path.read_text())
    ]


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
def main(folder: Path) -> None:
    """Build the book into FOLDER."""
    if folder.exists():
        raise click.ClickException(f"{folder} exists: name a new folder")
    with tempfile.TemporaryDirectory() as temp:
        build(Path(temp))
        shutil.copytree(Path(temp) / "site", folder)
    click.echo(f"open {folder}/index.html")


if __name__ == "__main__":
    main()
