// Building elements from plain values. Text only ever becomes text: names, topics and metadata
// come from other machines.

export const byId = (id) => document.getElementById(id);

/** Make an element. `attributes`: class, title, data-..., or any other attribute; null: none. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** Set text only where it differs: no needless layout, and no screen reader disturbed. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Set or remove an attribute, only where it differs. */
export function mark(element, name, value) {
  if (value === null || value === false) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
  } else if (element.getAttribute(name) !== String(value)) {
    element.setAttribute(name, value);
  }
}

/** Put children into this order, moving as few as needed; the others are removed. */
export function arrange(parent, children) {
  let next = parent.firstChild;
  for (const child of children) {
    if (child === next) next = next.nextSibling;
    else parent.insertBefore(child, next);
  }
  while (next) {
    const gone = next;
    next = next.nextSibling;
    gone.remove();
  }
}

export const SIGNS = {
  alive: "●", suspect: "▲", dead: "✕", returning: "↻", probation: "◐", unknown: "?", left: "○",
  live: "●", doubted: "▲", unhealthy: "✚", draining: "▽", stale: "◌", agree: "●", differ: "▲",
};

/** Letters of a name's end that are always seen. */
const END = 9;

/** A name that is cut in its middle where there is no room: ends differ more often than beginnings. */
export function nameOf(name, attributes = {}) {
  const letters = [...name];
  if (letters.length < 3 * END) return make("bdi", { ...attributes, title: name }, name);
  const end = letters.splice(-END).join("");
  return make("bdi", { ...attributes, class: `${attributes.class ?? ""} cut`.trim(), title: name }, make("span", {}, letters.join("")), make("span", {}, end));
}

/** A state as a sign, a word and a colour. */
export function stateOf(state, word = state) {
  return make("span", { class: "state", "data-state": state }, make("span", { class: "sign", "aria-hidden": "true" }, SIGNS[state] ?? "·"), word);
}

/** A bar of shares; `parts`: pairs of state and number. */
export function fillBar(bar, parts) {
  arrange(bar, parts.filter(([, count]) => count > 0).map(([state, count]) => {
    const part = make("span", { "data-state": state });
    part.style.setProperty("--share", count);
    return part;
  }));
}

/** Seconds for people: "0.4 s", "12 s", "3 min", "5 h", "2 d". */
export function span(seconds) {
  if (seconds === null || seconds === undefined) return "never";
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

/** Bytes for people: "312 B", "4.1 kB", "2.3 MB". */
export function bytes(count) {
  if (count < 999.5) return `${Math.round(count)} B`;
  if (count < 999_500) return `${(count / 1000).toFixed(count < 9950 ? 1 : 0)} kB`;
  return `${(count / 1e6).toFixed(1)} MB`;
}

export const many = (count, one, more = `${one}s`) => `${count} ${count === 1 ? one : more}`;
