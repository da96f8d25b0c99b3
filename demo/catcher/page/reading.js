// The reading pane: a mail as its reader sees it, as its machine sees it; an SMS as on a phone; the portal's messages.

import { $, getJson, h, language, plural, size, time } from "./dom.js";

const RAW_SHOWN = 500_000;
const INTERESTING = [
  "subject", "from", "to", "reply-to", "date", "message-id", "content-language", "auto-submitted", "precedence",
  "list-unsubscribe", "list-unsubscribe-post", "dkim-signature", "return-path", "in-reply-to", "references",
];
const TABS = { mail: ["HTML", "Text", "Headers", "Raw"], sms: ["Phone", "Request"], portal: ["Portal", "Record"] };

const pane = $("reading");
const view = { tab: { mail: "HTML", sms: "Phone", portal: "Portal" }, scheme: preferred(), width: "desktop", message: null };

function preferred() {
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

export async function open(id) {
  if (view.message?.id === id) return;
  try {
    view.message = await getJson(`api/messages/${id}`);
  } catch (error) {
    if (error.status !== 404) throw error;
    show(h("div", { class: "empty" },
      h("h1", {}, "That message is not here any more"),
      h("p", {}, "It was deleted, or the catcher was started anew since.")));
    return;
  }
  draw();
}

/** What stands there while nothing is open. */
export function close(content) {
  view.message = null;
  show(content);
}

function show(...content) {
  pane.replaceChildren(...content);
  pane.scrollTop = 0;
}

function draw() {
  const message = view.message;
  const head = { mail: mailHead, sms: smsHead, portal: portalHead }[message.kind];
  show(head(message), bar(message), h("div", {
    class: "sheet", role: "tabpanel", id: "sheet", tabindex: "0", "aria-labelledby": `tab-${tab()}`,
  }));
  drawSheet();
}

const tab = () => view.tab[view.message.kind];

function mailHead(mail) {
  return h("header", { class: "head" },
    h("a", { class: "back", href: "#" }, "‹ Inbox"),
    h("h1", {}, mail.subject || "(no subject)", " ", language(mail.language)),
    h("p", { class: "route" },
      h("span", { class: "who" }, header(mail, "from") || mail.from || "(null sender)"),
      h("span", { class: "to-whom" }, "to ", mail.to.join(", ")),
      time(mail.received_at)),
    mail.attachments.length > 0 && h("ul", { class: "attachments", "aria-label": "Attachments" },
      mail.attachments.map((attachment, index) => h("li", {},
        h("a", { href: `api/messages/${mail.id}/attachments/${index}`, download: attachment.filename },
          attachment.filename), " ", size(attachment.size)))));
}

function smsHead(text) {
  return h("header", { class: "head" },
    h("a", { class: "back", href: "#" }, "‹ Inbox"),
    h("h1", {}, "SMS to ", text.to[0]),
    h("p", { class: "route" }, h("span", { class: "who" }, text.from), time(text.received_at)));
}

function portalHead(shown) {
  return h("header", { class: "head" },
    h("a", { class: "back", href: "#" }, "‹ Inbox"),
    h("h1", {}, shown.subject, " ", language(shown.language)),
    h("p", { class: "route" },
      h("span", { class: "who" }, shown.from), h("span", { class: "to-whom" }, "to ", shown.name || shown.to[0]),
      time(shown.received_at)));
}

function header(mail, name) {
  return mail.headers.find(([each]) => each.toLowerCase() === name)?.[1];
}

function bar(message) {
  const tabs = TABS[message.kind].map((name) => h("button", {
    role: "tab", id: `tab-${name}`, "aria-controls": "sheet",
    "aria-selected": String(name === tab()), tabindex: name === tab() ? "0" : "-1",
    onclick: () => chooseTab(name), onkeydown: (event) => arrow(event, name),
  }, name));
  return h("div", { class: "bar" },
    h("div", { role: "tablist", "aria-label": "Show the message as" }, tabs),
    message.kind === "mail" && h("div", { class: "looks", id: "looks" },
      choice("Mail's colour scheme", "scheme", ["light", "dark"]),
      choice("Mail's width", "width", ["desktop", "phone"])));
}

function choice(label, key, values) {
  return h("div", { class: "segments", role: "group", "aria-label": label }, values.map((value) => h("button", {
    "aria-pressed": String(view[key] === value), "data-choice": `${key}-${value}`, onclick: () => setLook(key, value),
  }, value[0].toUpperCase() + value.slice(1))));
}

export function toggle(key) {
  const values = key === "scheme" ? ["light", "dark"] : ["desktop", "phone"];
  setLook(key, values.find((value) => value !== view[key]));
}

function setLook(key, value) {
  view[key] = value;
  for (const button of pane.querySelectorAll(`[data-choice^="${key}-"]`)) {
    button.setAttribute("aria-pressed", String(button.dataset.choice === `${key}-${value}`));
  }
  dress(pane.querySelector(".stage"));
}

/** The frame's own colour scheme is what the mail inside sees as prefers-color-scheme. */
function dress(stage) {
  if (!stage) return;
  stage.dataset.scheme = view.scheme;
  stage.dataset.width = view.width;
}

function chooseTab(name) {
  view.tab[view.message.kind] = name;
  for (const button of pane.querySelectorAll("[role=tab]")) {
    const chosen = button.id === `tab-${name}`;
    button.setAttribute("aria-selected", String(chosen));
    button.tabIndex = chosen ? 0 : -1;
  }
  drawSheet();
}

export function nextTab(step = 1) {
  if (!view.message) return;
  const names = TABS[view.message.kind];
  chooseTab(names[(names.indexOf(tab()) + step + names.length) % names.length]);
}

function arrow(event, name) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step || name !== tab()) return;
  event.preventDefault();
  nextTab(step);
  $(`tab-${tab()}`).focus();
}

function drawSheet() {
  const sheet = $("sheet");
  sheet.setAttribute("aria-labelledby", `tab-${tab()}`);
  sheet.dataset.tab = tab();
  if ($("looks")) $("looks").hidden = tab() !== "HTML";
  sheet.scrollTop = 0;
  sheet.replaceChildren(SHEETS[tab()](view.message));
  if (tab() === "Raw") fillRaw(view.message.id);
}

const SHEETS = {
  HTML(mail) {
    if (!mail.has_html) return nothing("This mail has no HTML part.", "Its text is all there is.");
    const stage = h("div", { class: "stage" }, h("iframe", {
      src: `api/messages/${mail.id}/html?view`, title: `HTML of: ${mail.subject}`,
      sandbox: "allow-popups allow-popups-to-escape-sandbox", referrerpolicy: "no-referrer",
    }));
    dress(stage);
    return stage;
  },
  Text(mail) {
    return mail.text ? h("pre", { class: "words" }, mail.text) : nothing("This mail has no text part.", "");
  },
  Headers(mail) {
    const rank = ([name]) => {
      const known = INTERESTING.indexOf(name.toLowerCase());
      return known >= 0 ? known : name.toLowerCase().startsWith("x-") ? INTERESTING.length : INTERESTING.length + 1;
    };
    const sorted = [...mail.headers].sort((one, other) => rank(one) - rank(other));
    const split = sorted.findIndex((pair) => rank(pair) > INTERESTING.length);
    return h("div", {},
      table("Envelope", [["MAIL FROM", `<${mail.from}>`], ...mail.to.map((to) => ["RCPT TO", `<${to}>`])]),
      table("What readers and filters look at", split < 0 ? sorted : sorted.slice(0, split)),
      split >= 0 && table("The rest", sorted.slice(split)));
  },
  Raw() {
    return h("pre", { class: "words", id: "raw" }, "…");
  },
  Phone(text) {
    const count = `${text.encoding} · ${plural(text.units, "unit", "units")} · ${plural(text.parts, "part", "parts")}`;
    return h("div", { class: "phone-stage" },
      h("div", { class: "phone" },
        h("p", { class: "sender" }, text.from),
        h("div", { class: "screen" },
          h("p", { class: "when" }, time(text.received_at)),
          h("p", { class: "bubble" }, text.text))),
      h("p", { class: "count" }, `${plural([...text.text].length, "character", "characters")} · ${count}`));
  },
  Portal: portalPage,
  Record(shown) {
    const [topic, partition, offset] = shown.record.split("/");
    return h("div", {},
      table("Read from Kafka", [["topic", topic], ["partition", partition], ["offset", offset], ["event", shown.event]]),
      table("Its message", [["member", shown.to[0]], ["notice", shown.notice], ["locale", shown.language],
        ["title", shown.subject], ["text", shown.text], ["link", shown.link ?? "none"]]));
  },
  Request(text) {
    return h("div", {}, table("Posted to Messages.json", Object.entries(text.form)), table("Answered", [["sid", text.sid]]));
  },
};

/** The member's messages as their portal might show them; the words are the message's own. */
function portalPage(shown) {
  const initials = [...shown.name.matchAll(/(?<=^|[\s-])\p{L}/gu)].slice(0, 2).join("").toUpperCase();
  return h("div", { class: "portal-stage" },
    h("div", { class: "site" },
      h("div", { class: "site-top" },
        h("span", { class: "site-name" }, shown.from),
        h("span", { class: "member" }, h("span", { class: "member-name" }, shown.name),
          h("span", { class: "avatar", "aria-hidden": "true" }, initials))),
      h("article", { class: "notice", lang: shown.language },
        h("h2", {}, h("span", { class: "news", "aria-hidden": "true" }), shown.subject),
        time(shown.received_at),
        shown.text.split("\n\n").map((paragraph) => h("p", {}, paragraph)),
        shown.link && h("a", { class: "primary", href: shown.link, target: "_blank", rel: "noreferrer" }, shown.link))));
}

function table(title, pairs) {
  return h("table", { class: "pairs" }, h("caption", {}, title),
    h("tbody", {}, pairs.map(([name, value]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, value)))));
}

function nothing(title, text) {
  return h("div", { class: "empty" }, h("h2", {}, title), h("p", {}, text));
}

async function fillRaw(id) {
  const text = await (await fetch(`api/messages/${id}/raw`)).text();
  const raw = $("raw");
  if (!raw || view.message?.id !== id) return;
  raw.replaceChildren(text.slice(0, RAW_SHOWN));
  const link = h("a", { href: `api/messages/${id}/raw`, target: "_blank" }, "Open it in a tab of its own");
  const note = text.length > RAW_SHOWN ? `The first ${size(RAW_SHOWN)} of ${size(text.length)}. ` : "";
  raw.after(h("p", { class: "note" }, note, link));
}
