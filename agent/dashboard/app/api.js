// The agent's API over HTTP. What it answers is in protocol/src/api.

/** The agent did not answer at all. */
export class Lost extends Error {}

/** The agent refused; `code` is stable, `detail` a sentence for people. */
export class Problem extends Error {
  constructor(body, status, retryAfter) {
    super(body.detail || body.title || `HTTP ${status}`);
    this.code = body.type ?? "unknown";
    this.status = status;
    this.body = body;
    this.retryAfter = retryAfter;
  }
}

let csrf = null;
export const setCsrf = (token) => { csrf = token; };

const SAFE = new Set(["GET", "HEAD"]);
/** An answer that takes longer is taken for lost; the slowest one, a start of the checks, takes some seconds. */
const ANSWER_WITHIN_MS = 30_000;

/** Calls the API; answers what the JSON says, or null where there is none. */
export async function call(method, path, body) {
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (!SAFE.has(method) && csrf) headers["X-Seatkeeper-CSRF"] = csrf;
  let response;
  try {
    response = await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
  } catch {
    throw new Lost("the agent does not answer");
  }
  const text = await response.text().catch(() => { throw new Lost("the answer broke off"); });
  let json = null;
  try { json = text === "" ? null : JSON.parse(text); } catch { /* Not ours; the status says enough. */ }
  if (!response.ok) {
    throw new Problem(json ?? {}, response.status, Number(response.headers.get("Retry-After")) || null);
  }
  return json;
}

export const get = (path) => call("GET", path);
