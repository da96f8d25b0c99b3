// Elements are built from text, never from markup: what comes out of a mail cannot become an element of this page.

export const $ = (id) => document.getElementById(id);

/** h("p", {class: "x", onclick: f, hidden: true}, "text", child, null) */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child != null && child !== false));
  return element;
}

export async function getJson(path) {
  const response = await fetch(path);
  if (!response.ok) throw Object.assign(new Error(`${path}: ${response.status}`), { status: response.status });
  return response.json();
}

export async function post(path, body) {
  return fetch(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
}

export function plural(count, one, many) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

/** What this browser remembers; with its storage off or full, nothing, and nothing else breaks. */
export function recall(key) {
  try {
    return JSON.parse(localStorage.getItem(key));
  } catch {
    return null;
  }
}

export function remember(key, value) {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // as said above
  }
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

/** A <time>: the clock today, the day before that; hovering says all of it. */
export function time(iso) {
  const at = new Date(iso);
  const today = at.toDateString() === new Date().toDateString();
  return h("time", { datetime: iso, title: full.format(at) }, (today ? clock : day).format(at));
}

const names = new Intl.DisplayNames(["en"], { type: "language" });

/** The language of a notice as a badge, spelt out for who hovers or listens. */
export function language(tag) {
  if (!tag) return null;
  let name = tag;
  try {
    name = names.of(tag);
  } catch {
    // not a language tag: shown as it is
  }
  return h("abbr", { class: "badge", title: name, "aria-label": name }, tag.slice(0, 2).toUpperCase());
}

export function size(bytes) {
  return bytes < 1000 ? `${bytes} B` : bytes < 1e6 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
