// The members: a square each, for the eye, and a table, for everything else.

import { SIGNS, arrange, byId, make, mark, many, nameOf, say, span, stateOf } from "./dom.js";
import * as place from "./place.js";

/** Trouble comes first. */
const RANK = ["suspect", "dead", "returning", "probation", "unknown", "draining", "alive", "left"];
/** From how many members on the squares help. */
const GLANCE = 30;
/** From how many on they are smaller. */
const SMALLER = 300;
/** Keys of metadata to group by. */
const KEYS_OFFERED = 12;
/** Rows in the table; further members are found by the filter. */
const MOST = 1000;

const collator = new Intl.Collator("en", { numeric: true });
const far = (member) => (member.self ? -1 : member.rtt ?? Infinity);
const KEYS = {
  state: (a, b) => RANK.indexOf(a.shown) - RANK.indexOf(b.shown),
  name: () => 0,
  heard: (a, b) => (a.heard_ago ?? Infinity) - (b.heard_ago ?? Infinity) || 0,
  since: (a, b) => a.since_ago - b.since_ago,
  registrations: (a, b) => a.registrations - b.registrations,
  rtt: (a, b) => far(a) - far(b) || 0,
};

const rows = new Map();
const squares = new Map();
const only = new Set();
let members = [];
let words = [];
let sort = { key: "state", down: false };
/** The key of metadata that puts members together. */
let group = "";
const groups = new Map();
let chosen = "";
let readAt = 0;
let known = false;
let open = () => {};

const plain = (metadata) => Object.entries(metadata).map(([key, value]) => `${key}=${value}`).join(", ");
const elapsed = () => (performance.now() - readAt) / 1000;

/** Show what GET /v1/members answered. */
export function show(answer) {
  readAt = performance.now();
  members = answer.members.map((member) => ({
    ...member,
    shown: member.status === "alive" && member.draining ? "draining" : member.status,
    remarks: [member.reason, plain(member.metadata)].filter(Boolean).join("; "),
  }));
  members.sort((a, b) => collator.compare(a.name, b.name));
  draw();
  known = true;
  const gone = new Set(rows.keys());
  for (const member of members) gone.delete(member.name);
  for (const name of gone) {
    rows.delete(name);
    squares.delete(name);
  }
}

/** Show only what matches all the words. */
export function filter(wanted) {
  words = wanted;
  draw();
}

/** Numbers of members by what is shown of them. */
export function counts() {
  const found = {};
  for (const member of members) found[member.shown] = (found[member.shown] ?? 0) + 1;
  return found;
}

function matches(member) {
  if (only.size && !only.has(member.shown)) return false;
  const text = [member.name, member.shown, ...member.addresses, member.remarks].join(" ").toLowerCase();
  return words.every((word) => text.includes(word));
}

function draw() {
  const found = members.filter(matches);
  const compare = KEYS[sort.key];
  found.sort((a, b) => compare(a, b) || collator.compare(a.name, b.name));
  if (sort.down) found.reverse();
  const focused = document.activeElement?.dataset?.name;
  arrange(byId("rows"), grouped(found.slice(0, MOST)));
  if (focused && document.activeElement?.dataset?.name !== focused) {
    rows.get(focused)?.focus({ preventScroll: true });
  }
  if (!found.some((member) => member.name === chosen)) chosen = found[0]?.name ?? "";
  for (const [name, row] of rows) row.tabIndex = name === chosen ? 0 : -1;
  byId("no-members").hidden = found.length > 0 || !members.length;
  const cut = found.length > MOST ? `, the first ${MOST} of them` : "";
  say(byId("members-shown"), found.length < members.length ? `${found.length} of ${members.length} shown${cut}` : cut && `showing ${MOST} of ${members.length}`);
  drawSquares(new Set(found.map((member) => member.name)));
  drawStates();
  drawGroups();
}

/** The rows of members, under a line for each group if they are to be grouped. */
function grouped(found) {
  if (!group) return found.map(rowOf);
  const by = new Map();
  for (const member of found) {
    const value = member.metadata[group] === undefined ? "" : String(member.metadata[group]);
    if (!by.has(value)) by.set(value, []);
    by.get(value).push(member);
  }
  return [...by.keys()].sort((a, b) => !a - !b || collator.compare(a, b)).flatMap((value) => {
    const states = {};
    for (const member of by.get(value)) states[member.shown] = (states[member.shown] ?? 0) + 1;
    let line = groups.get(value);
    if (!line) groups.set(value, line = make("tr", { class: "group" }, make("th", { colspan: "8", scope: "rowgroup" }, make("bdi"), make("span", { class: "quiet" }))));
    const [head, counted] = line.firstChild.children;
    say(head, value ? `${group} ${value}` : `without ${group}`);
    say(counted, ` ${RANK.filter((state) => states[state]).map((state) => `${states[state]} ${state}`).join(", ")}`);
    return [line, ...by.get(value).map(rowOf)];
  });
}

/** Offer the keys of metadata that members have. */
function drawGroups() {
  const keys = [...new Set(members.flatMap((member) => Object.keys(member.metadata)))].sort().slice(0, KEYS_OFFERED);
  const select = byId("group");
  if (group && !keys.includes(group)) keys.push(group);
  byId("group-label").hidden = !keys.length;
  if (select.dataset.keys === keys.join("\n")) return;
  select.dataset.keys = keys.join("\n");
  select.replaceChildren(make("option", { value: "" }, "nothing"), ...keys.map((key) => make("option", { value: key }, key)));
  select.value = group;
}

function rowOf(member) {
  let row = rows.get(member.name);
  if (!row) {
    const name = make("td", { class: "name" }, nameOf(member.name));
    if (member.self) name.append(make("span", { class: "self" }, "this node"));
    const cell = (kind) => make("td", { class: kind });
    row = make("tr", { "data-name": member.name, tabindex: "-1" }, cell("shown"), name, cell("address"), cell("number heard"), cell("number since"), cell("number count"), cell("number distance"), cell("why"));
    if (known) row.className = "changed";
    rows.set(member.name, row);
  }
  const [shown, , address, , , count, distance, why] = row.cells;
  if (row.dataset.state !== member.shown) {
    if (row.dataset.state) {
      row.classList.remove("changed");
      void row.offsetWidth; // so that the animation begins again
      row.classList.add("changed");
    }
    row.dataset.state = member.shown;
    shown.replaceChildren(stateOf(member.shown));
  }
  say(address, member.addresses.join(" "));
  say(count, String(member.registrations));
  say(distance, distanceOf(member));
  say(why, member.remarks);
  mark(why, "title", member.remarks || null);
  drawAges(row, member);
  return row;
}

/** "23.4 ms ±8 %", or why there is none. */
function distanceOf(member) {
  if (member.self) return "–";
  if (member.rtt === null || member.rtt === undefined) return "not known";
  const error = member.rtt_error === null || member.rtt_error === undefined ? "" : ` ±${Math.round(100 * member.rtt_error)} %`;
  return `${(1000 * member.rtt).toFixed(1)} ms${error}`;
}

/** Say whether distances are estimated here; an agent of an older version does not tell. */
export function distances(told) {
  byId("distances").hidden = !told || told.on;
  document.body.classList.toggle("placed", Boolean(told?.on));
}

function drawAges(row, member) {
  const heard = member.heard_ago === null ? null : member.heard_ago + elapsed();
  say(row.cells[3], member.self ? "–" : span(heard));
  say(row.cells[4], span(member.since_ago + elapsed()));
}

/** Let the ages grow between two answers of the agent. */
export function tick() {
  for (const member of members) {
    const row = rows.get(member.name);
    if (row?.isConnected) drawAges(row, member);
  }
}

// -- squares, buttons -----------------------------------------------------------------------

function drawSquares(found) {
  const glance = byId("glance");
  glance.hidden = members.length < GLANCE;
  if (glance.hidden) return;
  glance.classList.toggle("many", members.length > SMALLER);
  arrange(glance, members.map((member) => {
    let square = squares.get(member.name);
    if (!square) squares.set(member.name, square = make("i", { "data-name": member.name }));
    if (square.dataset.state !== member.shown) {
      square.dataset.state = member.shown;
      square.title = `${member.name}: ${member.shown}`;
      square.textContent = ["alive", "left"].includes(member.shown) ? "" : SIGNS[member.shown];
    }
    square.classList.toggle("out", !found.has(member.name));
    return square;
  }));
}

function drawStates() {
  const now = counts();
  const alive = (now.alive ?? 0) + (now.draining ?? 0);
  say(byId("alive"), String(alive));
  say(byId("alive-of"), alive === members.length ? "known, all alive" : `alive of ${members.length} known`);
  for (const state of only) if (!now[state]) now[state] = 0; // still to be switched off
  const buttons = new Map([...byId("states").children].map((button) => [button.dataset.state, button]));
  const wanted = RANK.filter((state) => state in now);
  arrange(byId("states"), wanted.map((state) => {
    const button = buttons.get(state) ?? make("button", { type: "button", "data-state": state }, make("span", { class: "sign", "aria-hidden": "true" }, SIGNS[state]), make("span"));
    say(button.lastChild, `${now[state]} ${state}`);
    mark(button, "aria-pressed", only.has(state));
    return button;
  }));
}

/** One sentence for screen readers. */
export function sentence() {
  const now = counts();
  return `${many(members.length, "member")}: ${RANK.filter((state) => now[state]).map((state) => `${now[state]} ${state}`).join(", ")}.`;
}

// -- hands ----------------------------------------------------------------------------------

function choose(row) {
  if (!row) return;
  const before = rows.get(chosen);
  if (before) before.tabIndex = -1;
  chosen = row.dataset.name;
  row.tabIndex = 0;
  row.focus();
}

/** Focus the chosen row, or the first one. */
export const focusRow = () => choose(rows.get(chosen) ?? byId("rows").querySelector("[data-name]"));

function key(event) {
  const row = event.target.closest("tr");
  if (!row || event.altKey || event.ctrlKey || event.metaKey) return;
  const all = [...byId("rows").children].filter((each) => each.dataset.name !== undefined);
  const at = all.indexOf(row);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + 12, PageUp: at - 12, Home: 0, End: all.length - 1 }[event.key];
  if (to !== undefined) {
    event.preventDefault();
    choose(all[Math.max(0, Math.min(all.length - 1, to))]);
  } else if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    open(row.dataset.name);
  }
}

/** `opened(name)` is called when somebody wants to know more of a member. */
export function start(opened) {
  open = opened;
  for (const id of ["rows", "glance"]) {
    byId(id).addEventListener("click", (event) => {
      const name = event.target.closest("[data-name]")?.dataset.name;
      if (name === undefined) return;
      if (id === "rows") choose(rows.get(name));
      open(name);
    });
  }
  byId("rows").addEventListener("keydown", key);
  byId("states").addEventListener("click", (event) => {
    const state = event.target.closest("button")?.dataset.state;
    if (!state) return;
    if (!only.delete(state)) only.add(state);
    place.note("state", [...only].join(","));
    draw();
  });
  byId("group").addEventListener("change", () => {
    group = byId("group").value;
    groups.clear();
    place.note("group", group);
    draw();
  });
  for (const head of document.querySelectorAll("th[data-sort]")) {
    head.firstElementChild.addEventListener("click", () => {
      const key = head.dataset.sort;
      sort = { key, down: sort.key === key && !sort.down };
      place.note("sort", `${sort.down ? "-" : ""}${key}`);
      drawSort();
      draw();
    });
  }
}

function drawSort() {
  for (const head of document.querySelectorAll("th[data-sort]")) {
    mark(head, "aria-sort", head.dataset.sort === sort.key ? (sort.down ? "descending" : "ascending") : null);
  }
}

/** Take what is looked at from the address of the page. */
export function look(wanted) {
  only.clear();
  for (const state of (wanted.get("state") ?? "").split(",")) if (RANK.includes(state)) only.add(state);
  group = wanted.get("group") ?? "";
  groups.clear();
  byId("group").dataset.keys = "?"; // so that it is offered anew
  const [, down, key] = /^(-?)(\w*)$/.exec(wanted.get("sort") ?? "") ?? [];
  sort = key in KEYS ? { key, down: down === "-" } : { key: "state", down: false };
  if (key in KEYS) drawSort();
  if (members.length) draw();
}
