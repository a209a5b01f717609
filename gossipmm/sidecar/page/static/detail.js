// One member: what it is, and the evidence for it.

import { get } from "./api.js";
import { byId, make, say, span, stateOf } from "./dom.js";
import * as place from "./place.js";

let shown = "";

/** Open the member's window. */
export async function open(name) {
  shown = name;
  place.note("member", name);
  say(byId("detail-name"), name);
  for (const id of ["detail-state", "detail-facts", "detail-commands", "detail-evidence"]) byId(id).replaceChildren();
  say(byId("detail-summary"), "…");
  const dialog = byId("detail");
  if (!dialog.open) dialog.showModal();
  await refresh();
}

/** Read anew what the open window shows. */
export async function refresh() {
  if (!byId("detail").open) return;
  const name = shown;
  let why;
  try {
    why = await get(`/v1/members/${encodeURIComponent(name)}/why`);
  } catch (error) {
    if (name === shown) say(byId("detail-summary"), error.message);
    return;
  }
  if (name !== shown) return;
  const { member } = why;
  byId("detail-state").replaceChildren(stateOf(member.status, member.draining ? `${member.status}, draining` : member.status));
  say(byId("detail-summary"), why.summary);
  const metadata = Object.entries(member.metadata).map(([key, value]) => `${key}=${value}`).join(", ");
  const facts = {
    "Addresses": member.addresses.join(", "),
    "Heard of": member.self ? "it is the node that answers here" : member.heard_ago === null ? "never alive, here" : `${span(member.heard_ago)} ago, heartbeat ${member.heartbeat}`,
    "In this state for": span(member.since_ago),
    "Generation": member.generation,
    "Reads": `version ${member.wire_version} of the wire`,
    "Identity": member.key ? `${member.identity}, key ${member.key}` : "",
    "Metadata": metadata,
    "Serves": why.serves.map(([topic, host]) => (host === name ? topic : `${topic} (as ${host})`)).join(", "),
    "Unhealthy": why.unhealthy.map(([topic, host, reason]) => `${host === name ? topic : `${topic} (as ${host})`}: ${reason}`).join("; "),
  };
  byId("detail-facts").replaceChildren(...Object.entries(facts).filter(([, value]) => value).flatMap(([key, value]) => [make("dt", {}, key), make("dd", {}, value)]));
  byId("detail-commands").replaceChildren(...commands(member).map(commandOf));
  const lines = why.evidence.toReversed().map((line) => make("li", {}, make("time", { class: "quiet", datetime: new Date(line.time * 1000).toISOString() }, `${span(line.ago)} ago`), make("span", {}, line.text)));
  byId("detail-evidence").replaceChildren(...(lines.length ? lines : [make("li", {}, "none kept")]));
}

/** What to type next, on this machine. */
function commands(member) {
  const name = /^[\w@%+=:,./][\w@%+=:,./-]*$/.test(member.name) ? member.name : `'${member.name.replaceAll("'", "'\\''")}'`;
  if (member.self) return ["gossipmm status", "gossipmm info", ...(member.unhealthy ? ["gossipmm services"] : [])];
  const found = [`gossipmm why ${name}`];
  if (["dead", "left"].includes(member.status)) found.push(`gossipmm forget ${name}`);
  return found;
}

function commandOf(words) {
  const button = make("button", { type: "button" }, "Copy");
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(words);
    say(button, "Copied");
  });
  return make("li", {}, make("code", {}, words), navigator.clipboard ? button : null);
}

export function start() {
  const dialog = byId("detail");
  dialog.addEventListener("close", () => place.note("member", ""));
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // beside it
  });
}
