// The list: one page of messages, newest first. The first page is live, further ones stand still.

import { $, getJson, h, language, time } from "./dom.js";
import { isRead } from "./read.js";

const PAGE = 50;
const FLOOD_INTERVAL_MS = 1000;

const list = $("list");
const state = { cursors: [null], query: "", kind: "", messages: [], total: 0, more: false, selected: null };
const rows = new Map();
let onShown = () => {};
let lastLoad = 0;
let pending = null;
let turn = 0;

export function start(shown) {
  onShown = shown;
  $("newer").addEventListener("click", () => turnPage(-1));
  $("older").addEventListener("click", () => turnPage(1));
  $("newest").addEventListener("click", () => restart());
}

export const filtered = () => Boolean(state.query || state.kind);
export const shown = () => state.messages;
export const onFirstPage = () => state.cursors.length === 1;

export function filter(query, kind) {
  if (query === state.query && kind === state.kind) return;
  Object.assign(state, { query, kind });
  restart();
}

function restart() {
  state.cursors = [null];
  list.scrollTop = 0;
  load();
}

/** Something arrived. Looks at once when it is quiet, once a second in a flood. */
export function refresh() {
  if (!onFirstPage()) {
    $("newest").hidden = false;
    return;
  }
  const wait = Math.max(0, lastLoad + FLOOD_INTERVAL_MS - Date.now());
  pending ??= setTimeout(load, wait);
}

export async function load() {
  clearTimeout(pending);
  pending = null;
  lastLoad = Date.now();
  const mine = ++turn;
  const parameters = new URLSearchParams({ limit: PAGE, q: state.query, kind: state.kind });
  const before = state.cursors.at(-1);
  if (before !== null) parameters.set("before", before);
  const page = await getJson(`api/messages?${parameters}`);
  if (mine !== turn) return; // a later question was asked meanwhile
  Object.assign(state, { messages: page.messages, total: page.total, more: page.more });
  show(page);
  onShown();
}

function show(page) {
  const wanted = page.messages.map((message) => rows.get(message.id) ?? row(message));
  rows.clear();
  page.messages.forEach((message, index) => rows.set(message.id, wanted[index]));
  // Rows that stay are not touched, so that focus and scroll position stay with them.
  const keep = new Set(wanted);
  for (const child of [...list.children]) if (!keep.has(child)) child.remove();
  wanted.forEach((item, index) => list.children[index] !== item && list.insertBefore(item, list.children[index] ?? null));
  paint();
  const first = page.newer + 1;
  const total = page.total.toLocaleString("en");
  const range = `${first.toLocaleString("en")}–${(page.newer + wanted.length).toLocaleString("en")}`;
  $("position").textContent = wanted.length ? `${range} of ${total}` : "No messages";
  $("newer").disabled = onFirstPage();
  $("older").disabled = !page.more;
  $("newest").hidden = onFirstPage();
}

function row(message) {
  const sms = message.kind === "sms";
  const portal = message.kind === "portal";
  return h("li", {},
    h("a", { href: `#${message.id}`, "data-id": message.id },
      h("span", { class: "dot", "aria-hidden": "true" }),
      h("span", { class: "to" }, portal ? message.name || message.to[0] : message.to.join(", ")),
      time(message.received_at),
      h("span", { class: "subject" }, message.subject || "(no subject)"),
      h("span", { class: "tags" },
        sms && h("span", { class: "badge sms" }, message.parts > 1 ? `SMS · ${message.parts} parts` : "SMS"),
        portal && h("span", { class: "badge portal" }, "Portal"),
        language(message.language)),
      h("span", { class: "hidden unread" }, "unread")));
}

/** Which is selected, which are unread. */
export function paint() {
  for (const [id, item] of rows) {
    const link = item.firstChild;
    const read = isRead(id);
    link.classList.toggle("is-unread", !read);
    link.lastChild.hidden = read;
    if (id === state.selected) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

export function select(id) {
  state.selected = id;
  paint();
  rows.get(id)?.scrollIntoView({ block: "nearest" });
}

async function turnPage(step) {
  if (step < 0) state.cursors.pop();
  else state.cursors.push(state.messages.at(-1).id);
  if (!state.cursors.length) state.cursors = [null];
  await load();
  list.scrollTop = 0;
}

/** The neighbour of the selected message, on the next page if need be; null at either end. */
export async function neighbour(step) {
  const index = state.messages.findIndex((message) => message.id === state.selected);
  if (index < 0) return state.messages[0]?.id ?? null;
  const next = state.messages[index + step];
  if (next) return next.id;
  if (step > 0 ? !state.more : onFirstPage()) return null;
  await turnPage(step);
  return state.messages.at(step > 0 ? 0 : -1)?.id ?? null;
}
