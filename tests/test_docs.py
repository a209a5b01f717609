"""What the documents promise of themselves: complete, linked, and with commands that exist."""

import re
import shlex
from datetime import date

import click
import pytest

from gossipmm.settings import load_config
from tests import documented
from tests.house import rooms
from tests.house.source import ROOT, relative

DOCS = ROOT / "gossipmm/docs"
DECISIONS = sorted((DOCS / "decisions").glob("[0-9]*.md"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
STATUS = re.compile(r"accepted|replaced by (\d{4})")


def field(text, name):
    found = re.findall(rf"^\* {name}: (.+)$", text, re.M)
    assert len(found) == 1, f"one line '* {name}: ...' is wanted, not {len(found)}"
    return found[0]


def section(text, name):
    found = re.search(rf"^## {name}\n\n(.+?)(?=\n## |\Z)", text, re.M | re.S)
    assert found, f"section '## {name}' is missing or empty"
    return found[1].strip()


def test_each_decision_has_a_number_of_its_own():
    """Branches take numbers from ranges of their own, so there may be gaps, but no doubles."""
    numbers = [path.name[:4] for path in DECISIONS]
    assert len(set(numbers)) == len(numbers) > 40
    assert numbers[:46] == [f"{number:04d}" for number in range(1, 47)]


@pytest.mark.parametrize("path", DECISIONS, ids=relative)
def test_a_decision_is_complete(path):
    text = path.read_text()
    number = path.name[:4]
    assert text.startswith(f"# {number}. "), "the title begins with the number of the file"
    date.fromisoformat(field(text, "Date"))
    status = STATUS.fullmatch(field(text, "Status"))
    assert status, "the status is 'accepted' or 'replaced by NNNN'"
    if status[1]:
        assert any(other.name.startswith(status[1]) for other in DECISIONS), status[0]
    if "* Rules:" in text:
        rules = (ROOT / "gossipmm/core/PROTOCOL.md").read_text()
        for rule in field(text, "Rules").split(", "):
            assert f"\n**{rule}. " in rules, f"{rule} is not a rule of PROTOCOL.md"
    for name in ("Decision", "Evidence"):
        assert len(section(text, name)) > 40, f"{name} says next to nothing"
    assert commands(section(text, "Repeat")), "a command repeats the figure"


def test_decisions_are_in_the_index_as_they_are():
    listed = re.findall(
        r"^\| \[(\d{4})\]\((\S+)\) \| (\S+) \| (.+?) \| (.+?) \|$",
        (DOCS / "decisions/README.md").read_text(),
        re.M,
    )
    expected = []
    for path in DECISIONS:
        text = path.read_text()
        title = text.partition("\n")[0].removeprefix(f"# {path.name[:4]}. ")
        row = (path.name[:4], path.name, field(text, "Date"), field(text, "Status"), title)
        expected.append(row)
    assert listed == expected


# -- commands ----------------------------------------------------------------------------------


def commands(text):
    """Return each command of the shell blocks of a text, split into words."""
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)
    lines = [line for block in blocks for line in block.splitlines()]
    joined = [part for line in lines for part in line.split(" && ")]
    return [words for line in joined if (words := shlex.split(line, comments=True))]


def _names_of_tests(path):
    files = sorted(path.rglob("test_*.py")) if path.is_dir() else [path]
    return [name for file in files for name in re.findall(r"def (test_\w+)", file.read_text())]


def _selects(expression, name):
    """Return whether ``pytest -k EXPRESSION`` takes a test of this name."""
    known = {"and", "or", "not"}
    words = re.findall(r"[\w]+|[()]", expression)
    python = [w if w in known or w in "()" else str(w.lower() in name.lower()) for w in words]
    return bool(eval(" ".join(python)))  # of words, brackets and booleans only


def complaint(words):
    """Return what is wrong with a command; None: it exists, as far as can be told unrun."""
    from gossipmm_sim.cli import many, one, papers  # noqa: F401 - they add their commands
    from gossipmm_sim.cli.base import cli as simulator
    from gossipmm_sim.runs.scenario import scenarios

    if words[0] == "pytest":
        targets = [ROOT / word for word in words[1:] if word.startswith("tests")]
        missing = [str(path) for path in targets if not path.exists()]
        if missing or not targets:
            return f"no such test: {missing}"
        if "-k" in words:
            expression = words[words.index("-k") + 1]
            names = [name for path in targets for name in _names_of_tests(path)]
            if not any(_selects(expression, name) for name in names):
                return f"-k {expression!r} takes no test"
    elif words[:2] == ["python", "-m"]:
        path = ROOT / words[2].replace(".", "/")
        sources = (path.with_suffix(".py"), path / "__main__.py", ROOT / "sim" / words[2])
        if not any(source.exists() for source in sources):
            return f"no module {words[2]}"
    elif words[0] == "gossipmm-sim":
        command = simulator.get_command(click.Context(simulator), words[1])
        if command is None:
            return f"gossipmm-sim has no command {words[1]!r}"
        command.make_parser(click.Context(command)).parse_args(words[2:])
        named = words[1] == "run" or (words[1] == "campaign" and not words[2].startswith("-"))
        if named and words[2] not in ("swarm", *scenarios()):
            return f"no scenario {words[2]!r}"
    elif words[0].startswith(".ci/"):
        if not (ROOT / words[0]).exists():
            return f"no {words[0]}"
    elif words[0] != "git":
        return f"unknown command {words[0]!r}"
    return None


@pytest.mark.parametrize("path", DECISIONS, ids=relative)
def test_the_commands_that_repeat_a_figure_exist(path):
    """Files, names of tests, scenarios and options: what a rename would leave behind."""
    for words in commands(section(path.read_text(), "Repeat")):
        wrong = complaint(words)
        assert wrong is None, f"{shlex.join(words)}: {wrong}"


@pytest.mark.parametrize(
    "command",
    [
        "pytest tests/nothing.py",
        "pytest tests/test_docs.py -k fully_untested_nonsense",
        "gossipmm-sim run no_such_scenario",
        "gossipmm-sim walk",
        "python -m tests.nothing",
        "rm x",
    ],
)
def test_a_command_that_does_not_exist_is_noticed(command):
    assert complaint(shlex.split(command))


# -- links -------------------------------------------------------------------------------------


def anchors(text):
    """Return the anchors of a page's headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_links_within_the_repository_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.exists(), f"{target} is not there"
        if anchor:
            assert anchor in anchors(path.read_text()), f"{target}: no such heading"


# -- the map -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("package", "table"),
    [
        ("gossipmm/", rooms.GOSSIPMM),
        ("gossipmm/core/", rooms.CORE),
        ("gossipmm/sidecar/", rooms.SIDECAR),
        ("sim/gossipmm_sim/", rooms.SIM),
    ],
)
def test_the_map_has_every_room_in_order(package, table):
    """CONTRIBUTING.md tells what the room table holds, as the house test knows it."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    begun = text.index(f"**`{package}`**")
    block = re.match(r"[^|]*((?:^\|.*\n)+)", text[begun:], re.M)
    assert block
    listed = re.findall(r"^\| `(\w+)` \| .{10}", block[1], re.M)
    assert listed == [room for room in table if room != "__main__"]


# -- changes -----------------------------------------------------------------------------------

KINDS = ("added", "changed", "fixed", "removed", "security")
FRAGMENTS = sorted(p for p in (DOCS / "changes").iterdir() if p.name != "README.md")


def test_fragments_of_the_changelog_are_well_formed():
    """``NAME.kind.md``: lower case, one of the kinds, one paragraph for a user."""
    assert set(re.findall(r"^\| `(\w+)` \|", (DOCS / "changes/README.md").read_text(), re.M)) == {
        *KINDS
    }
    for path in FRAGMENTS:
        name = re.fullmatch(rf"[a-z0-9]+(-[a-z0-9]+)*\.({'|'.join(KINDS)})\.md", path.name)
        assert name, f"{path.name}: call it what-changed.kind.md, kind one of {', '.join(KINDS)}"
        text = path.read_text()
        assert text.endswith(".\n"), f"{path.name} is sentences, and one newline at the end"
        assert not text.startswith(("#", "*", "-", "\n")), f"{path.name} is a paragraph, no list"
        assert "\n\n" not in text, f"{path.name} is one paragraph"


# -- the book ----------------------------------------------------------------------------------


@pytest.mark.parametrize("page", documented.PAGES, ids=relative)
def test_every_command_of_a_page_is_one(page):
    """Commands and options that were renamed stay in documents, and nobody notices but users."""
    from gossipmm.cli.app import cli

    for words in documented.commands(page):
        if words[0] == "gossipmm-sim":
            wrong = complaint(words)
            assert wrong is None, f"{shlex.join(words)}: {wrong}"
            continue
        with click.Context(cli, info_name="gossipmm") as context:
            command, rest = cli, words[1:]
            while isinstance(command, click.Group) and not rest[0].startswith("-"):
                name, found, rest = command.resolve_command(context, rest)
                context = click.Context(found, parent=context, info_name=name)
                command = found
            context.resilient_parsing = "…" in rest
            command.make_parser(context).parse_args([word for word in rest if word != "…"])


def test_the_pages_have_commands():
    """The test above passes where it finds none."""
    counts = {page.name: sum(1 for _ in documented.commands(page)) for page in documented.PAGES}
    assert counts["tutorial.md"] > 15
    assert counts["sidecar.md"] >= 9
    assert sum(counts.values()) > 60


@pytest.mark.parametrize("page", documented.PAGES, ids=relative)
def test_every_configuration_of_a_page_is_one(page, tmp_path, monkeypatch):
    for number, block in enumerate(documented.blocks(page, "toml")):
        file = tmp_path / f"{number}.toml"
        file.write_text(block)
        load_config(str(file), environ={})


def test_a_wildcard_is_any_text_in_a_line_and_alone_any_lines():
    pattern = documented.wildcard("a … c\n…\nz")
    assert pattern.fullmatch("a b c\nd\ne\nz  \n")
    assert pattern.fullmatch("a  c\nz\n")
    assert not pattern.fullmatch("a b d\nz\n")
    assert not pattern.fullmatch("a b c\nz\ny\n")
