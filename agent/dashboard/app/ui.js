// Parts that pages are made of.

import { html, nothing, render, svg } from "../vendor/lit-html/lit-html.js";
import { Lost } from "./api.js";
import { number, t, tryT } from "./i18n.js";
import { icon } from "./icons.js";
import { update } from "./store.js";

/** The sentence of an error. The agent's own words, unless it is one that says the same each time. */
export function sentence(error) {
  if (error instanceof Lost) return t("agent-lost");
  const seconds = error.retryAfter ?? 1;
  return tryT("problem-", error.code ?? "", { seconds }, error.message);
}

/** What a page shows instead of what it has not got yet: `nothing` if all is there. */
export function missing(...entries) {
  const failed = entries.find((entry) => entry.data === undefined && entry.problem);
  if (failed) return note("warning", sentence(failed.problem));
  if (entries.some((entry) => entry.data === undefined)) {
    return html`<div class="loading" role="status"><span class="sr">${t("loading")}</span><i></i><i></i><i></i></div>`;
  }
  return null;
}

export const note = (severity, text, more = nothing) => html`
  <div class="note ${severity}">${icon(severity)}<div class="grow">${text}</div>${more}</div>`;

export const empty = (picture, title, text, more = nothing) => html`
  <div class="card empty">${icon(picture)}<h3>${title}</h3><p>${text}</p>${more}</div>`;

export const head = (title, text, more = nothing) => html`
  <div class="head"><div><h1>${title}</h1>${text ? html`<p>${text}</p>` : nothing}</div><div class="btns">${more}</div></div>`;

export const facts = (pairs) => html`
  <dl class="facts">${pairs.filter(Boolean).map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;

/** While seats can be told apart, each is a piece of its own. */
const PIECES_MAX = 30;

/** A bar of parts `[[class, count], …]`, which `label` tells to who can't see it. */
export function bar(parts, label) {
  const shown = parts.filter(([, count]) => count > 0);
  const total = shown.reduce((sum, [, count]) => sum + count, 0);
  if (total > 0 && total <= PIECES_MAX) {
    const pieces = shown.flatMap(([kind, count]) => Array.from({ length: count }, () => kind));
    return html`<div class="bar" role="img" aria-label=${label}>${pieces.map((kind) => html`<i class=${kind}></i>`)}</div>`;
  }
  let x = 0;
  const rects = shown.map(([kind, count]) => {
    const rect = { kind, x, width: (count / total) * 1000 };
    x += rect.width;
    return rect;
  });
  return html`<svg class="bar" viewBox="0 0 1000 10" preserveAspectRatio="none" role="img" aria-label=${label}>
    ${total === 0 ? svg`<rect class="free" width="1000" height="10"></rect>` : nothing}
    ${rects.map((rect) => svg`<rect class=${rect.kind} x=${rect.x} width=${rect.width} height="10"></rect>`)}
  </svg>`;
}

/** The seats of a product. */
export const seatBar = (product) => bar([["use", product.online], ["here", product.here], ["out", product.out], ["free", product.free]],
  t("bar-label", { owned: product.owned, use: product.online + product.here, out: product.out, free: product.free, waiting: product.waiting }));

export const legend = (parts) => html`
  <div class="legend">${parts.filter(Boolean).map(([kind, name, count]) => html`<span><i class="dot ${kind}"></i>${name} <b>${number(count)}</b></span>`)}</div>`;

/** A device id, as two people compare it over the phone. */
export const fingerprint = (id) => (id.match(/.{1,4}/g) ?? []).join(" ");

export const tabs = (label, choices, chosen, choose) => html`
  <div class="tabs" role="group" aria-label=${label}>${choices.map(([value, name]) => html`
    <button type="button" aria-pressed=${value === chosen} @click=${() => choose(value)}>${name}</button>`)}</div>`;

export const field = (label, input, hint) => html`
  <label class="field"><span>${label}</span>${input}${hint ? html`<small>${hint}</small>` : nothing}</label>`;

// Short messages that go away by themselves.

const toasts = document.createElement("div");
toasts.className = "toasts";
toasts.setAttribute("role", "status");
document.body.append(toasts);
const TOASTS_MAX = 3;

export function toast(text, severity = "ok") {
  const shown = document.createElement("div");
  shown.className = `toast ${severity}`;
  shown.textContent = text;
  toasts.append(shown);
  while (toasts.children.length > TOASTS_MAX) toasts.firstChild.remove();
  setTimeout(() => shown.remove(), severity === "error" ? 9_000 : 4_500);
}

/** Does `what` and says how it went. */
export async function attempt(what, done) {
  try {
    const answer = await what();
    if (done) toast(done);
    return answer;
  } catch (error) {
    toast(sentence(error), "error");
    return undefined;
  }
}

export async function copy(text) {
  try { await navigator.clipboard.writeText(text); toast(t("copied")); } catch { toast(t("copy-failed"), "error"); }
}

export const copyButton = (text) => html`
  <button type="button" class="btn small" @click=${() => copy(text)}>${icon("copy")}${t("copy")}</button>`;

export function download(name, text, type = "text/plain") {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

// Dialogs.

let open = null;

/**
 * Opens a dialog. `content(dialog)` draws what is in it; `dialog.busy`, `dialog.problem`, `dialog.close(answer)`,
 * `dialog.run(act)`, which closes when `act` has gone well, and `dialog.draw()`. Answers what it is closed with.
 */
export function dialog(content, { wide = false } = {}) {
  open?.close();
  const element = document.createElement("dialog");
  if (wide) element.className = "wide";
  document.body.append(element);
  const { promise, resolve } = Promise.withResolvers();
  const self = {
    busy: false,
    problem: null,
    element,
    draw: () => render(content(self), element),
    close: (answer) => { resolve(answer); element.close(); },
    run: async (act) => {
      Object.assign(self, { busy: true, problem: null });
      self.draw();
      try {
        const answer = await act();
        self.close(answer ?? true);
      } catch (error) {
        self.problem = sentence(error);
      }
      self.busy = false;
      if (element.isConnected) self.draw();
    },
  };
  open = self;
  element.addEventListener("close", () => { resolve(undefined); element.remove(); if (open === self) open = null; update(); });
  self.draw();
  element.setAttribute("aria-labelledby", "dialog-title");
  element.showModal();
  return promise;
}

export const redrawDialog = () => open?.draw();

/** A form in a dialog: a title, what is in it, and what its button does. */
export function formDialog({ title, content, action, danger = false, wide = false, act }) {
  return dialog((self) => html`
    <form @submit=${(event) => { event.preventDefault(); if (!self.busy) self.run(() => act(new FormData(event.target), self)); }}>
      <h2 id="dialog-title">${title}</h2>
      ${content(self)}
      ${self.problem ? html`<div role="alert">${note("error", self.problem)}</div>` : nothing}
      <div class="ends">
        <button type="button" class="btn" @click=${() => self.close()}>${t("cancel")}</button>
        <button class="btn primary ${danger ? "danger" : ""}" ?disabled=${self.busy}>${self.busy ? t("working") : action}</button>
      </div>
    </form>`, { wide });
}

/** Asks before something that can't be taken back; `text` names what happens. */
export const ask = (title, text, action, act) =>
  formDialog({ title, content: () => html`<p>${text}</p>`, action, danger: true, act });

/** Something to read, with one way out. */
export const tell = (title, content, more = {}) => dialog((self) => html`
  <div class="inner">
    <h2 id="dialog-title">${title}</h2>${content(self)}
    <div class="ends"><button type="button" class="btn primary" @click=${() => self.close(true)}>${more.close ?? t("close")}</button></div>
  </div>`, more);

/** A place that a file is dropped on, or chosen by. `taken` gets its text. */
export function dropZone({ title, hint, accept, taken }) {
  const take = async (files) => { for (const file of [...files].slice(0, 20)) await taken(await readText(file), file.name); };
  const over = (event, is) => { event.preventDefault(); event.currentTarget.classList.toggle("over", is); };
  return html`
    <label class="drop" @dragover=${(event) => over(event, true)} @dragleave=${(event) => over(event, false)}
      @drop=${(event) => { over(event, false); take(event.dataTransfer.files); }}>
      ${icon("upload")}<b>${title}</b><span class="small">${hint}</span>
      <input class="sr" type="file" accept=${accept ?? nothing} @change=${(event) => { take(event.target.files); event.target.value = ""; }}>
    </label>`;
}

/** What is no text of ours is larger. */
const FILE_BYTES_MAX = 60_000;
async function readText(file) {
  return (await file.slice(0, FILE_BYTES_MAX).text()).replace(/^\uFEFF/, "");
}
