// The page: reads the agent's tables, follows its events, and keeps both on the screen.

import { before, get, watch } from "./api.js";
import * as detail from "./detail.js";
import { byId, fillBar, make, many, say, span } from "./dom.js";
import * as everybody from "./everybody.js";
import * as events from "./events.js";
import * as members from "./members.js";
import * as place from "./place.js";
import * as topics from "./topics.js";
import * as traffic from "./traffic.js";

/** Milliseconds between two readings of the status; of the tables, small and large; after events. */
const STATUS = 2000;
const TABLES = 2000;
const LARGE_TABLES = 5000;
const AFTER_EVENT = 250;
const LARGE = 100;
/** Least time between two readings of the tables, however much happens. */
const LEAST = 1000;
/** Verdicts other than ok, as they are shown. */
const VERDICT = { leaving: "Leaving", conflict: "Name conflict", not_joined: "Not joined", isolated: "Isolated", degraded: "Degraded" };
/** Differing peers that are named. */
const NAMED = 5;

let status = null;
let stream = "connecting";
let broken = "";
let size = 0;
let timer = 0;
let dueAt = 0;
let readAt = -Infinity;
let reading = false;

// -- reading --------------------------------------------------------------------------------

async function readTables() {
  if (reading) return plan(LEAST);
  reading = true;
  try {
    const [found, known] = await Promise.all([get("/v1/members"), get("/v1/topics")]);
    members.show(found);
    topics.show(known);
    size = found.members.length;
    broken = "";
    detail.refresh();
    say(byId("summary"), members.sentence());
    title();
  } catch (error) {
    broken = error.message;
  }
  reading = false;
  readAt = performance.now();
  draw();
  plan(size > LARGE ? LARGE_TABLES : TABLES);
}

/** Read the tables in so many milliseconds, unless that is planned to happen earlier. */
function plan(wait) {
  const due = Math.max(performance.now() + wait, readAt + LEAST);
  if (timer && dueAt <= due) return;
  clearTimeout(timer);
  dueAt = due;
  timer = setTimeout(() => {
    timer = 0;
    if (!document.hidden) readTables();
  }, due - performance.now());
}

async function readStatus() {
  try {
    status = await get("/v1/status");
    traffic.show(status.traffic);
    events.counted(status.user_events);
    members.distances(status.distances);
    broken = "";
  } catch (error) {
    broken = error.message;
  }
  draw();
}

async function begin() {
  for (;;) {
    await readStatus();
    if (status) break;
    await new Promise((resolve) => setTimeout(resolve, STATUS));
  }
  await readTables();
  watch(before(status.event_id), {
    heard(event) {
      events.add(event);
      topics.heard(event);
      plan(AFTER_EVENT);
    },
    link(state, words) {
      stream = state;
      broken = state === "live" ? "" : words;
      draw();
    },
    anew: () => plan(0),
  });
  setInterval(() => {
    if (!document.hidden) readStatus();
  }, STATUS);
  setInterval(() => {
    if (!document.hidden) members.tick();
  }, 1000);
}

// -- drawing --------------------------------------------------------------------------------

function draw() {
  const link = stream === "closing" || (broken && stream !== "connecting") ? "lost" : stream;
  byId("link").dataset.link = document.body.dataset.link = link;
  say(byId("link-text"), link === "lost" ? (stream === "closing" ? "agent left" : "not connected") : link);
  drawAlarm(link);
  if (!status) return;
  say(byId("node"), status.name);
  say(byId("cluster"), status.cluster);
  const verdict = byId("verdict");
  verdict.dataset.state = { ok: "alive", degraded: "suspect", leaving: "left" }[status.verdict] ?? "dead";
  say(verdict, VERDICT[status.verdict] ?? "OK");
  say(byId("about"), `${status.addresses.join(", ")} · version ${status.version} · up ${span(status.uptime)}`);
  drawAgreement();
  drawIdentity();
}

/** Who is not as far as this agent, and whose certificate ends. Older agents say nothing of it. */
function drawIdentity() {
  const note = byId("identity-note");
  const { identity } = status;
  note.hidden = !identity?.key;
  if (note.hidden) return;
  const some = (names) => (names.length > NAMED ? `${names.slice(0, NAMED).join(", ")} and ${names.length - NAMED} more` : names.join(", "));
  const ending = Object.entries(identity.ending).sort((a, b) => a[1] - b[1]).map(([name, end]) => {
    const left = end - Date.now() / 1000;
    return `${name} ${left > 0 ? `in ${span(left)}` : `${span(-left)} ago`}`;
  });
  const parts = [
    identity.not_ready.length ? `not ready for require: ${some(identity.not_ready)}` : identity.mode === "announce" ? "all members are ready for require" : "",
    Object.keys(identity.conflicts).length ? `used with another key: ${some(Object.keys(identity.conflicts))}` : "",
    identity.equivocating.length ? `signed two things as one: ${some(identity.equivocating)}` : "",
    identity.revoked.length ? `certificate revoked: ${some(identity.revoked)}` : "",
    ending.length ? `certificates end: ${some(ending)}` : "",
  ];
  say(note, [`identity ${identity.mode}, key ${identity.key}`, ...parts.filter(Boolean)].join("; "));
}

function drawAgreement() {
  const { agree, unheard, differ } = status;
  const peers = agree + unheard + differ.length;
  say(byId("agree"), peers ? String(agree) : "–");
  say(byId("agree-of"), !peers ? "no other member is alive" : agree === peers ? (peers === 1 ? "peer, which agrees" : "peers, all agree") : `of ${many(peers, "peer")} agree`);
  fillBar(byId("agree-bar"), [["agree", agree], ["differ", differ.length], ["unknown", unheard]]);
  const longest = [...differ].sort((a, b) => b.since_ago - a.since_ago);
  const named = longest.slice(0, NAMED).map((peer) => `${peer.name} for ${span(peer.since_ago)}`);
  if (longest.length > NAMED) named.push(`${longest.length - NAMED} more`);
  const parts = [named.length ? `differ: ${named.join(", ")}` : "", unheard ? `${unheard} not heard since it changed` : ""];
  say(byId("agree-note"), parts.filter(Boolean).join("; ") || `fingerprint ${status.fingerprint}`);
}

function drawAlarm(link) {
  const stale = topics.stale().length;
  const reasons = status?.reasons ?? [];
  const lines = [
    link === "lost" && broken ? `${broken}. What is shown is what was known last.` : "",
    ...reasons.map((reason, n) => (n ? `And: ${reason}.` : `${VERDICT[status.verdict]}: ${reason}.`)),
    stale ? `${many(stale, "topic")} without a live host ${stale === 1 ? "answers its" : "answer their"} last known ones.` : "",
    ...(status?.joined ? Object.entries(status.trouble).map(([seed, words]) => `Seed ${seed} ${words}.`) : []),
  ].filter(Boolean);
  const alarm = byId("alarm");
  if (alarm.dataset.lines === lines.join("\n")) return; // read out once, not every two seconds
  alarm.dataset.lines = lines.join("\n");
  alarm.replaceChildren(...lines.map((line) => make("p", {}, line)));
  alarm.hidden = !lines.length;
}

function title() {
  const now = members.counts();
  const trouble = ["suspect", "dead"].filter((state) => now[state]).map((state) => `${now[state]} ${state}`).join(", ");
  const whole = `${trouble ? `${trouble} · ` : ""}${status.name} · gossipmm`;
  if (document.title !== whole) document.title = whole;
}

// -- hands ----------------------------------------------------------------------------------

function filter() {
  const words = byId("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  place.note("filter", words.join(" "));
  members.filter(words);
  topics.filter(words);
}

/** Look at what the address of the page says. */
function look() {
  const wanted = place.read();
  members.look(wanted);
  byId("filter").value = wanted.get("filter") ?? "";
  filter();
  const name = wanted.get("member");
  if (name) detail.open(name);
}

document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || byId("detail").open) return;
  const field = byId("filter");
  if (event.target === field) {
    if (event.key === "Escape") {
      field.value = "";
      filter();
      field.blur();
    } else if (event.key === "ArrowDown" || event.key === "Enter") {
      event.preventDefault();
      members.focusRow();
    }
  } else if (event.key === "/") {
    event.preventDefault();
    field.focus();
    field.select();
  } else if (event.key === "p") {
    events.pause();
  } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && event.target === document.body) {
    event.preventDefault();
    members.focusRow();
  }
});
byId("filter").addEventListener("input", filter);
byId("search").addEventListener("submit", (event) => event.preventDefault());
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && status) {
    readStatus();
    plan(0);
  }
});
members.start(detail.open);
events.start();
everybody.start();
detail.start();
addEventListener("hashchange", look);
look();
begin();
