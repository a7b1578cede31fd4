// What is not as it should be, in sentences with the remedy.

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { tryT } from "../i18n.js";
import { note } from "../ui.js";

/** The sentence of a health condition, in the reader's language where there is one for its code. */
export const healthText = (health) => tryT("health-", health.code, health.args ?? {}, health.text);

/** Where the remedy of a condition is on these pages. */
const REMEDIES = { "borrow-ends": "along", "waiting": "machines", "license-ends": "licenses", "license-ends-soon": "licenses" };

export function healthNote(health, link) {
  const page = REMEDIES[health.code];
  const severity = ["ok", "info", "warning", "error"].includes(health.severity) ? health.severity : "info";
  return note(severity, healthText(health), page && link ? html`<a class="btn small" href="#/${page}">${link(page)}</a>` : nothing);
}
