"""The command ``docs``: the pages that come with the package, for who has no network at hand."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

import click
from click.shell_completion import CompletionItem

__all__ = ("docs",)


def _pages() -> dict[str, Path]:
    """Return the pages by name: ``sidecar``, ``howto/keys``, ``PROTOCOL``."""
    package = Path(__file__).parent.parent
    root = package / "docs"
    found = [*sorted(root.glob("*.md")), *sorted(root.glob("howto/*.md"))]
    pages = {str(path.relative_to(root).with_suffix("").as_posix()): path for path in found}
    return pages | {"PROTOCOL": package / "core/PROTOCOL.md"}


def _names(
    _context: click.Context, _parameter: click.Parameter, begun: str
) -> list[CompletionItem]:
    return [CompletionItem(name) for name in _pages() if name.startswith(begun)]


def _page(name: str) -> Path:
    pages = _pages()
    asked = name.removesuffix(".md")
    for found, path in pages.items():
        if asked.lower() in (found.lower(), found.lower().rpartition("/")[2]):
            return path
    lasts = {found.rpartition("/")[2]: found for found in pages}
    near = get_close_matches(asked, [*pages, *lasts], 1, 0.4)
    hint = f"; near it is {lasts.get(near[0], near[0])}" if near else ""
    raise click.UsageError(f"there is no page {name!r}{hint}; gossipmm docs lists them")


@click.command()
@click.argument("page", default="", shell_complete=_names)
def docs(page: str) -> None:
    """List the pages that come with the package, or print one.

    \b
    gossipmm docs
    gossipmm docs sick-cluster | less
    """
    if page:
        click.echo(_page(page).read_text("utf-8"), nl=False)
        return
    pages = _pages()
    width = max(len(name) for name in pages)
    for name, path in pages.items():
        with path.open(encoding="utf-8") as file:
            title = file.readline().removeprefix("# ").strip()
        click.echo(f"{name:{width}}  {title}")
    click.echo(f"\nThey are in {Path(__file__).parent.parent / 'docs'}")
