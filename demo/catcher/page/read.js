// Which messages were opened, in this browser. Ids start again with every run of the catcher, so the run is part of it.

import { recall, remember } from "./dom.js";

const KEY = "catcher-read";
let state = { run: "", upTo: 0, ids: new Set() };

export function begin(run) {
  if (run === state.run) return;
  const saved = recall(KEY);
  const early = state.run === "" ? state.ids : []; // opened by a deep link before the run was known
  const known = saved?.run === run ? saved : { upTo: 0, ids: [] };
  state = { run, upTo: known.upTo, ids: new Set([...known.ids, ...early]) };
  save();
}

export const isRead = (id) => id <= state.upTo || state.ids.has(id);

export function markRead(id) {
  if (isRead(id)) return;
  state.ids.add(id);
  save();
}

export function markAllRead(lastId) {
  state.upTo = lastId;
  state.ids.clear();
  save();
}

function save() {
  remember(KEY, { ...state, ids: [...state.ids] });
}
