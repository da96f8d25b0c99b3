// The page: routing by #id, the live stream, tools and keyboard.

import { $, h, plural, post, recall, remember } from "./dom.js";
import * as list from "./list.js";
import { begin, markAllRead, markRead } from "./read.js";
import * as reading from "./reading.js";

const FILTER_PAUSE_MS = 150;
let status = null;
let announced = null;

function selected() {
  const id = Number(location.hash.slice(1));
  return Number.isInteger(id) && id > 0 ? id : null;
}

async function route() {
  const id = selected();
  document.body.classList.toggle("is-reading", id !== null);
  list.select(id);
  if (id === null) {
    reading.close(welcome());
    return;
  }
  markRead(id);
  list.paint();
  await reading.open(id);
}

const received = () => status.mails + status.texts + status.shown;

function welcome() {
  if (status && received() > 0) {
    return h("div", { class: "empty" },
      h("h1", {}, "Nothing open"),
      h("p", {}, "Choose a message, or press ", h("kbd", {}, "j"), " for the newest."));
  }
  const port = status?.relay.smtp_port ?? "…";
  return h("div", { class: "empty teach" },
    h("h1", {}, "Nothing caught yet"),
    h("p", {}, "Whatever is sent to these two lands here, and goes no further:"),
    h("dl", { class: "where" },
      h("dt", {}, "SMTP"), h("dd", {}, h("code", {}, `${location.hostname}:${port}`)),
      h("dt", {}, "Twilio"), h("dd", {}, h("code", {}, location.origin), " in place of https://api.twilio.com")),
    h("p", {}, "Some recipients always misbehave, as on a real server:"),
    h("dl", { class: "where" },
      h("dt", {}, h("code", {}, "nouser…@")), h("dd", {}, "550 5.1.1 no such user"),
      h("dt", {}, h("code", {}, "full…@")), h("dd", {}, "552 5.2.2 mailbox full"),
      h("dt", {}, h("code", {}, "grey…@")), h("dd", {}, "450 4.2.0 greylisted"),
      h("dt", {}, h("code", {}, "busy…@")), h("dd", {}, "421 4.3.2 service shutting down"),
      h("dt", {}, h("code", {}, "+15005550004")), h("dd", {}, "21610, the number has opted out"),
      h("dt", {}, h("code", {}, "+15005550009")), h("dd", {}, "21614, no mobile number")),
    h("p", {}, "More trouble, and an inbox to empty, under Tools."));
}

function showStatus() {
  const { relay, faults } = status;
  $("count-mails").textContent = plural(status.mails, "mail", "mails");
  $("count-texts").textContent = `${status.texts.toLocaleString("en")} SMS`;
  $("count-shown").textContent = `${status.shown.toLocaleString("en")} portal`;
  $("count-shown").hidden = status.shown === 0;
  $("gallery").hidden = !status.gallery;
  const total = received();
  document.title = total ? `Catcher (${total.toLocaleString("en")})` : "Catcher";
  $("relay").dataset.state = relay.down_until ? "down" : "up";
  const armed = faults.armed.length;
  $("relay-text").textContent = relayText(relay) + (armed ? ` · ${plural(armed, "fault", "faults")} ordered` : "");
  $("faults").replaceChildren(...(armed ? faults.armed.map(faultLine) : [h("li", { class: "note" }, "None")]));
}

function relayText(relay) {
  if (!relay.down_until) return `SMTP on ${relay.smtp_port}`;
  const seconds = Math.max(0, Math.ceil((new Date(relay.down_until) - Date.now()) / 1000));
  return `SMTP down, back in ${seconds} s`;
}

function faultLine(fault) {
  const what = fault.reply || (fault.status ? `HTTP ${fault.status}` : fault.action ?? "reply");
  const times = fault.left === null ? "until cleared" : `${fault.left}×`;
  return h("li", {}, h("code", {}, `${fault.at} ${fault.to ?? "*"}`), ` ${what}, ${times}`);
}

function listen() {
  const stream = new EventSource("api/stream");
  stream.addEventListener("status", (event) => {
    const before = status;
    status = JSON.parse(event.data);
    begin(status.run);
    list.paint();
    showStatus();
    if (before && before.relay.down_until !== status.relay.down_until) $("said").textContent = relayText(status.relay);
    if (before && before.run !== status.run) location.hash = ""; // another catcher: its ids are other messages
    const changed = !before || before.last_id !== status.last_id || before.kept !== status.kept;
    if (changed || before.run !== status.run) list.refresh();
    if (changed && selected() === null) reading.close(welcome());
  });
  stream.addEventListener("error", () => {
    $("relay").dataset.state = "lost";
    $("relay-text").textContent = "The catcher does not answer";
  });
}

function shown() {
  list.select(selected());
  const none = $("none");
  none.hidden = list.shown().length > 0;
  const clear = h("button", { class: "plain", onclick: clearFilter }, "Show everything");
  none.replaceChildren(...(list.filtered() ? [h("p", {}, "No message matches."), clear] : [h("p", {}, "Waiting for messages…")]));
  const newest = list.onFirstPage() ? list.shown()[0]?.id : null;
  if (announced && newest > announced) $("said").textContent = `${plural(newest - announced, "new message", "new messages")}`;
  announced = newest ?? announced;
}

function clearFilter() {
  $("filter").reset();
  list.filter("", "");
}

const TOOLS = {
  down: () => post("api/relay", { down_seconds: 30 }),
  up: () => post("api/relay", { down_seconds: 0 }),
  behave: () => fetch("api/faults", { method: "DELETE" }),
  read: () => {
    markAllRead(status.last_id);
    list.paint();
  },
  empty: async () => {
    if (!confirm("Delete every message, and start counting anew?")) return;
    await fetch("api/messages", { method: "DELETE" });
    location.hash = "";
  },
};

const KEYS = {
  j: () => move(1),
  k: () => move(-1),
  "/": () => $("query").focus(),
  t: () => reading.nextTab(),
  d: () => reading.toggle("scheme"),
  w: () => reading.toggle("width"),
  "?": () => $("help").showModal(),
};

async function move(step) {
  const id = await list.neighbour(step);
  if (id !== null) location.hash = id;
}

function onKey(event) {
  if (event.key === "Escape" && !$("help").open && !$("tools").matches(":popover-open")) {
    if (document.activeElement === $("query")) $("query").blur();
    else location.hash = "";
    return;
  }
  const typing = event.target.closest("input:not([type=radio]):not([type=checkbox]), textarea, dialog");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || !$("shortcuts").checked) return;
  const action = KEYS[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

function wire() {
  let pause = null;
  const apply = () => list.filter($("query").value.trim(), new FormData($("filter")).get("kind"));
  $("query").addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(apply, FILTER_PAUSE_MS);
  });
  $("filter").addEventListener("change", apply);
  $("filter").addEventListener("submit", (event) => event.preventDefault());
  $("help-button").addEventListener("click", () => $("help").showModal());
  $("tools").addEventListener("click", (event) => {
    const tool = event.target.dataset.tool;
    if (!tool) return;
    $("tools").hidePopover();
    TOOLS[tool]();
  });
  // Single keys get in the way of speech input: they can be switched off, and stay off (WCAG 2.1.4).
  $("shortcuts").checked = recall("catcher-shortcuts") !== false;
  $("shortcuts").addEventListener("change", () => remember("catcher-shortcuts", $("shortcuts").checked));
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault(); // the hash is the open message's
    $("list").focus();
  });
  addEventListener("keydown", onKey);
  addEventListener("hashchange", route);
  setInterval(() => status?.relay.down_until && showStatus(), 1000);
}

wire();
list.start(shown);
listen();
route();
