"""What others send moves no cursor, hides no row and adds none.

Metadata with ``ESC ]0;x BEL`` once set the title of the operator's terminal, and a line break in it
made a row of ``gossipmm members`` that no member had.
"""

import json
import subprocess
import sys

import click
import pytest

from gossipmm.text.terminal import cleaned, json_text, printable, styled_line

HOSTILE = "a\x1b]0;owned\x07\nb  alive  7 s\r\x9b2J\u202egnp.exe\u2028\x00z"
SHOWN = r"a\x1b]0;owned\x07\nb  alive  7 s\r\x9b2J\u202egnp.exe\u2028\x00z"


def test_what_is_not_printable_is_shown_as_its_escape():
    assert printable(HOSTILE) == SHOWN
    assert printable("münchen 東京 🚀") == "münchen 東京 🚀"


def test_the_commands_own_colours_stay_and_no_others():
    red = click.style("dead", fg="red")
    assert styled_line(red) == red
    assert styled_line(f"{red} {HOSTILE}") == f"{red} {SHOWN}"
    # Concealed text, and a colour that no command uses.
    assert styled_line("\x1b[8mx\x1b[35m") == r"\x1b[8mx\x1b[35m"


@pytest.mark.parametrize("indent", [None, 2])
def test_json_stays_the_same_value_and_becomes_harmless(indent):
    value = {"name": HOSTILE, "also 東京": ["🚀\ufff9", 1, None], "\x9b": {}}
    text = json_text(value, indent=indent)
    assert json.loads(text) == value
    assert all(line.isprintable() for line in text.split("\n"))
    assert "東京" in text


def test_values_for_the_live_view():
    assert cleaned({"a": [HOSTILE, 1, {"b": HOSTILE}]}) == {"a": [SHOWN, 1, {"b": SHOWN}]}


_PROGRAM = """
import sys
from gossipmm.cli.base import absent, say, show_json, table
hostile = sys.argv[1].encode().decode("unicode_escape")
say(hostile)
show_json({"metadata": hostile})
table(("NAME", "NOTES"), [(hostile, "x")])
absent(hostile)
"""


def test_every_way_in_which_a_command_prints():
    """Lines, JSON, tables and errors: in a process, as click writes them."""
    hostile = HOSTILE.replace("\x00", "\x01")
    given = hostile.encode("unicode_escape").decode()
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, given], capture_output=True, text=True, timeout=60
    )
    assert done.stderr.count("\n") == 1
    assert done.stdout.count("\n") == 4
    for text in (done.stdout, done.stderr):
        assert all(line.isprintable() for line in text.split("\n"))
    assert json.loads(done.stdout.split("\n")[1]) == {"metadata": hostile}
