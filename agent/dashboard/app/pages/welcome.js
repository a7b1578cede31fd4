// A machine that belongs to no site yet.

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { t } from "../i18n.js";
import { icon } from "../icons.js";
import { act, isUser, managesDevice, session, tellHowToOpen } from "../session.js";
import { changedAll, update, use } from "../store.js";
import { attempt, copyButton, dialog, download, field, fingerprint, formDialog, missing, note, toast } from "../ui.js";

export function welcomePage() {
  // Outside of a site there are no events, and somebody looks at this page and waits.
  const status = use("/v1/status", 2_000);
  const wait = missing(status);
  if (wait) return wait;
  const me = status.data.me;
  if (me?.role === "waiting") return waitingPage(status.data, me);
  const sites = use("/v1/sites").data?.sites ?? [];
  return html`<div class="welcome">
    <img src="/assets/icon.svg" alt="" width="72" height="72">
    <h1>${t("welcome-title")}</h1>
    <p class="dim">${t("welcome-lead", { machine: me?.name ?? "" })}</p>
    ${rightsNote()}
    <div class="ways">
      ${sites.length === 0 ? looking() : sites.map(foundSite)}
      ${way("key", t("have-code"), t("have-code-text"), t("enter-code"), joinByCode)}
      ${way("plus", t("create-site"), t("create-site-text"), t("create-site"), createSite)}
    </div>
  </div>`;
}

function rightsNote() {
  if (managesDevice()) return nothing;
  return isUser() ? note("warning", t("not-manager", { user: session.user }))
    : note("info", t("welcome-open"), html`<button type="button" class="btn small" @click=${tellHowToOpen}>${t("how-to-open")}</button>`);
}

const way = (picture, title, text, action, go, isFirst = false) => html`<article class="card way">
  ${icon(picture)}<h2>${title}</h2><p class="dim">${text}</p>
  ${managesDevice() ? html`<button type="button" class="btn ${isFirst ? "primary" : ""}" @click=${go}>${action}</button>` : nothing}</article>`;

const foundSite = (site) => way("site", t("found-site", { name: site.name ?? site.id }), t("found-site-text", { address: site.address ?? "" }), t("ask-to-join"), askToJoin, true);

const looking = () => html`<article class="card way">${icon("search")}<h2>${t("looking")}</h2><p class="dim">${t("looking-text")}</p></article>`;

async function askToJoin() {
  await attempt(() => act("POST", "/v1/site/join", { code: null }));
  changedAll();
}

const joinByCode = () => formDialog({
  title: t("have-code"),
  content: () => html`<p class="dim">${t("enter-code-text")}</p>
    ${field(t("invitation-code"), html`<textarea name="code" class="mono" required autofocus spellcheck="false" rows="3"></textarea>`)}`,
  action: t("join"),
  act: async (form) => {
    await act("POST", "/v1/site/join", { code: form.get("code").trim() });
    changedAll();
    toast(t("joined"));
  },
});

async function createSite() {
  let admin = "";
  const answer = await formDialog({
    title: t("create-site"),
    content: () => html`
      ${field(t("site-name"), html`<input name="name" required maxlength="64" autofocus placeholder=${t("site-name-example")}>`)}
      ${field(t("admin-name"), html`<input name="admin" required maxlength="64" autocomplete="username" .value=${session.user ?? ""}>`, t("admin-name-hint"))}
      ${field(t("password"), html`<input name="password" type="password" required minlength="8" autocomplete="new-password">`, t("password-hint"))}
      ${field(t("password-again"), html`<input name="again" type="password" required autocomplete="new-password">`)}`,
    action: t("create-site"),
    act: (form) => {
      if (form.get("password") !== form.get("again")) throw new Error(t("passwords-differ"));
      admin = form.get("admin");
      return act("POST", "/v1/site", { name: form.get("name"), admin: form.get("admin"), password: form.get("password") });
    },
  });
  if (!answer?.recovery_code) return;
  await showOnce(answer, admin);
  changedAll();
  location.hash = "#/seats";
}

/** What is shown once and never again: leaving takes two deliberate steps. */
function showOnce(answer, admin) {
  const done = { key: false, code: false };
  const name = `${admin}.key`;
  return dialog((self) => {
    self.element.addEventListener("cancel", (event) => { if (!(done.key && done.code)) event.preventDefault(); });
    const check = (what) => (event) => { done[what] = event.target.checked; self.draw(); };
    return html`<div class="inner">
      <h2 id="dialog-title">${t("keep-these")}</h2>
      <section class="section"><h3>${t("keep-code")}</h3><p class="dim">${t("keep-code-text")}</p>
        <div class="secret">${answer.recovery_code}</div><div>${copyButton(answer.recovery_code)}</div>
        <label class="check"><input type="checkbox" @change=${check("code")}><span>${t("kept-code")}</span></label></section>
      ${answer.key_file ? html`<section class="section"><h3>${t("keep-key")}</h3><p class="dim">${t("keep-key-text")}</p>
        <div><button type="button" class="btn" @click=${() => { download(name, answer.key_file); done.key = true; self.draw(); }}>${icon("download")}${t("download-key")}</button></div></section>` : ((done.key = true), nothing)}
      <div class="ends"><button type="button" class="btn primary" ?disabled=${!(done.key && done.code)} @click=${() => self.close()}>${t("go-on")}</button></div>
    </div>`;
  });
}

function waitingPage(status, me) {
  return html`<div class="welcome">
    <img src="/assets/icon.svg" alt="" width="72" height="72">
    <h1>${t("waiting-title")}</h1>
    <p class="dim">${t("waiting-text")}</p>
    <div class="card"><h2>${me.name}</h2><p class="dim small">${t("fingerprint")}</p><div class="secret">${fingerprint(me.id)}</div></div>
    ${managesDevice() ? html`<div class="btns"><button type="button" class="btn" @click=${joinByCode}>${t("have-code")}</button>
      <button type="button" class="btn quiet" @click=${async () => { await attempt(() => act("POST", "/v1/site/leave")); changedAll(); update(); }}>${t("wait-no-more")}</button></div>` : nothing}
  </div>`;
}
