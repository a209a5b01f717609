// What happened, newest first.

import { SIGNS, byId, make, mark, say } from "./dom.js";

/** Lines kept. */
const MOST = 300;
const STATE = {
  member_joined: "alive", member_restarted: "returning", member_suspected: "suspect", member_refuted: "alive", member_died: "dead",
  member_returned: "returning", member_left: "left", member_reaped: "left", probation_ended: "alive", joined: "alive",
  isolated: "suspect", self_slow: "suspect", self_impaired: "suspect", member_impaired: "suspect", member_crash_looping: "suspect", name_conflict: "dead", registration_expired: "suspect", source_differs: "suspect", path_trouble: "suspect", table_full: "suspect", not_admitted: "suspect",
  foreign_traffic: "suspect", key_wanted: "suspect",
};
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

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
  list.prepend(...waiting.map(lineOf).reverse());
  waiting = [];
  while (list.childElementCount > MOST) list.lastElementChild.remove();
  byId("no-events").hidden = list.childElementCount > 0;
}

function lineOf(event) {
  const moment = new Date(event.time * 1000);
  const about = event.event === "host_changed" ? "host" : "member";
  const state = about === "host" ? (event.state ?? "left") : (STATE[event.event] ?? "unknown");
  return make("li", { "data-state": state, "data-about": about },
    make("time", { datetime: moment.toISOString(), title: moment.toLocaleString() }, clock.format(moment)),
    make("span", { class: "sign", "aria-hidden": "true" }, SIGNS[state] ?? "·"),
    make("span", {}, event.text || event.event));
}

/** Hold the list still, or let it go on. */
export function pause() {
  paused = !paused;
  mark(byId("pause"), "aria-pressed", paused);
  say(byId("pause"), paused ? "Go on" : "Pause");
  if (!paused && waiting.length) draw();
}

export function start() {
  byId("pause").addEventListener("click", pause);
  byId("with-hosts").addEventListener("change", (event) => {
    byId("events").classList.toggle("quietly", !event.target.checked);
  });
}
