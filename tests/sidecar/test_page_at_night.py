"""The status page when something is wrong: what an operator has to see, find again and do next."""

import pytest

from tests.sidecar.browser import CHROMIUM
from tests.sidecar.test_page import NAMES, opened

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="chromium is not installed: apt-get install chromium"
)


def pane(topic):
    return (
        "[...document.querySelectorAll('details')]"
        f".find(d => d.querySelector('.name').textContent === '{topic}')"
    )


def dies(agent, name):
    """Let a member die, with the events that an agent tells of it."""
    topics = [t.topic for t in agent.topics.values() if name in t.fanout]
    agent.set_status(name, "dead", "it did not answer in time")
    agent.tell("member_died", f"member {name} is dead", name=name)
    for topic in topics:
        words = f"topic {topic}: {name} is gone"
        agent.tell("host_changed", words, topic=topic, host=name, state=None, previous="suspect")
    return topics


def test_the_verdict_is_always_there(chromium, cluster):
    agent = cluster(5)
    opened(chromium, agent)
    assert chromium.text("verdict") == "OK"
    agent.faults = {"address_gone": "10.9.0.2:7946 is gone from this machine"}
    chromium.until("document.getElementById('verdict').textContent === 'Degraded'")
    agent.conflict = ["10.9.9.9:7946"]
    chromium.until("document.getElementById('verdict').dataset.state === 'dead'")


def test_a_topic_shows_what_it_lost(chromium, cluster):
    """The topic compute had lost seven hosts, and its bar was green from end to end."""
    agent = cluster(5)
    opened(chromium, agent)
    dies(agent, "host-b")
    chromium.until(f"{pane('compute')}.querySelector('.count').textContent.endsWith('1 lost')")
    assert chromium.run(f"{pane('compute')}.querySelectorAll('.bar [data-state=dead]').length") == 1
    chip = f"{pane('compute')}.querySelector('.host[data-state=dead]').textContent"
    assert chromium.run(chip) == "✕host-b lost"
    assert "lost lately: compute 1 host" in chromium.text("topic-note")
    agent.tell("host_changed", "back", topic="compute", host="host-b", state="live", previous=None)
    agent.set_status("host-b", "alive")
    chromium.until(f"!{pane('compute')}.querySelector('.host[data-state=dead]')")


def test_a_topic_of_which_all_hosts_are_lost_is_still_there(chromium, cluster):
    agent = cluster(5)
    opened(chromium, agent)
    gone = agent.topics.pop("scheduler")
    for host in gone.hosts:
        agent.tell(
            "host_changed",
            "gone",
            topic="scheduler",
            host=host.host,
            state=None,
            previous="live",
        )
    chromium.until(f"{pane('scheduler')}?.querySelector('.count').textContent.includes('lost')")


def test_a_word_for_members_leaves_the_topics(chromium, cluster):
    """The list of topics was empty as soon as the filter said "dead"."""
    opened(chromium, cluster(200, troubled=True))
    chromium.press("/", "/")
    chromium.type("dead")
    assert chromium.text("members-shown").startswith("6 of 200")
    assert chromium.text("topics-shown") == ""
    assert chromium.run("document.querySelectorAll('#topic-list details').length") == 9


def test_hosts_that_go_with_their_member_are_in_its_line(chromium, cluster):
    """The death of a member drowned in "host is gone", once for each of its topics."""
    agent = cluster(5)
    opened(chromium, agent)
    topics = dies(agent, "host-b")
    agent.tell("host_changed", "other", topic="x", host="host-z", state=None, previous="live")
    chromium.until("document.querySelectorAll('#event-list li').length === 2")
    line = chromium.run("document.querySelectorAll('#event-list li')[1].textContent")
    assert line.endswith(f"✕member host-b is dead; out of {', '.join(topics)}")


def test_members_are_put_together_by_metadata(chromium, cluster):
    opened(chromium, cluster(200, troubled=True))
    chromium.run("group.value = 'zone', group.dispatchEvent(new Event('change')), group.value")
    heads = chromium.run("[...document.querySelectorAll('tr.group')].map(r => r.textContent)")
    assert [head.split(" ")[0:2] for head in heads] == [
        *(["zone", "a"], ["zone", "b"], ["zone", "c"], ["without", "zone"])
    ]
    assert "alive" in heads[0]
    assert len(chromium.run("[...document.querySelectorAll('#rows [data-name]')].length + ''")) == 3
    # The arrows go over the lines between.
    chromium.run("document.querySelector('#rows [data-name]').focus()")
    chromium.press("End")
    assert chromium.run("document.activeElement.dataset.name").startswith("host-")


def test_what_is_looked_at_survives_a_reload_and_can_be_sent(chromium, cluster):
    agent = cluster(200, troubled=True)
    opened(chromium, agent)
    chromium.run("document.querySelector('#states [data-state=dead]').click()")
    chromium.run("document.querySelector('th[data-sort=name] button').click()")
    chromium.press("/", "/")
    chromium.type("host")
    names = chromium.run(NAMES)
    where = chromium.run("location.hash")
    assert where == "#state=dead&sort=name&filter=host"
    chromium.open(f"{agent.url}{where}&member={names[0]}")
    chromium.until("document.getElementById('detail-facts').children.length")
    assert chromium.text("detail-name") == names[0]
    chromium.press("Escape")
    chromium.until("document.body.dataset.link === 'live'")
    chromium.until("document.querySelector('#rows tr')")
    assert chromium.run(NAMES) == names
    assert chromium.run("location.hash") == where


def test_what_to_type_next_is_said(chromium, cluster):
    agent = cluster(5)
    agent.set_status("host-b", "dead")
    opened(chromium, agent)
    commands = "[...document.querySelectorAll('#detail-commands code')].map(c => c.textContent)"
    for name, wanted in (
        ("host-b", ["gossipmm why host-b", "gossipmm forget host-b"]),
        ("host-c", ["gossipmm why host-c"]),
        ("host-a", ["gossipmm status", "gossipmm info"]),
    ):
        chromium.run(f"document.querySelector('[data-name={name}]').click()")
        chromium.until("document.querySelector('#detail-commands code')")
        assert chromium.run(commands) == wanted
        chromium.press("Escape")
        chromium.until("!document.getElementById('detail').open")


def test_a_name_is_cut_in_its_middle(chromium, cluster):
    """host-in-a-very-long-zone-01 and -02 looked the same."""
    agent = cluster(5)
    name = "worker-of-the-large-cluster-in-the-northern-zone-and-rack-17-00042"
    agent.members[name] = agent.members.pop("host-c")
    agent.members[name].name = name
    opened(chromium, agent, 1300, 800)
    cell = f"document.querySelector('[data-name={name}] .cut')"
    assert chromium.run(f"{cell}.textContent") == name
    first, last = chromium.run(
        f"[...{cell}.children].map(c => [c.scrollWidth > c.clientWidth, c.textContent])"
    )
    assert first[0]
    assert last == [False, name[-9:]]
    row = f"document.querySelector('[data-name={name}]').getBoundingClientRect().height"
    assert chromium.run(row) < 40


def test_all_members_are_asked_at_a_click(chromium, cluster):
    agent = cluster(5)
    dies(agent, "host-b")
    agent.set_status("host-c", "suspect")
    opened(chromium, agent)
    chromium.run("document.getElementById('ask-all').click()")
    chromium.until("document.getElementById('asked').textContent.includes('say that all is well')")
    assert chromium.text("asked") == (
        "3 of 5 members say that all is well; host-c degraded: its timers fire late: its machine "
        "is too busy; no answer from host-b."
    )
    assert not chromium.run("document.getElementById('ask-all').disabled")
