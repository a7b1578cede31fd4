// The agent's stream of events, and what each kind concerns.

/** Silence of so long means that the connection is dead: the agent says something every 20 s. */
const SILENCE_MS = 50_000;
const AGAIN_AFTER_MS = 1_000;
/** A page that nobody sees lets go of its connection after this: a browser has only six for all its tabs. */
const HIDDEN_MS = 60_000;

const SEATS = ["/v1/seats", "/v1/status", "/v1/borrows"];
const BOUGHT = ["/v1/licenses", "/v1/purchases", "/v1/compliance", "/v1/status", "/v1/seats"];
const ORGANISED = ["/v1/org", "/v1/purchases", "/v1/compliance", "/v1/inventory", "/v1/limits", "/v1/seats"];

const CONCERNS = [
  [/^(checkout|shared|return|expire|release|waits|passed-over|left-queue|borrow|borrow-over)$/, SEATS],
  [/^denied$/, ["/v1/usage"]],
  [/^device-/, ["/v1/devices", "/v1/status", "/v1/seats", "/v1/pool-key", "/v1/inventory"]],
  [/^site-founded$/, ["/v1/"]],
  [/^admin-/, ["/v1/admins", "/v1/session"]],
  [/^vendor-/, ["/v1/vendors"]],
  [/^license-/, BOUGHT],
  [/^pool-key-/, ["/v1/pool-key", "/v1/status"]],
  [/^(limit|group|priority|node-limits)-/, ["/v1/limits"]],
  [/^(organisation|placement|purchase|allocation|stop-at-legal|catalog|machines)-|^site-trusted$/, ORGANISED],
  [/^recalculated$/, ["/v1/compliance", "/v1/purchases"]],
  [/^invite-/, []],
];

/** Whether an event of this kind changes what `path` answers. Of a kind that is not known everything may. */
export function concerns(kind, path) {
  if (path.startsWith("/v1/audit")) return true;
  const known = CONCERNS.find(([kinds]) => kinds.test(kind));
  return known ? known[1].some((prefix) => path.startsWith(prefix)) : true;
}

/** Follows the events; calls `onEvent` with each new one and `onLost` when the connection is gone. It reconnects by itself. */
export function follow(onEvent, onLost) {
  let seen = null;
  let stop = null;
  let hidden = 0;

  async function connect() {
    const abort = new AbortController();
    stop = abort;
    let silence = 0;
    const alive = () => { clearTimeout(silence); silence = setTimeout(() => abort.abort(), SILENCE_MS); };
    try {
      alive();
      const url = seen === null ? "/v1/events" : `/v1/events?after=${seen}`;
      const response = await fetch(url, { headers: { Accept: "text/event-stream" }, signal: abort.signal });
      if (!response.ok) throw new Error(response.statusText);
      // The first ones happened before this page was opened; they cost one fetch more, and none is missed.
      await read(response.body, alive, (event) => {
        seen = event.seq;
        onEvent(event);
      });
      onLost();
    } catch {
      if (stop === abort) onLost();
    }
    clearTimeout(silence);
    // Who let go on purpose, because nobody looks, connects again when somebody does.
    if (stop === abort) setTimeout(connect, AGAIN_AFTER_MS);
  }

  document.addEventListener("visibilitychange", () => {
    clearTimeout(hidden);
    if (document.hidden) {
      hidden = setTimeout(() => { const open = stop; stop = null; open?.abort(); }, HIDDEN_MS);
    } else if (stop === null) {
      connect();
    }
  });
  connect();
}

/** Reads server-sent events of any kind, which `EventSource` tells only by a name that is known beforehand. */
async function read(body, alive, onEvent) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    alive();
    text += value;
    const blocks = text.split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const data = block.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5)).join("\n");
      if (data === "") continue;
      try { onEvent(JSON.parse(data)); } catch { /* Not an event; the next one may be. */ }
    }
  }
}
