"""Writes what depends on where the project is published: ``url`` in pyproject.toml.

With it the package names its sources, issues, changelog and documentation, and the links of its
description (the README) lead there, to the files of its version. Without it they would lead into
whatever shows the description: those become names of files, for pages that come with the package,
or plain words.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_FENCED = re.compile(r"(^ *```.*?^ *```)", re.M | re.S)
_LINK = re.compile(r"(?<!!)\[([^\]\[]*)\]\(([^)\s]+)\)")
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|#")

#: Said at the top of a description without links.
_SHIPPED = "The pages that are named here come with the package: `gossipmm docs` lists them."


def relinked(text: str, link: Callable[[str, str], str]) -> str:
    """Return a text in Markdown with each relative link replaced by ``link(words, target)``."""

    def replaced(match: re.Match[str]) -> str:
        return match[0] if _ELSEWHERE.match(match[2]) else link(match[1], match[2])

    parts = _FENCED.split(text)
    return "".join(part if n % 2 else _LINK.sub(replaced, part) for n, part in enumerate(parts))


class ProjectMetadata(MetadataHookInterface):  # type: ignore[misc]
    """The fields ``readme`` and ``urls``."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        """Fill them in. Raises ValueError for a setting that leads nowhere."""
        url, files = str(self.config["url"]), str(self.config["files"])
        where = "[tool.hatch.metadata.hooks.custom] of pyproject.toml"
        if url and not re.fullmatch(r"https://[^\s/]+(/[^\s/]+)*", url):
            raise ValueError(
                f"{where}: url = {url!r}: give https://HOST/PATH, without a / at its end"
            )
        if "{path}" not in files:
            raise ValueError(f"{where}: files = {files!r}: {{path}} is missing in it")

        def file(path: str) -> str:
            return files.format(url=url, version=metadata["version"], path=path)

        def absolute(words: str, target: str) -> str:
            return f"[{words}]({file(target)})"

        excluded = self._excluded()

        def named(words: str, target: str) -> str:
            path = target.partition("#")[0]
            shipped = path.startswith("gossipmm/") and not path.startswith(excluded)
            return f"{words} (`{path}`)" if shipped else words

        readme = (Path(self.root) / "README.md").read_text("utf-8")
        text = relinked(readme, absolute if url else named)
        if not url:
            title, _, rest = text.partition("\n")
            text = f"{title}\n\n{_SHIPPED}\n{rest}"
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
        metadata["urls"] = {}
        if url:
            metadata["urls"] = {
                "Source": url,
                "Issues": f"{url}/issues",
                "Changelog": file("gossipmm/docs/CHANGELOG.md"),
                "Documentation": file("README.md") + "#read-on",
            }

    def _excluded(self) -> tuple[str, ...]:
        """Return the folders of the package that a wheel does not have."""
        settings = tomllib.loads((Path(self.root) / "pyproject.toml").read_text("utf-8"))
        wheel = settings["tool"]["hatch"]["build"]["targets"]["wheel"]
        return tuple(folder.removeprefix("/") for folder in wheel["exclude"])
