// What the page knows of the site: answers of the API, kept fresh.
//
// A page calls `use(path)` while it is drawn. What it used is fetched, fetched again when an event concerns it, and every
// now and then for what no event tells (idle times, who is online), as long as somebody looks.

import { Lost, get } from "./api.js";
import { concerns } from "./events.js";

/** What no event tells (idle times, who is online) is fetched again when it is so old, while the page is seen. */
const REFRESH_MS = { "/v1/status": 20_000, "/v1/seats": 30_000, "/v1/devices": 20_000, "/v1/borrows": 30_000, "/v1/sites": 5_000 };
/** So often it is looked whether something is that old. */
const TICK_MS = 1_000;
/** What could not be answered is asked again after this. */
const AGAIN_MS = 5_000;
/** Events within this time are one fetch. */
const TOGETHER_MS = 60;
/** While the agent is away it is asked for so often. */
const RETRY_EVERY_MS = 1_000;
/** The cache keeps at most so many answers; those that no page uses go first. */
const ENTRIES_MAX = 64;

const EMPTY = { data: undefined, problem: null, at: 0, stale: true, loading: false };
const cache = new Map();
let used = new Map();
let draw = () => {};
let drawing = false;

/** `null`: the agent answers; else since when it does not. */
export let lostSince = null;

/** Draws the page soon, once, however often it is asked to. */
export function update() {
  if (drawing) return;
  drawing = true;
  const now = () => { drawing = false; used = new Map(); draw(); fetchWhatIsUsed(); };
  if (document.hidden) setTimeout(now, 0); else requestAnimationFrame(now);
}

/**
 * The answer of `path` as far as it is known: `{data, problem}`. Drawing the page again comes by itself. It is fetched again
 * every `refreshMs` at least, or when something that an event told of concerns it.
 */
export function use(path, refreshMs = REFRESH_MS[path] ?? Infinity) {
  used.set(path, Math.min(refreshMs, used.get(path) ?? Infinity));
  return cache.get(path) ?? EMPTY;
}

export const peek = (path) => cache.get(path)?.data;

function fetchWhatIsUsed() {
  for (const path of used.keys()) {
    const entry = cache.get(path);
    if (!entry || (entry.stale && !entry.loading)) load(path);
  }
  for (const path of cache.keys()) {
    if (cache.size <= ENTRIES_MAX) break;
    if (!used.has(path)) cache.delete(path);
  }
}

async function load(path) {
  const entry = cache.get(path) ?? { ...EMPTY };
  cache.set(path, entry);
  entry.loading = true;
  entry.stale = false;
  try {
    entry.data = await get(path);
    entry.problem = null;
    found();
  } catch (error) {
    if (error instanceof Lost) { lost(); entry.stale = lostSince === null; } else { entry.problem = error; }
  }
  entry.at = Date.now();
  entry.loading = false;
  update();
}

let together = 0;

/** What an event of this kind concerns is no longer true. */
export function changed(kind) {
  for (const [path, entry] of cache) if (concerns(kind, path)) entry.stale = true;
  together ||= setTimeout(() => { together = 0; fetchWhatIsUsed(); }, TOGETHER_MS);
}

/** Nothing that is known may be true any more: the agent was away, or somebody signed in. */
export function changedAll() {
  for (const entry of cache.values()) entry.stale = true;
  fetchWhatIsUsed();
}

const comeBack = [];
/** Calls `what` when the agent is back after it was lost. */
export const whenBack = (what) => comeBack.push(what);

export function lost() {
  if (lostSince !== null) return;
  lostSince = Date.now();
  update();
  setTimeout(retry, RETRY_EVERY_MS);
}

async function retry() {
  try { await get("/v1/status"); } catch (error) {
    if (error instanceof Lost) { setTimeout(retry, RETRY_EVERY_MS); return; }
  }
  found();
}

function found() {
  if (lostSince === null) return;
  lostSince = null;
  for (const what of comeBack) what();
  changedAll();
  update();
}

export function start(drawPage) {
  draw = drawPage;
  setInterval(() => {
    if (document.hidden || lostSince !== null) return;
    for (const [path, refreshMs] of used) {
      const entry = cache.get(path);
      // What the site could not answer, without a holder say, it may soon.
      const afterMs = entry?.problem?.status >= 500 ? Math.min(refreshMs, AGAIN_MS) : refreshMs;
      if (entry && !entry.loading && entry.at <= Date.now() - afterMs) load(path);
    }
  }, TICK_MS);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) changedAll(); });
}
