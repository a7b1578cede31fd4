// What was bought, and whose signatures are believed.

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { repeat } from "../../vendor/lit-html/directives/repeat.js";
import { asDay, day, t, tryT } from "../i18n.js";
import { icon } from "../icons.js";
import { borrowTerms } from "../products.js";
import { act, adminHint, isAdmin } from "../session.js";
import { update, use } from "../store.js";
import { ask, attempt, copyButton, dropZone, empty, facts, field, formDialog, head, missing, tell, toast } from "../ui.js";

const DAY_MS = 86_400_000;
const SOON_DAYS = 30;
const view = { old: false };

export function licensesPage() {
  const licenses = use("/v1/licenses");
  const lead = head(t("page-licenses"), t("licenses-lead"));
  const wait = missing(licenses);
  if (wait) return html`${lead}${wait}`;
  const isOld = (license) => license.state === "replaced" || license.state === "ended";
  const all = licenses.data.licenses;
  const shown = view.old ? all : all.filter((license) => !isOld(license));
  const hidden = all.length - shown.length;
  return html`${lead}
    <div class="stack">
      ${isAdmin() ? dropZone({ title: t("drop-license"), hint: t("drop-license-hint"), taken: addLicense }) : nothing}
      ${shown.length === 0 ? empty("licenses", t("no-licenses"), isAdmin() ? t("no-licenses-admin") : t("no-licenses-text"))
        : html`<div class="cards">${repeat(shown, (license) => license.id, licenseCard)}</div>`}
      ${hidden > 0 || view.old ? html`<div><button type="button" class="btn small" @click=${() => { view.old = !view.old; update(); }}>
        ${view.old ? t("hide-old") : t("show-old", { count: hidden })}</button></div>` : nothing}
      ${adminHint()}
      ${vendors()}
    </div>`;
}

function daysLeft(license) {
  if (!license.valid_until) return null;
  return Math.floor((asDay(license.valid_until).getTime() + DAY_MS - Date.now()) / DAY_MS);
}

function licenseCard(license) {
  const left = daysLeft(license);
  const days = borrowTerms(license);
  const isActive = license.state === "active";
  return html`<article class="card license ${isActive ? "" : "old"}">
    <div class="license-head"><h2>${license.title || license.product} <span class="dim">${license.version}</span></h2>
      ${isActive ? left !== null && left <= SOON_DAYS ? html`<span class="badge warning">${t("ends-in", { days: Math.max(0, left) })}</span>` : nothing
        : html`<span class="badge ${license.state === "future" ? "wait" : ""}">${tryT("license-state-", license.state, {}, license.state)}</span>`}</div>
    <p class="seats-bought"><b class="num">${license.seats}</b> ${t("seats-word", { count: license.seats })}</p>
    ${facts([
      [t("valid"), validity(license)],
      license.features.length > 0 && [t("features"), license.features.join(", ")],
      (license.downgrade_any || license.downgrade.length > 0) && [t("earlier-versions"), license.downgrade_any ? t("any") : license.downgrade.join(", ")],
      [t("take-along"), days === null ? t("not-allowed") : t("up-to-days", { days })],
      [t("license-id"), html`<span class="mono">${license.id}</span>`],
      [t("vendor"), license.vendor],
    ])}
    <div class="btns">
      <button type="button" class="btn small" @click=${() => showText(license)}>${t("show-text")}</button>
      ${isAdmin() && license.state !== "removed" ? html`<button type="button" class="btn small quiet danger" @click=${() => remove(license)}>${t("remove")}</button>` : nothing}
    </div></article>`;
}

function validity(license) {
  if (!license.valid_until) return license.valid_from ? t("valid-from", { from: day(license.valid_from) }) : t("for-ever");
  return license.valid_from ? t("valid-from-to", { from: day(license.valid_from), to: day(license.valid_until) }) : t("valid-to", { to: day(license.valid_until) });
}

const showText = (license) => tell(license.title || license.product, () => html`<pre class="file" tabindex="0">${license.text}</pre><div>${copyButton(license.text)}</div>`, { wide: true });

const remove = (license) => ask(t("remove-license-title", { title: license.title || license.product }), t("remove-license-text", { id: license.id, seats: license.seats }), t("remove"),
  async () => { await act("DELETE", `/v1/licenses/${encodeURIComponent(license.id)}`); toast(t("removed")); });

const addLicense = (text, name) => attempt(() => act("POST", "/v1/licenses", { text }), t("license-added", { name }));

function vendors() {
  const entry = use("/v1/vendors");
  const list = entry.data?.vendors ?? [];
  return html`<section class="section">
    <div class="section-head"><h2>${t("trusted-vendors")}</h2>
      ${isAdmin() ? html`<button type="button" class="btn" @click=${trust}>${icon("plus")}${t("trust-vendor")}</button>` : nothing}</div>
    ${list.length === 0 ? html`<p class="dim">${t("no-vendors")}</p>` : html`<div class="cards">${list.map((vendor) => html`<article class="card">
      <h3>${vendor.name}</h3>
      ${facts([[t("prefixes"), vendor.prefixes.map((prefix) => html`<code>${prefix}</code> `)], [t("key"), html`<span class="mono small">${vendor.key}</span>`]])}
    </article>`)}</div>`}
  </section>`;
}

/** The key and the name in a vendor's file: comments begin with `#`. */
function readVendor(text) {
  const name = /^\s*(?:#\s*)?(?:name|vendor)\s*[:=]\s*"?([^"\n]+?)"?\s*$/m.exec(text)?.[1] ?? "";
  const lines = text.split(/\r?\n/).map((line) => line.trim()).filter((line) => line && !line.startsWith("#"));
  const key = /\b[a-z2-7]{52}\b/i.exec(lines.join("\n"))?.[0] ?? lines.find((line) => !/[=:]/.test(line)) ?? "";
  return { key, name };
}

function trust() {
  const view = { key: "", name: "" };
  return formDialog({
    title: t("trust-vendor"),
    content: (self) => html`<p class="dim">${t("trust-text")}</p>
      ${dropZone({ title: t("drop-vendor"), hint: t("drop-vendor-hint"), taken: (text, file) => {
        Object.assign(view, readVendor(text));
        view.name ||= file.replace(/\.[^.]*$/, "");
        self.draw();
      } })}
      ${field(t("key"), html`<input name="key" class="mono" required spellcheck="false" .value=${view.key}>`)}
      ${field(t("vendor-name"), html`<input name="name" required .value=${view.name}>`)}
      ${field(t("prefixes"), html`<input name="prefixes" required placeholder="example-" spellcheck="false">`, t("prefixes-hint"))}`,
    action: t("trust"),
    act: async (form) => {
      const prefixes = form.get("prefixes").split(/[\s,]+/).filter(Boolean);
      await act("PUT", `/v1/vendors/${encodeURIComponent(form.get("key").trim())}`, { name: form.get("name"), prefixes });
      toast(t("vendor-trusted"));
    },
  });
}
