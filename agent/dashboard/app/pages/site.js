// How the site is: health, who votes, who may join, and what was done.

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { get } from "../api.js";
import { t } from "../i18n.js";
import { icon } from "../icons.js";
import { act, adminHint, isAdmin, managesDevice } from "../session.js";
import { changedAll, update, use } from "../store.js";
import { ask, copyButton, download, facts, field, fingerprint, formDialog, head, missing, note, sentence, tell, toast } from "../ui.js";
import { audit } from "./audit.js";
import { healthNote, healthText } from "./health.js";
import { invite } from "./invite.js";

const view = { checks: null, busy: false, problem: null };

export function sitePage() {
  const status = use("/v1/status");
  const lead = head(t("page-site"), t("site-lead"), isAdmin() ? html`<button type="button" class="btn" @click=${invite}>${icon("plus")}${t("invite")}</button>` : nothing);
  const wait = missing(status);
  if (wait) return html`${lead}${wait}`;
  return html`${lead}
    <div class="stack">
      ${health(status.data)}
      <div class="split">${books(status.data)}${admins()}</div>
      ${audit()}
      ${leave(status.data)}
    </div>`;
}

function health(status) {
  const link = (page) => t("go-to", { page: t(`page-${page}`) });
  return html`<section class="section">
    <div class="section-head"><h2>${t("health")}</h2><div class="btns">
      ${status.health.some((health) => health.code === "pool-key-exposed") && isAdmin() ? html`<button type="button" class="btn" @click=${rotate}>${t("rotate-key")}</button>` : nothing}
      <button type="button" class="btn" ?disabled=${view.busy} @click=${check}>${view.busy ? t("checking") : t("check-now")}</button></div></div>
    ${status.health.length === 0 ? note("ok", html`<b>${t("all-well")}</b> <span class="dim">${t("all-well-text")}</span>`) : status.health.map((health) => healthNote(health, link))}
    ${view.problem ? note("warning", view.problem) : nothing}
    ${view.checks ? checks() : nothing}
  </section>`;
}

const checks = () => html`<div class="card"><h3>${t("checks-title")}</h3><ul class="checks">${view.checks.map((check) => html`
  <li class=${check.severity}>${icon(check.severity)}<span><span class="sr">${t("severity", { severity: check.severity })}</span> ${healthText(check)}</span></li>`)}</ul></div>`;

async function check() {
  Object.assign(view, { busy: true, problem: null });
  update();
  try { view.checks = (await get("/v1/doctor")).checks; } catch (error) { view.problem = sentence(error); }
  view.busy = false;
  update();
}

const rotate = () => formDialog({
  title: t("rotate-key"),
  content: () => html`<p>${t("rotate-text")}</p>${field(t("recovery-code"), html`<input name="code" required autocomplete="off" spellcheck="false">`)}`,
  action: t("rotate-key"),
  act: async (form) => { await act("POST", "/v1/pool-key/rotate", { recovery_code: form.get("code").trim() }); toast(t("saved")); },
});

/** Who keeps the books and how many may be missing, in words. */
function books(status) {
  const { quorum, holder, devices, site, me } = status;
  const spare = quorum ? quorum.live - quorum.needed : 0;
  return html`<section class="card"><h2>${t("books")}</h2>
    ${quorum ? html`<p class="quorum">${quorumDots(quorum)} <span>${quorum.ok ? t("quorum-ok", { live: quorum.live, voters: quorum.voters, spare }) : t("quorum-lost", { live: quorum.live, needed: quorum.needed, voters: quorum.voters })}</span></p>` : nothing}
    ${facts([
      [t("holder"), holder ? holder.name : t("nobody")],
      devices && [t("page-machines"), t("machines-online", { online: devices.online, all: devices.enrolled })],
      me && [t("this-machine"), t("me-and-role", { name: me.name, role: t(`role-${me.role}`) })],
      [t("site-name"), site.name],
      [t("site-id"), html`<span class="mono">${fingerprint(site.id)}</span> ${copyButton(site.id)}`],
      site.generation > 1 && [t("generation"), site.generation],
    ])}</section>`;
}

const quorumDots = (quorum) => html`<span class="voters" aria-hidden="true">${Array.from({ length: quorum.voters }, (_, at) => html`<i class="dot ${at < quorum.live ? "on" : "bad"}"></i>`)}</span>`;

function admins() {
  const entry = use("/v1/admins");
  const wait = missing(entry);
  return html`<section class="card">
    <div class="section-head"><h2>${t("admins")}</h2>${isAdmin() ? html`<button type="button" class="btn small" @click=${addAdmin}>${icon("plus")}${t("add-admin")}</button>` : nothing}</div>
    ${wait ?? html`<ul class="admins">${entry.data.admins.map((admin) => html`<li>
      <span class="face" aria-hidden="true">${admin.name.slice(0, 2)}</span><span class="grow"><b>${admin.name}</b><br><small class="dim">${admin.role === "admin" ? t("may-change") : t("may-read")}</small></span>
      ${isAdmin() ? html`<button type="button" class="btn small quiet danger" aria-label=${t("remove-name", { name: admin.name })} @click=${() => removeAdmin(admin)}>${t("remove")}</button>` : nothing}</li>`)}</ul>`}
    ${adminHint()}
  </section>`;
}

async function addAdmin() {
  let name = "";
  const answer = await formDialog({
    title: t("add-admin"),
    content: () => html`
      ${field(t("admin-name"), html`<input name="name" required maxlength="64" autofocus autocomplete="off">`)}
      ${field(t("role"), html`<select name="role"><option value="admin">${t("may-change")}</option><option value="reader">${t("may-read")}</option></select>`)}
      ${field(t("password"), html`<input name="password" type="password" required minlength="8" autocomplete="new-password">`, t("first-password-hint"))}`,
    action: t("add-admin"),
    act: (form) => { name = form.get("name"); return act("PUT", `/v1/admins/${encodeURIComponent(name)}`, { role: form.get("role"), password: form.get("password") }); },
  });
  if (!answer?.key_file) return;
  await tell(t("keep-key"), () => html`<p>${t("new-key-text", { name })}</p>
    <div><button type="button" class="btn" @click=${() => download(`${name}.key`, answer.key_file)}>${icon("download")}${t("download-key")}</button></div>`);
}

const removeAdmin = (admin) => ask(t("remove-admin-title", { name: admin.name }), t("remove-admin-text"), t("remove"), () => act("DELETE", `/v1/admins/${encodeURIComponent(admin.name)}`));

function leave(status) {
  if (!managesDevice()) return nothing;
  return html`<section class="section"><h2>${t("leave-section")}</h2><p class="dim">${t("leave-text", { machine: status.me?.name ?? "" })}</p>
    <div><button type="button" class="btn danger" @click=${() => ask(t("leave-title", { site: status.site.name }), t("leave-ask"), t("leave"), async () => { await act("POST", "/v1/site/leave"); changedAll(); })}>${t("leave")}</button></div></section>`;
}
