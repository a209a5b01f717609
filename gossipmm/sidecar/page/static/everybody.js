// What each member says of itself: asked for when somebody wants to know, and not again and again.

import { get } from "./api.js";
import { byId, many, say } from "./dom.js";

/** Members that are named. */
const NAMED = 3;
/** Outcomes of members that are well and do not say so. */
const SAYS_NOTHING = ["too_old", "not_allowed", "unknown_question"];

function names(members) {
  const named = members.slice(0, NAMED).map((one) => one.name);
  return `${named.join(", ")}${members.length > NAMED ? ` and ${members.length - NAMED} more` : ""}`;
}

/** Say in a line how all are: "3 ok; degraded: host-c (its timers fire late); no answer: host-d". */
export function sentence(members) {
  const fine = members.filter((one) => one.verdict === "ok").length;
  const parts = [`${fine} of ${many(members.length, "member")} say that all is well`];
  for (const one of members.filter((each) => each.verdict && each.verdict !== "ok").slice(0, NAMED)) {
    parts.push(`${one.name} ${one.verdict.replace("_", " ")}${one.reasons_text.length ? `: ${one.reasons_text[0]}` : ""}`);
  }
  const silent = members.filter((one) => !one.verdict);
  const mute = silent.filter((one) => !SAYS_NOTHING.includes(one.outcome));
  const quiet = silent.filter((one) => SAYS_NOTHING.includes(one.outcome));
  if (mute.length) parts.push(`no answer from ${names(mute)}`);
  if (quiet.length) parts.push(`${names(quiet)} ${quiet.length === 1 ? "does" : "do"} not say`);
  return `${parts.join("; ")}.`;
}

async function ask() {
  const button = byId("ask-all");
  button.disabled = true;
  say(byId("asked"), "asking…");
  try {
    say(byId("asked"), sentence((await get("/v1/status/all")).members));
  } catch (error) {
    say(byId("asked"), error.message);
  }
  button.disabled = false;
}

export function start() {
  byId("ask-all").addEventListener("click", ask);
}
