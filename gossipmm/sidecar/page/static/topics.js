// The topics, each with its hosts; a large one opens when it is asked to.

import { SIGNS, arrange, byId, fillBar, make, many, nameOf, say, span } from "./dom.js";

/** A topic of so few hosts is open from the start, while there are few topics. */
const OPEN_HOSTS = 12;
const OPEN_TOPICS = 12;
/** Hosts shown of one topic; further ones are found by the filter. */
const MOST = 120;
/** Topics named in the overview. */
const NAMED = 3;
/** Milliseconds for which a host that was lost is shown where it was. */
const LOST_FOR = 600_000;
/** States of members that no host of a topic has: such a word leaves the topics as they are. */
const OF_MEMBERS = new Set(["alive", "dead", "returning", "probation", "left"]);
const ORDER = ["live", "doubted", "suspect", "unhealthy", "draining", "unknown", "stale"];

const panes = new Map();
/** Topic -> host -> when it went out of the topic. */
const lost = new Map();
let topics = [];
let words = [];
let readAt = 0;

/** Show what GET /v1/topics answered. */
export function show(answer) {
  readAt = performance.now();
  topics = answer.topics;
  const there = new Set(topics.map((topic) => topic.topic));
  for (const name of panes.keys()) if (!there.has(name) && !lost.get(name)?.size) panes.delete(name);
  draw();
}

/** Show only topics that match all the words, by their name or one of their hosts. */
export function filter(wanted) {
  words = wanted.filter((word) => !OF_MEMBERS.has(word));
  draw();
}

/** Note what an event tells of a host. */
export function heard(event) {
  if (event.event !== "host_changed") return;
  if (!lost.has(event.topic)) lost.set(event.topic, new Map());
  if (event.state === null) lost.get(event.topic).set(event.host, event.time * 1000);
  else lost.get(event.topic).delete(event.host);
}

/** Hosts that a topic lost lately, and that are not there again. */
function lostOf(topic) {
  const there = new Set(topic.hosts.map((host) => host.host));
  const since = Date.now() - LOST_FOR;
  const gone = lost.get(topic.topic) ?? new Map();
  for (const [host, at] of gone) if (at < since || there.has(host)) gone.delete(host);
  return gone;
}

/** Topics that the agent knows, and those of which every host was lost lately. */
function shown() {
  const known = new Set(topics.map((topic) => topic.topic));
  const gone = [...lost.keys()].filter((name) => !known.has(name)).map((name) => ({ topic: name, stale: false, picks: [], fanout: [], hosts: [] })).filter((topic) => lostOf(topic).size);
  return [...topics, ...gone].sort((a, b) => (a.topic < b.topic ? -1 : 1));
}

/** Topics that answer with hosts that are not live. */
export const stale = () => topics.filter((topic) => topic.stale);

const includes = (text) => words.every((word) => text.toLowerCase().includes(word));

function draw() {
  const found = shown()
    .map((topic) => ({ topic, hosts: includes(topic.topic) ? topic.hosts : topic.hosts.filter((host) => includes(`${topic.topic} ${host.host} ${host.state}`)) }))
    .filter(({ topic, hosts }) => hosts.length || includes(topic.topic));
  arrange(byId("topic-list"), found.map(({ topic, hosts }) => paneOf(topic, hosts)));
  const none = byId("no-topics");
  none.hidden = found.length > 0;
  say(none, topics.length ? "No topic or host matches the filter." : "No member registers a topic.");
  say(byId("topics-shown"), found.length < topics.length ? `${found.length} of ${topics.length} shown` : "");
  drawTile();
}

function drawTile() {
  const hosts = new Set(topics.flatMap((topic) => topic.hosts.map((host) => host.host)));
  say(byId("topic-count"), String(topics.length));
  say(byId("host-count"), many(hosts.size, "host"));
  const empty = topics.filter((topic) => !topic.picks.length || topic.stale).map((topic) => topic.topic);
  const named = empty.slice(0, NAMED).join(", ") + (empty.length > NAMED ? `, and ${empty.length - NAMED} more` : "");
  const losses = shown().map((topic) => [topic.topic, lostOf(topic).size]).filter(([, count]) => count).sort((a, b) => b[1] - a[1]);
  const worst = losses.slice(0, NAMED).map(([name, count]) => `${name} ${many(count, "host")}`).join(", ") + (losses.length > NAMED ? `, and ${losses.length - NAMED} more` : "");
  const parts = [empty.length ? `no live host: ${named}` : topics.length ? "each has a live host" : "", losses.length ? `lost lately: ${worst}` : ""];
  say(byId("topic-note"), parts.filter(Boolean).join("; "));
}

function paneOf(topic, hosts) {
  let pane = panes.get(topic.topic);
  if (!pane) {
    const head = make("summary", {}, nameOf(topic.topic, { class: "name" }), make("span", { class: "count" }), make("span", { class: "bar", "aria-hidden": "true" }));
    pane = make("details", { open: topic.hosts.length <= OPEN_HOSTS && topics.length <= OPEN_TOPICS }, head, make("div", { class: "hosts" }));
    pane.addEventListener("toggle", () => pane.open && fill(pane));
    panes.set(topic.topic, pane);
  }
  pane.hosts = hosts;
  pane.lost = lostOf(topic);
  const states = {};
  for (const host of topic.hosts) states[host.state] = (states[host.state] ?? 0) + 1;
  const [, count, bar] = pane.firstElementChild.children;
  const bad = !topic.picks.length || topic.stale;
  const parts = ORDER.filter((state) => states[state]).map((state) => `${states[state]} ${state}`);
  if (pane.lost.size) parts.push(`${pane.lost.size} lost`);
  say(count, parts.join(", ") || "nobody");
  count.classList.toggle("bad", bad || pane.lost.size > 0);
  fillBar(bar, [...ORDER.map((state) => [state, states[state] ?? 0]), ["dead", pane.lost.size]]);
  if (pane.open) fill(pane);
  return pane;
}

function fill(pane) {
  const box = pane.lastElementChild;
  const age = (performance.now() - readAt) / 1000;
  const hosts = [...pane.hosts].sort((a, b) => ORDER.indexOf(b.state) - ORDER.indexOf(a.state));
  const chips = [...pane.lost].slice(0, MOST).map(([host, at]) => lostChip(host, at));
  chips.push(...hosts.slice(0, MOST).map((host) => chipOf(host, age)));
  if (hosts.length > MOST) chips.push(make("span", { class: "more" }, `and ${hosts.length - MOST} more: use the filter`));
  if (!hosts.length) chips.push(make("span", { class: "more" }, "nobody serves it now; a record of a member that is gone remembers it"));
  box.replaceChildren(...chips);
}

function lostChip(host, at) {
  const title = `${host}: out of this topic for ${span((Date.now() - at) / 1000)}`;
  return make("span", { class: "host", "data-state": "dead", title }, make("span", { class: "sign", "aria-hidden": "true" }, SIGNS.dead), nameOf(host), make("small", {}, " lost"));
}

function chipOf(host, age) {
  const by = host.nodes.length === 1 && host.nodes[0] === host.host ? "" : `, registered by ${host.nodes.join(", ")}`;
  const metadata = Object.entries(host.metadata).map(([key, value]) => `${key}=${value}`).join(", ");
  const title = `${host.host}: ${host.state} for ${span(host.since_ago + age)}${by}${host.reason && `: ${host.reason}`}${metadata && `; ${metadata}`}`;
  const word = host.state === "live" ? null : make("small", {}, ` ${host.state}`);
  return make("span", { class: "host", "data-state": host.state, title }, make("span", { class: "sign", "aria-hidden": "true" }, SIGNS[host.state]), nameOf(host.host), word);
}
