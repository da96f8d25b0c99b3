"use strict";
(() => {
  const EVERY = 5000;
  if (document.querySelector("main[data-still]") !== null) return;
  const button = document.getElementById("live");
  const told = document.getElementById("told");
  let paused = false;
  const busy = () => {
    const chosen = getSelection();
    return paused || document.hidden || (chosen !== null && !chosen.isCollapsed)
      || document.activeElement?.matches("main :is(input, select, textarea)");
  };
  const say = (state, text) => { button.dataset.state = state; told.textContent = text; };
  const swap = (fresh) => {
    const old = document.querySelector("main");
    const focused = document.activeElement?.closest("main [href], main summary, main .scroll");
    const place = focused ? [...old.querySelectorAll("[href], summary, .scroll")].indexOf(focused) : -1;
    const href = focused?.getAttribute("href") ?? null;
    const open = new Set([...old.querySelectorAll("details[open][id]")].map((each) => each.id));
    const lefts = [...old.querySelectorAll(".scroll")].map((each) => each.scrollLeft);
    for (const each of fresh.querySelectorAll("details[id]")) each.open = open.has(each.id);
    old.replaceWith(fresh);
    fresh.querySelectorAll(".scroll").forEach((each, index) => { each.scrollLeft = lefts[index] ?? 0; });
    if (!focused) return;
    const all = [...fresh.querySelectorAll("[href], summary, .scroll")];
    const again = all[place]?.getAttribute("href") === href ? all[place]
      : all.find((each) => href !== null && each.getAttribute("href") === href);
    (again ?? fresh).focus({ preventScroll: true });
  };
  const look = async () => {
    if (busy()) return;
    try {
      const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(EVERY) });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.querySelector("main");
      if (fresh === null || answer.redirected) throw new Error("no page");
      if (busy()) return;
      swap(document.adoptNode(fresh));
      if (answer.ok) say("live", "Live"); else say("lost", "Trouble");
    } catch {
      say("lost", "Not live");
    }
  };
  const press = (event) => {
    if (event.target.closest("#live")) {
      paused = !paused;
      button.setAttribute("aria-pressed", String(paused));
      say(paused ? "paused" : "live", paused ? "Paused" : "Live");
      if (!paused) look();
    }
  };
  button.hidden = false;
  document.addEventListener("click", press);
  setInterval(look, EVERY);
})();
