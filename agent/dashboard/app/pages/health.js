// What is not as it should be, in sentences with the remedy.

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { day, duration, t, tryT } from "../i18n.js";
import { note } from "../ui.js";

/** Values that are counted: their word follows the number. */
const COUNTED = new Set(["seats", "days", "voters", "live", "needed"]);
const UNITS_S = { min: 60, h: 3_600, days: 86_400 };

/** The agent's values as the reader writes them. */
function values(health) {
  const args = {};
  for (const [name, value] of Object.entries(health.args ?? {})) {
    const about = /^(\d+) (min|h|days)$/.exec(value);
    const more = /^(.*) and (\d+) more$/.exec(value);
    if (COUNTED.has(name) && /^\d+$/.test(value)) args[name] = Number(value);
    else if (value === "less than a minute") args[name] = duration(0);
    else if (about) args[name] = duration(Number(about[1]) * UNITS_S[about[2]]);
    else if (more) args[name] = t("and-more", { names: more[1], count: Number(more[2]) });
    else if (name === "until") args[name] = day(value);
    else args[name] = value;
  }
  if (health.args?.off_s) args.side = health.args.off_s.startsWith("-") ? "behind" : "ahead";
  return args;
}

/**
 * The sentence of a health condition, in the reader's language where there is one for its code. Some codes have a second
 * one, which the values tell: `CODE-with-NAME`.
 */
export function healthText(health) {
  const args = values(health);
  for (const name of Object.keys(args)) {
    const text = tryT("health-", `${health.code}-with-${name}`, args, null);
    if (text !== null) return text;
  }
  return tryT("health-", health.code, args, sentenceCase(health.text));
}

const sentenceCase = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** Where the remedy of a condition is on these pages. */
const REMEDIES = { "borrow-ends": "along", "license-ends": "licenses", "license-ended": "licenses", "voters-missed": "machines", "no-quorum": "machines" };

export function healthNote(health, link) {
  const page = REMEDIES[health.code];
  const severity = ["ok", "info", "warning", "error"].includes(health.severity) ? health.severity : "info";
  return note(severity, healthText(health), page && link ? html`<a class="btn small" href="#/${page}">${link(page)}</a>` : nothing);
}
