// What is looked at, in the address of the page: it survives a reload, and can be sent to somebody.

/** Read it: a map of words. */
export const read = () => new URLSearchParams(location.hash.slice(1));

/** Note one thing; "" takes it out. */
export function note(name, value) {
  const place = read();
  if (value) place.set(name, value);
  else place.delete(name);
  const hash = place.size ? `#${place}` : "";
  if (hash !== location.hash) history.replaceState(null, "", hash || location.pathname);
}
