// Who looks at this page, and what he may do.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { Lost, call, get, setCsrf } from "./api.js";
import { t } from "./i18n.js";
import { icon } from "./icons.js";
import { changedAll, update } from "./store.js";
import { dialog, dropZone, field, formDialog, note, sentence, toast } from "./ui.js";

const NOBODY = { user: null, manages_device: false, csrf: null, device: null, site: null, admin: null };
const KEY = "seatkeeper-admin-key";

export let session = NOBODY;
/** Why the code in the address did not open a session. */
export let codeProblem = null;

export const isUser = () => session.user !== null;
export const managesDevice = () => isUser() && session.manages_device;
export const isAdmin = () => session.admin !== null && session.admin.role === "admin";

function take(answer) {
  session = { ...NOBODY, ...answer };
  setCsrf(session.csrf);
  clearTimeout(ending);
  if (session.admin) ending = setTimeout(tick, 1_000);
  update();
}

let ending = 0;
/** Counts down what is left of an admin's 15 minutes. */
function tick() {
  if (!session.admin) return;
  if (adminLeft() <= 0) {
    toast(t("admin-over"));
    refreshSession();
    take({ ...session, admin: null });
    return;
  }
  ending = setTimeout(tick, adminLeft() < 61 ? 1_000 : 5_000);
  update();
}
export const adminLeft = () => Math.max(0, Math.round((new Date(session.admin.ends) - Date.now()) / 1_000));

export async function refreshSession() {
  try { take(await get("/v1/session")); } catch (error) { if (!(error instanceof Lost)) take(NOBODY); }
}

/** Exchanges the code of `seatkeeper open`, if the address has one, which it has no longer afterwards. */
export async function openSession() {
  const code = /^#code=([^&]+)/.exec(location.hash)?.[1];
  if (!code) return refreshSession();
  history.replaceState(null, "", `${location.pathname}#/`);
  try {
    take(await call("POST", "/v1/session", { code: decodeURIComponent(code) }));
    codeProblem = null;
  } catch (error) {
    codeProblem = sentence(error);
    await refreshSession();
  }
  changedAll();
}

/** Does what changes something, and believes the agent when it says that nobody is signed in any more. */
export async function act(method, path, body) {
  try {
    return await call(method, path, body);
  } catch (error) {
    if (["no-session", "sign-in", "csrf"].includes(error.code)) refreshSession();
    throw error;
  }
}

export async function signOutAdmin() {
  try { take(await call("DELETE", "/v1/session/admin")); } catch { refreshSession(); }
  if (session.admin) refreshSession();
}

const storage = {
  read: () => { try { return localStorage.getItem(KEY); } catch { return null; } },
  write: (key) => { try { if (key) localStorage.setItem(KEY, key); else localStorage.removeItem(KEY); } catch { /* Not kept, then. */ } },
};

/** Asks for an admin's key file and its password. */
export function signIn() {
  if (!isUser()) return tellHowToOpen();
  let key = storage.read();
  let name = key ? t("key-remembered") : null;
  let remember = key !== null;
  return formDialog({
    title: t("sign-in"),
    action: t("sign-in"),
    content: (self) => html`
      <p class="dim">${t("sign-in-why")}</p>
      ${key ? html`<div class="note">${icon("key")}<div class="grow">${name}</div>
          <button type="button" class="btn small" @click=${() => { key = null; storage.write(null); self.draw(); }}>${t("another-key")}</button></div>`
      : dropZone({ title: t("drop-key"), hint: t("drop-key-hint"), taken: (text, file) => { key = text; name = file; self.draw(); } })}
      ${field(t("password"), html`<input name="password" type="password" autocomplete="current-password" required ?autofocus=${key !== null}>`)}
      <label class="check"><input type="checkbox" name="remember" .checked=${remember} @change=${(event) => { remember = event.target.checked; }}>
        <span>${t("remember-key")}<br><small class="dim">${t("remember-key-hint")}</small></span></label>`,
    act: async (form) => {
      if (!key) throw new Error(t("drop-key-first"));
      take(await act("PUT", "/v1/session/admin", { key, password: form.get("password") }));
      storage.write(remember ? key : null);
      changedAll();
      toast(t("signed-in", { name: session.admin?.name ?? "" }));
    },
  });
}

/** Says plainly how a page comes to know who looks at it. */
export const tellHowToOpen = () => dialog((self) => html`
  <div class="inner">
    <h2 id="dialog-title">${t("open-title")}</h2>
    <p>${t("open-why")}</p>
    <div class="secret">seatkeeper open</div>
    <p class="dim">${t("open-then")}</p>
    <div class="ends"><button type="button" class="btn primary" @click=${() => self.close()}>${t("close")}</button></div>
  </div>`);

/** At the foot of the navigation: who is here. */
export function whoCard(hasSite) {
  if (!isUser()) {
    return html`<div class="who"><b>${t("look-only")}</b><p class="dim">${t("look-only-why")}</p>
      <button type="button" class="btn small" @click=${tellHowToOpen}>${t("how-to-open")}</button></div>`;
  }
  const left = session.admin ? adminLeft() : 0;
  return html`<div class="who">
    <b>${session.user}</b>
    ${session.admin
      ? html`<p><span class="badge use">${icon("key")}${t("admin-is", { name: session.admin.name, role: session.admin.role })}</span></p>
        <p class="dim num">${left < 60 ? t("seconds-left", { seconds: left }) : t("minutes-left", { minutes: Math.ceil(left / 60) })}</p>
        <button type="button" class="btn small" @click=${signOutAdmin}>${t("sign-out")}</button>`
      : hasSite ? html`<button type="button" class="btn small" @click=${signIn}>${icon("key")}${t("sign-in")}</button>` : nothing}
  </div>`;
}

/** Said once on a page where an admin could do more. */
export const adminHint = () => (isAdmin() ? nothing : html`
  <p class="dim small">${session.admin ? t("reader-hint") : isUser()
    ? html`${t("admin-hint")} <button type="button" class="link" @click=${signIn}>${t("sign-in")}</button>`
    : html`${t("open-hint")} <button type="button" class="link" @click=${tellHowToOpen}>${t("how-to-open")}</button>`}</p>`);

export const codeNote = () => (codeProblem ? note("warning", codeProblem, html`
  <button type="button" class="btn small" @click=${() => { codeProblem = null; update(); }}>${t("close")}</button>`) : nothing);
