// Talking to the agent that serves this page, and to nobody else.

/** Kinds of events, as GET /v1/watch names them: an EventSource hears only what it asks for. */
export const KINDS = [
  "address_changed", "drain_asked", "equivocating", "foreign_traffic", "generation_ahead", "generation_renewed", "host_changed", "identity_conflict",
  "isolated", "joined",
  "key_rotation", "key_wanted", "keys_changed", "leave_finished",
  "member_crash_looping", "member_died", "member_impaired", "member_joined", "member_left", "member_reaped", "member_refuted",
  "member_restarted", "member_returned", "member_suspected", "name_claimed", "name_conflict", "not_admitted", "path_trouble", "probation_ended",
  "registration_expired", "rotation_unordered", "self_impaired", "self_slow", "self_suspected", "service_changed", "source_differs", "table_full",
  "user_event", "user_events_lost", "user_events_refused",
];

/** Events of the past that a new page asks for. */
const PAST = 200;
/** Milliseconds until an answer is given up. */
const PATIENCE = 10_000;
/** Milliseconds until the stream is opened anew where the browser does not do it by itself. */
const AGAIN = 2000;

export async function get(path) {
  const answer = await fetch(path, { signal: AbortSignal.timeout(PATIENCE), cache: "no-store" });
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({}));
    throw new Error(problem.detail ?? `${answer.status} ${answer.statusText}`);
  }
  return answer.json();
}

/** The id of an event some way before this one: `<life>-<number>`. */
export function before(eventId, count = PAST) {
  const dash = eventId.lastIndexOf("-");
  return `${eventId.slice(0, dash)}-${Math.max(0, Number(eventId.slice(dash + 1)) - count)}`;
}

/**
 * Watch events for as long as the page lives. `heard(event)` gets each; `link(state, words)` is
 * told "live", "lost" or "closing"; `anew()` when events may have been missed.
 */
export function watch(since, { heard, link, anew }) {
  let source = null;
  let last = since;
  let first = true;

  function open() {
    source = new EventSource(`/v1/watch?since=${encodeURIComponent(last)}`);
    source.addEventListener("hello", (message) => {
      const hello = JSON.parse(message.data);
      link("live", "live");
      // The first time the page has just read everything, whatever could be replayed.
      if (!hello.resumed && !first) anew();
      first = false;
    });
    for (const kind of KINDS) {
      source.addEventListener(kind, (message) => {
        last = message.lastEventId || last;
        heard(JSON.parse(message.data));
      });
    }
    source.addEventListener("dropped", (message) => {
      link("lost", `This page was too slow: ${JSON.parse(message.data).reason}`);
      anew();
    });
    source.addEventListener("closing", (message) => {
      link("closing", JSON.parse(message.data).reason);
    });
    source.addEventListener("error", () => {
      link("lost", "The agent does not answer; trying again");
      // An answer that is no stream of events ends an EventSource for good.
      if (source.readyState === EventSource.CLOSED) setTimeout(open, AGAIN);
    });
  }

  open();
}
