// What happened, newest first.

import { SIGNS, byId, make, mark, say } from "./dom.js";

/** Lines kept. */
const MOST = 300;
const STATE = {
  member_joined: "alive", member_restarted: "returning", member_suspected: "suspect", member_refuted: "alive", member_died: "dead",
  member_returned: "returning", member_left: "left", member_reaped: "left", probation_ended: "alive", joined: "alive",
  isolated: "suspect", self_slow: "suspect", self_impaired: "suspect", member_impaired: "suspect", member_crash_looping: "suspect", name_conflict: "dead", identity_conflict: "dead", equivocating: "dead", registration_expired: "suspect", service_changed: "unhealthy", source_differs: "suspect", path_trouble: "suspect", table_full: "suspect", name_claimed: "suspect", generation_ahead: "suspect", not_admitted: "suspect", rotation_unordered: "suspect",
  foreign_traffic: "suspect", key_wanted: "suspect",
};
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** Seconds within which hosts that go belong to the member that went. */
const TOGETHER = 3;

/** Member that died or left -> its line, and the topics that it went out of. */
const gone = new Map();
let waiting = [];
let drawing = 0;
let paused = false;

/** Take an event; it is shown with the next picture that the browser draws. */
export function add(event) {
  waiting.push(event);
  if (waiting.length > MOST) waiting.shift();
  if (paused) say(byId("pause"), `Go on (${waiting.length})`);
  else if (!drawing) drawing = requestAnimationFrame(draw);
}

function draw() {
  drawing = 0;
  const list = byId("event-list");
  const lines = [];
  for (const event of waiting) if (!folded(event)) lines.unshift(lineOf(event));
  list.prepend(...lines);
  waiting = [];
  while (list.childElementCount > MOST) list.lastElementChild.remove();
  for (const [name, { line }] of gone) if (!line.isConnected) gone.delete(name);
  byId("no-events").hidden = list.childElementCount > 0;
}

/** Put a host that goes with its member into that member's line: deaths do not drown in it. */
function folded(event) {
  if (event.event !== "host_changed" || event.state !== null) return false;
  const with_ = gone.get(event.host);
  if (!with_ || event.time - with_.time > TOGETHER) return false;
  with_.topics.push(event.topic);
  const named = with_.topics.slice(0, 3).join(", ") + (with_.topics.length > 3 ? ` and ${with_.topics.length - 3} more` : "");
  say(with_.line.lastChild, `; out of ${named}`);
  return true;
}

function lineOf(event) {
  const moment = new Date(event.time * 1000);
  const about = event.event === "host_changed" ? "host" : "member";
  const state = about === "host" ? (event.state ?? "left") : (STATE[event.event] ?? "unknown");
  const line = make("li", { "data-state": state, "data-about": about },
    make("time", { datetime: moment.toISOString(), title: moment.toLocaleString() }, clock.format(moment)),
    make("span", { class: "sign", "aria-hidden": "true" }, SIGNS[state] ?? "·"),
    make("span", {}, event.text || event.event, make("small", {})));
  if (event.event === "member_died" || event.event === "member_left") gone.set(event.name, { line: line.lastChild, time: event.time, topics: [] });
  return line;
}

/** Hold the list still, or let it go on. */
export function pause() {
  paused = !paused;
  mark(byId("pause"), "aria-pressed", paused);
  say(byId("pause"), paused ? "Go on" : "Pause");
  if (!paused && waiting.length) draw();
}

/** What became of user events; nothing where there are none. Older agents do not say it. */
export function counted(user) {
  const of = (count, words) => (count ? `${count} ${words}` : "");
  const parts = user && [of(user.sent, "sent"), of(user.delivered, "told here"), of(user.lost, "lost"), of(user.refused, "of others refused"), of(user.over_budget, "refused: over the budget")].filter(Boolean);
  say(byId("user-events"), parts?.length ? `user events: ${parts.join(", ")}; room for ${user.room}` : "");
}

export function start() {
  byId("pause").addEventListener("click", pause);
  byId("with-hosts").addEventListener("change", (event) => {
    byId("events").classList.toggle("quietly", !event.target.checked);
  });
}
