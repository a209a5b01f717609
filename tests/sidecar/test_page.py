"""The status page: its files, and what a browser makes of them (skipped without Chromium)."""

import re
import signal
import socket
from pathlib import Path

import pytest

from gossipmm.core.values.events import KINDS
from gossipmm.core.values.types import HostState, Status
from gossipmm.sidecar.http.messages import Request
from gossipmm.sidecar.http.problems import ProblemError
from gossipmm.sidecar.http.router import Call
from gossipmm.sidecar.page import files as pages
from tests.processes.program import programs
from tests.sidecar.browser import CHROMIUM

STATIC = Path(pages.__file__).parent / "static"
FILES = sorted(STATIC.iterdir())
SCRIPTS = [path for path in FILES if path.suffix == ".js"]

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="chromium is not installed: apt-get install chromium"
)


def served(name=""):
    call = Call({"file": name} if name else {}, {}, None, Request("GET", b"/", {}))
    return pages.page(None, call)


# -- files -----------------------------------------------------------------------------------


def test_every_file_that_the_page_names_is_served():
    found = {"index.html"}
    waiting = ["index.html"]
    while waiting:
        text = served(waiting.pop()).body.decode()
        for name in re.findall(r'/static/([\w.-]+)|from "\./([\w.-]+)"', text):
            name = name[0] or name[1]
            if name not in found:
                found.add(name)
                waiting.append(name)
    assert found == {path.name for path in FILES}
    assert served().body == served("index.html").body


def test_nothing_else_is_served():
    for name in ("../pages.py", "..", ".", "/etc/passwd", "pages.py", "__init__.py", "x.html"):
        with pytest.raises(ProblemError):
            served(name)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_nothing_is_asked_of_another_machine(path):
    text = path.read_text()
    hosts = set(re.findall(r"(?:https?:)?//[\w.-]+\.[\w/.-]+", text))
    assert hosts <= {"http://www.w3.org/2000/svg"}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_text_only_ever_becomes_text(path):
    text = path.read_text()
    for way in (
        *("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("),
        *("DOMParser", "createContextualFragment", "setHTML", "srcdoc", "javascript:", ".href ="),
    ):
        assert way not in text, way
    # Attributes that could become a script are never made from data.
    assert not re.search(r"setAttribute\(\s*[\"'](on|href|src|style)", text)


def test_the_policy_lets_nothing_in_but_these_files():
    policy = dict(served().headers)["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    html = (STATIC / "index.html").read_text()
    # What the policy would refuse is not there in the first place.
    assert "<style" not in html
    assert not re.search(r"\s(style|on\w+)=", html)
    assert re.findall(r"<script[^>]*>(.*?)</script>", html, re.DOTALL) == [""]


def test_the_page_listens_to_every_kind_of_event():
    """An EventSource hears only the kinds that it asks for."""
    text = (STATIC / "api.js").read_text()
    listed = re.search(r"KINDS = \[(.*?)\]", text, re.DOTALL).group(1)
    assert set(re.findall(r'"(\w+)"', listed)) == set(KINDS)


def test_every_state_has_a_sign_a_colour_and_a_rank():
    signs = re.search(r"SIGNS = \{(.*?)\};", (STATIC / "dom.js").read_text(), re.DOTALL).group(1)
    signs = set(re.findall(r"(\w+):", signs))
    css = (STATIC / "page.css").read_text()
    colours = set(re.findall(r'\[data-state="(\w+)"\]', css)) | {"unknown"}
    states = {state.label for state in Status} | {state.label for state in HostState}
    assert states <= signs
    assert states <= colours
    rank = re.search(r"RANK = \[(.*?)\]", (STATIC / "members.js").read_text()).group(1)
    assert {state.label for state in Status} | {"draining"} == set(re.findall(r"\w+", rank))


def luminance(colour):
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    parts = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(part * weight for part, weight in zip(parts, (0.2126, 0.7152, 0.0722), strict=True))


def test_text_can_be_read_in_light_and_dark():
    """Contrast of 4.5 : 1 at least (WCAG 2.2, 1.4.3, level AA), for every colour that is text."""
    css = (STATIC / "page.css").read_text()
    light, dark = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    schemes = [dict(re.findall(r"--([\w-]+): (#\w{6})", scheme)) for scheme in (light, dark)]
    assert schemes[0].keys() == schemes[1].keys()
    for scheme in schemes:
        for name in scheme.keys() - {"paper", "card", "line", "line-soft", "hover"}:
            for under in ("card", "paper", "hover"):
                low, high = sorted((luminance(scheme[name]), luminance(scheme[under])))
                ratio = (high + 0.05) / (low + 0.05)
                assert ratio >= 4.5, f"{name} on {under}: {ratio:.2f}"


def test_the_page_is_small():
    assert sum(path.stat().st_size for path in FILES) < 72_000


# -- in a browser ----------------------------------------------------------------------------


def opened(chromium, agent, width=1440, height=900, **look):
    chromium.look(width, height, **look)
    chromium.open(agent.url)
    chromium.until("document.querySelector('#rows tr')", "members shown")
    chromium.until("document.body.dataset.link === 'live'", "connected")


NAMES = "[...document.querySelectorAll('#rows tr')].map((row) => row.dataset.name)"


@needs_chromium
def test_five_members_are_shown_with_everything_about_them(chromium, cluster):
    agent = cluster(5)
    agent.members["host-b"].draining = True
    opened(chromium, agent)
    assert chromium.run(NAMES) == ["host-b", "host-a", "host-c", "host-d", "host-e"]
    row = chromium.run(
        "[...document.querySelector('[data-name=host-b]').cells].map(c => c.textContent)"
    )
    assert row[0] == "▽draining"
    assert row[1:3] == ["host-b", "10.20.0.11:7946"]
    assert re.fullmatch(r"\d+(\.\d)? s", row[3])
    assert chromium.text("alive") == "5"
    assert chromium.text("agree") + chromium.text("agree-of") == "4peers, all agree"
    assert chromium.text("topic-count") == "3"
    assert chromium.run("document.querySelectorAll('#topic-list details').length") == 3
    assert chromium.run("document.querySelector('#topic-list .host').textContent") == "●host-a"
    assert chromium.run("document.getElementById('glance').hidden")
    chromium.until("document.querySelector('#chart .in')", "traffic drawn")
    assert re.fullmatch(r"\d{3} B/s", chromium.text("rate-in"))
    assert chromium.run("document.title") == "host-a · gossipmm"
    assert chromium.complaints() == []


@needs_chromium
def test_no_request_leaves_the_machine(chromium, cluster):
    agent = cluster(5)
    opened(chromium, agent)
    chromium.run("document.querySelector('#rows tr').click()")
    chromium.until("document.getElementById('detail-facts').children.length")
    asked = chromium.requests()
    assert len(asked) > 10
    assert [url for url in asked if not url.startswith(agent.url)] == []
    assert chromium.complaints() == []


@needs_chromium
def test_a_host_that_fails_its_checks_is_shown_with_the_reason(chromium, cluster):
    """What failed was known to the program that was checked, and to nobody who looked."""
    agent = cluster(5)
    topic = next(iter(agent.topics.values()))
    (host,) = [one for one in topic.hosts if one.host == "host-a"]
    host.state, host.reason = "unhealthy", "HTTP 503"
    topic.picks.remove("host-a")
    agent.members["host-a"].unhealthy = 1
    opened(chromium, agent)
    chip = chromium.run("document.querySelector('.host[data-state=unhealthy]').title")
    assert chip.startswith("host-a: unhealthy for ")
    assert ": HTTP 503" in chip
    chromium.run("[...document.querySelectorAll('#rows tr')].at(0).click()")
    chromium.until("document.getElementById('detail-facts').children.length")
    assert f"Unhealthy{topic.topic}: HTTP 503" in chromium.text("detail-facts")
    assert "gossipmm services" in chromium.text("detail-commands")
    assert chromium.complaints() == []


@needs_chromium
def test_five_hundred_members_are_readable_with_trouble_first(chromium, cluster):
    agent = cluster(500, troubled=True)
    opened(chromium, agent)
    states = chromium.run("[...document.querySelectorAll('#rows tr')].map(r => r.dataset.state)")
    assert len(states) == 500
    assert states[:3] == ["suspect"] * 3
    assert states[-2:] == ["left"] * 2
    assert chromium.run("document.querySelectorAll('#glance i').length") == 500
    assert "no live host: billing" in chromium.text("topic-note")
    assert chromium.text("agree-note").startswith("differ: ")
    assert chromium.run("document.title").startswith("3 suspect, 4 dead · ")
    # The page itself does not scroll on a desk; its parts do.
    assert chromium.run("document.documentElement.scrollHeight <= innerHeight")
    # A reading of the tables costs little, so that the page never stands still.
    cost = chromium.run(
        """(async () => {
          const members = await import('/static/members.js');
          const answer = await (await fetch('/v1/members')).json();
          const began = performance.now();
          for (let turn = 0; turn < 5; turn++) members.show(answer);
          document.body.offsetHeight;
          return (performance.now() - began) / 5;
        })()"""
    )
    assert cost < 500, f"{cost:.0f} ms for one reading"
    assert chromium.complaints() == []


@needs_chromium
def test_what_happens_is_on_the_page_at_once(chromium, cluster):
    agent = cluster(5)
    opened(chromium, agent)
    agent.set_status("host-c", "suspect", "probe_failed (host-a)")
    agent.tell("member_suspected", "member host-c is suspected", name="host-c")
    chromium.until("document.querySelector('#event-list li')", "an event")
    chromium.until("document.querySelector('[data-name=host-c]').dataset.state === 'suspect'")
    assert chromium.run(NAMES)[0] == "host-c"
    assert chromium.text("event-list").endswith("▲member host-c is suspected")
    assert chromium.text("summary") == "5 members: 1 suspect, 4 alive."
    chromium.until("document.title.startsWith('1 suspect · ')")
    agent.members["host-f"] = agent.members["host-e"].__class__(
        **{
            f: getattr(agent.members["host-e"], f)
            for f in agent.members["host-e"].__struct_fields__
        }
    )
    agent.members["host-f"].name = "host-f"
    del agent.members["host-d"]
    agent.tell("member_joined", "member host-f joined", name="host-f")
    chromium.until("document.querySelector('[data-name=host-f]')")
    assert chromium.run(NAMES) == ["host-c", "host-a", "host-b", "host-e", "host-f"]


@needs_chromium
def test_events_can_be_paused_and_thinned_out(chromium, cluster):
    agent = cluster(5)
    opened(chromium, agent)
    agent.tell("host_changed", "topic x: host-b is live", topic="x", host="host-b", state="live")
    agent.tell("member_joined", "member host-b joined", name="host-b")
    lines = "[...document.querySelectorAll('#event-list li')].filter(l => l.offsetHeight).length"
    chromium.until(f"{lines} === 2")
    chromium.run("document.getElementById('with-hosts').click()")
    assert chromium.run(lines) == 1
    chromium.press("p", "p")
    agent.tell("member_left", "member host-b left", name="host-b")
    chromium.until("document.getElementById('pause').textContent === 'Go on (1)'")
    assert chromium.run(lines) == 1
    chromium.press("p", "p")
    assert chromium.run(lines) == 2
    for number in range(400):
        agent.tell("member_joined", f"member {number} joined", name=str(number))
    chromium.until("document.querySelector('#event-list li').textContent.includes('member 399 ')")
    assert chromium.run("document.querySelectorAll('#event-list li').length") == 300


@needs_chromium
def test_what_became_of_user_events_is_told_and_nothing_where_there_are_none(chromium, cluster):
    """The page showed user events one by one, and never that some were lost or refused."""
    agent = cluster(5)
    opened(chromium, agent)
    assert chromium.text("user-events") == ""
    counts = {"sent": 7, "delivered": 9, "lost": 2, "refused": 1, "over_budget": 4, "room": 249}
    for name, count in counts.items():
        setattr(agent.user_events, name, count)
    words = "7 sent, 9 told here, 2 lost, 1 of others refused, 4 refused: over the budget"
    told = "document.getElementById('user-events').textContent"
    chromium.until(f"{told} === 'user events: {words}; room for 249'")
    assert chromium.complaints() == []


@needs_chromium
def test_names_that_others_chose_stay_text(chromium, cluster):
    agent = cluster(5)
    evil = "<img src=x onerror=document.body.dataset.hacked=1>"
    victim = agent.members.pop("host-c")
    victim.name = evil
    victim.metadata = {"<b>": "<script>document.body.dataset.hacked=2</script>", "__proto__": "x"}
    victim.reason = "\u202e\u2066<i>reason</i>"
    agent.members[evil] = victim
    agent.topics[evil] = agent.topics.pop("compute")
    agent.topics[evil].topic = evil
    agent.topics[evil].hosts[0].host = evil
    agent.topics[evil].hosts[0].metadata = {"port": evil}
    opened(chromium, agent)
    agent.tell("member_joined", f"member {evil} joined", name=evil)
    chromium.until("document.querySelector('#event-list li')")
    row = f"[...document.querySelectorAll('#rows tr')].find(r => r.dataset.name === {evil!r})"
    assert chromium.run(f"{row}.cells[1].textContent") == evil
    chromium.run(f"{row}.click()")
    chromium.until("document.getElementById('detail-facts').children.length")
    assert chromium.text("detail-name") == evil
    assert (
        chromium.run("document.querySelectorAll('img:not(h1 img), b, i, main script').length") == 0
    )
    assert chromium.run("document.body.dataset.hacked") is None
    assert chromium.complaints() == []


@needs_chromium
def test_the_page_is_used_by_keyboard_alone(chromium, cluster):
    opened(chromium, cluster(200, troubled=True))
    active = "document.activeElement.id || document.activeElement.dataset.name"
    chromium.press("/", "/")
    assert chromium.run(active) == "filter"
    chromium.type("dead here")
    assert chromium.text("members-shown") == "4 of 200 shown"
    first, second, *_ = chromium.run(NAMES)
    chromium.press("ArrowDown")
    assert chromium.run(active) == first
    chromium.press("ArrowDown")
    assert chromium.run(active) == second
    chromium.press("Enter")
    chromium.until("document.getElementById('detail-facts').children.length")
    assert chromium.text("detail-name") == second
    assert "got no answer to 5 tries" in chromium.text("detail-evidence")
    chromium.press("Escape")
    chromium.until("!document.getElementById('detail').open")
    assert chromium.run(active) == second
    chromium.press("End")
    assert chromium.run(active) == chromium.run(NAMES)[-1]
    chromium.press("/", "/")
    chromium.press("Escape")
    assert chromium.run("document.getElementById('filter').value") == ""
    assert len(chromium.run(NAMES)) == 200
    # Every control is reached by Tab, the table as one stop.
    chromium.run("document.querySelector('.skip').focus()")
    stops = []
    while stops[-1:] != ["BODY"] and len(stops) < 60:
        chromium.press("Tab")
        stops.append(chromium.run("document.activeElement.id || document.activeElement.tagName"))
    assert {"filter", "pause", "with-hosts", "SUMMARY", "TR"} <= set(stops)
    assert stops.count("TR") == 1


@needs_chromium
def test_the_chosen_row_keeps_the_focus_while_the_table_changes(chromium, cluster):
    agent = cluster(5)
    opened(chromium, agent)
    chromium.run("document.querySelector('[data-name=host-b]').focus()")
    agent.set_status("host-b", "dead", "buried")
    agent.set_status("host-e", "suspect", "probe_failed")
    agent.tell("member_died", "member host-b is dead", name="host-b")
    chromium.until("document.querySelector('[data-name=host-b]').dataset.state === 'dead'")
    assert chromium.run(NAMES)[:2] == ["host-e", "host-b"]
    assert chromium.run("document.activeElement.dataset.name") == "host-b"


@needs_chromium
def test_members_are_found_and_sorted(chromium, cluster):
    opened(chromium, cluster(200, troubled=True))
    chromium.run("document.querySelector('#states [data-state=dead]').click()")
    chromium.run("document.querySelector('#states [data-state=suspect]').click()")
    assert len(chromium.run(NAMES)) == 7
    assert chromium.run("document.querySelectorAll('#glance i:not(.out)').length") == 7
    chromium.run("document.querySelector('#states [data-state=dead]').click()")
    chromium.run("document.querySelector('#states [data-state=suspect]').click()")
    chromium.run("document.querySelector('th[data-sort=name] button').click()")
    assert chromium.run(NAMES)[:2] == ["host-000", "host-001"]
    chromium.run("document.querySelector('th[data-sort=name] button').click()")
    assert chromium.run(NAMES)[0] == "host-199"
    sorts = "[...document.querySelectorAll('th[aria-sort]')].map(h => h.ariaSort + h.dataset.sort)"
    assert chromium.run(sorts) == ["descendingname"]
    chromium.press("/", "/")
    chromium.type("10.20.3.1 host-1")
    assert chromium.run(NAMES) == [f"host-{number}" for number in range(129, 119, -1)]
    chromium.run("document.getElementById('filter').value = 'billing'")
    chromium.run("document.getElementById('filter').dispatchEvent(new Event('input'))")
    assert chromium.text("topics-shown") == "1 of 9 shown"
    assert chromium.run("document.getElementById('no-members').hidden") is False


@needs_chromium
def test_a_large_topic_opens_when_asked_to_and_names_its_hosts(chromium, cluster):
    opened(chromium, cluster(200))
    pane = "[...document.querySelectorAll('details')].find(d => d.innerText.startsWith('compute'))"
    assert chromium.run(f"{pane}.open") is False
    chromium.run(f"{pane}.querySelector('summary').click()")
    chromium.until(f"{pane}.querySelectorAll('.host').length === 120")
    assert chromium.run(f"{pane}.querySelector('.more').textContent") == (
        "and 80 more: use the filter"
    )


@needs_chromium
def test_a_lost_agent_is_said_and_found_again_without_a_gap(chromium, cluster):
    agent = cluster(5)
    opened(chromium, agent)
    agent.tell("member_left", "the first", name="x")
    chromium.until("document.querySelectorAll('#event-list li').length === 1")
    agent.down = True
    agent.drop_watchers()
    chromium.until("document.body.dataset.link === 'lost'")
    assert chromium.text("link-text") == "not connected"
    assert "What is shown is what was known last." in chromium.text("alarm")
    agent.tell("member_left", "meanwhile", name="y")
    agent.down = False
    chromium.until("document.body.dataset.link === 'live'")
    chromium.until("document.querySelectorAll('#event-list li').length === 2")
    chromium.until("document.getElementById('alarm').hidden")
    assert "meanwhile" in chromium.run("document.querySelector('#event-list li').textContent")


SHOWN = "[...document.querySelectorAll('#rows tr')].map((row) => row.cells[6].textContent)"
COLUMN = "document.querySelector('th.distance').offsetWidth > 0"


@needs_chromium
def test_distances_have_a_column_with_their_error_and_off_is_told(chromium, cluster):
    """The page showed no distances at all, whether or not an agent estimates them."""
    agent = cluster(5)
    opened(chromium, agent)
    assert chromium.run("document.getElementById('distances').offsetWidth") > 0
    assert chromium.text("distances") == "distances: off"
    assert chromium.run(COLUMN) is False
    agent.distances.on = True
    for name, far, error in (("host-b", 0.0824, 0.054), ("host-c", 0.0023, 1.5)):
        agent.members[name].rtt, agent.members[name].rtt_error = far, error
    chromium.until(f"{COLUMN} && {SHOWN}.includes('82.4 ms ±5 %')")
    assert chromium.run("document.getElementById('distances').offsetWidth") == 0
    assert chromium.run(SHOWN) == [
        "\u2013",
        "82.4 ms ±5 %",
        "2.3 ms ±150 %",
        "not known",
        "not known",
    ]
    chromium.run("document.querySelector('th[data-sort=rtt] button').click()")
    assert chromium.run(NAMES) == ["host-a", "host-c", "host-b", "host-d", "host-e"]
    chromium.run("document.querySelector('th[data-sort=rtt] button').click()")
    assert chromium.run(NAMES)[-1] == "host-a"
    assert chromium.complaints() == []
    for width in (360, 800, 1280):
        opened(chromium, agent, width, 740)
        assert chromium.run("document.documentElement.scrollWidth <= innerWidth")


@needs_chromium
def test_what_an_operator_must_know_stands_on_top(chromium, cluster):
    agent = cluster(5)
    agent.conflict = ["10.9.9.9:7946"]
    agent.trouble = {"seed-1:7946": "does not answer: it is down"}
    agent.faults = {"address_gone": "10.9.0.2:7946 is gone from this machine"}
    agent.topics["compute"].stale = True
    opened(chromium, agent)
    alarm = chromium.until("!alarm.hidden && alarm.textContent")
    assert alarm.startswith("Name conflict: another live process is called host-a, at 10.9.9.9:79")
    assert "Seed seed-1:7946 does not answer: it is down." in alarm
    assert "And: 10.9.0.2:7946 is gone from this machine." in alarm
    assert "1 topic without a live host answers its last known ones" in alarm


@needs_chromium
@pytest.mark.parametrize("size", [5, 500])
@pytest.mark.parametrize(("width", "height"), [(360, 740), (800, 1100), (1280, 720), (2560, 1400)])
def test_nothing_runs_over_the_edge(chromium, cluster, size, width, height):
    opened(chromium, cluster(size, troubled=size > 5), width, height)
    assert chromium.run("document.documentElement.scrollWidth <= innerWidth")
    over = """[...document.querySelectorAll('header *, .tile, .tile *, .head *, summary *')]
        .filter(e => e.offsetWidth && e.getBoundingClientRect().right > innerWidth + 1)
        .map(e => e.outerHTML.slice(0, 80))"""
    assert chromium.run(over) == []


@needs_chromium
def test_light_dark_and_motion_are_as_the_reader_wants(chromium, cluster):
    agent = cluster(5)
    opened(chromium, agent)
    paper = "getComputedStyle(document.documentElement).backgroundColor"
    light = chromium.run(paper)
    chromium.look(1440, 900, dark=True)
    dark = chromium.run(paper)
    assert light == "rgb(244, 246, 247)"
    assert dark == "rgb(18, 24, 28)"
    agent.set_status("host-c", "suspect")
    agent.tell("member_suspected", "host-c", name="host-c")
    row = "document.querySelector('tr.changed')"
    chromium.until(row)
    assert chromium.run(f"getComputedStyle({row}).animationName") == "none"
    chromium.look(1440, 900, still=False)
    assert chromium.run(f"getComputedStyle({row}).animationName") == "changed"


@needs_chromium
def test_a_real_agent_serves_it_and_a_real_death_is_seen(chromium):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with programs() as start:
        control = ("--control", "none")
        placed = ("--set", "distances=true")
        a = start("a", *control, "--control-port", str(port), "--register", "compute", *placed)
        start("b", *control, "--join", a.address, "--register", "compute", *placed)
        c = start("c", *control, "--join", a.address, "--register", "compute")
        chromium.look(1440, 900)
        chromium.open(f"http://127.0.0.1:{port}/")
        chromium.until("document.querySelectorAll('#rows tr[data-state=alive]').length === 3")
        chromium.until("document.body.dataset.link === 'live'")
        chromium.until("document.getElementById('agree').textContent === '2'")
        # b is measured within some rounds; c keeps no coordinate.
        chromium.until(f"/^[0-9.]+ ms ±[0-9]+ %$/.test({SHOWN}[1])")
        assert chromium.run(SHOWN)[2] == "not known"
        c.signal(signal.SIGKILL)
        chromium.until("document.querySelector('[data-name=c]').dataset.state === 'dead'")
        chromium.until("document.getElementById('event-list').textContent.includes('c is dead')")
        chromium.until("document.querySelectorAll('.host[data-state=live]').length === 2")
        chromium.until("document.querySelectorAll('.host[data-state=dead]').length === 1")
        assert chromium.complaints() == []
        a.signal(signal.SIGTERM)
        chromium.until("document.body.dataset.link === 'lost'")
