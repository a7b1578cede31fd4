// Taking a seat along: for the person with a laptop.

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { calendar } from "../calendar.js";
import { duration, exactly, longDay, t, when } from "../i18n.js";
import { icon } from "../icons.js";
import { borrowTerms, products, titles } from "../products.js";
import { act, isUser, session, tellHowToOpen } from "../session.js";
import { update, use } from "../store.js";
import { ask, attempt, empty, formDialog, head, missing, note, seatBar, toast } from "../ui.js";

const DAY_MS = 86_400_000;
const view = { product: null, day: null, month: null, renew: false, busy: false };

export function alongPage() {
  const [status, borrows, licenses] = ["/v1/status", "/v1/borrows", "/v1/licenses"].map((path) => use(path));
  const lead = head(t("page-along"), t("along-lead", { machine: status.data?.me?.name ?? "" }));
  const wait = missing(status, borrows);
  if (wait) return html`${lead}${wait}`;
  const title = titles(licenses.data?.licenses);
  const mine = borrows.data.borrows;
  return html`${lead}
    <div class="stack">
      ${borrows.data.returning.length > 0 ? note("info", t("returning", { count: borrows.data.returning.length })) : nothing}
      ${mine.length > 0 ? html`<section class="section"><h2>${t("taken-along")}</h2>
        <div class="cards">${mine.map((borrow) => borrowCard(borrow, title, limitOf(licenses.data?.licenses, borrow.product)))}</div></section>` : nothing}
      ${takeAlong(status.data, licenses, title, mine)}
    </div>`;
}

/** For how many days seats of a product may be borrowed; null: not at all. */
function limitOf(licenses, product) {
  const days = (licenses ?? []).filter((license) => license.product === product && license.state === "active").map(borrowTerms).filter((days) => days !== null);
  return days.length > 0 ? Math.max(...days) : null;
}

function borrowCard(borrow, title, maxDays) {
  const isMine = session.user === borrow.user;
  const soon = borrow.left_s < 86_400;
  return html`<article class="card borrow">
    <div class="borrow-head"><h3>${title(borrow.product)} <span class="dim">${borrow.version}</span></h3>
      <span class="badge ${soon ? "bad" : "out"}">${t("time-left", { left: duration(borrow.left_s) })}</span></div>
    <p title=${exactly(borrow.ends)}>${t("until", { ends: when(borrow.ends) })}
      ${isMine ? nothing : html`<span class="dim">· ${borrow.user}</span>`}</p>
    <p class="dim small">${borrow.renew_s ? t("renews", { span: duration(borrow.renew_s) }) : nothing}
      ${borrow.programs > 0 ? t("programs-use-it", { count: borrow.programs }) : nothing}</p>
    ${isMine ? html`<div class="btns">
      <button type="button" class="btn small" @click=${() => extend(borrow, title, maxDays)}>${t("extend")}</button>
      <button type="button" class="btn small" @click=${() => giveBack(borrow, title)}>${t("give-back")}</button></div>` : nothing}
  </article>`;
}

/** The latest time that a borrow may end. */
const latest = (maxDays) => new Date(Date.now() + maxDays * DAY_MS - 120_000);

/** The end of that day, or the latest time there is. */
function endOf(day, maxDays) {
  const end = new Date(day.getFullYear(), day.getMonth(), day.getDate(), 23, 59, 59);
  return new Date(Math.min(end, latest(maxDays)));
}

function extend(borrow, title, maxDays) {
  const first = new Date(new Date(borrow.ends).setHours(0, 0, 0, 0));
  const last = latest(maxDays ?? 30);
  const state = { day: null, month: null };
  return formDialog({
    title: t("extend-title", { product: title(borrow.product) }),
    content: () => html`<p class="dim">${t("extend-text", { ends: when(borrow.ends) })}</p>${calendar(state, first, last, t("until-when"))}`,
    action: t("extend"),
    act: async () => {
      if (!state.day) throw new Error(t("choose-a-day"));
      await act("POST", "/v1/borrows", { product: borrow.product, version: borrow.version, features: borrow.features,
        until: endOf(state.day, maxDays ?? 30).toISOString(), renew: borrow.renew_s !== null });
      toast(t("extended"));
    },
  });
}

const giveBack = (borrow, title) => {
  const go = () => act("DELETE", "/v1/borrows", { product: borrow.product, version: borrow.version });
  return borrow.programs > 0
    ? ask(t("give-back-title", { product: title(borrow.product) }), t("give-back-running", { count: borrow.programs }), t("give-back"), go)
    : attempt(go, t("given-back"));
};

function takeAlong(status, licenses, title, mine) {
  const wait = missing(licenses);
  if (wait) return wait;
  const choices = products(status, [], title)
    .map((product) => ({ ...product, days: limitOf(licenses.data.licenses, product.product) }))
    .filter((product) => product.days !== null && !mine.some((borrow) => borrow.product === product.product && borrow.user === session.user));
  if (choices.length === 0) return mine.length > 0 ? nothing : empty("along", t("nothing-to-borrow"), t("nothing-to-borrow-text"));
  if (!isUser()) {
    return html`<div class="card empty">${icon("along")}<h3>${t("along-open")}</h3><p>${t("along-open-text")}</p>
      <button type="button" class="btn primary" @click=${tellHowToOpen}>${t("how-to-open")}</button></div>`;
  }
  const chosen = choices.find((product) => product.product === view.product) ?? choices.find((product) => product.free > 0) ?? choices[0];
  return html`<section class="section"><h2>${t("take-one")}</h2><div class="card taking">
    <fieldset class="choices"><legend>${t("what")}</legend>${choices.map((product) => choice(product, product === chosen))}</fieldset>
    ${untilWhen(chosen)}
  </div></section>`;
}

const choice = (product, isChosen) => html`
  <label class="choice"><input type="radio" name="product" .checked=${isChosen} @change=${() => { view.product = product.product; update(); }}>
    <span class="grow"><b>${product.title}</b> <span class="dim">${product.versions.join(", ")}</span>
      ${seatBar(product)}
      <small class="dim">${t("free-and-days", { free: product.free, days: product.days })}</small></span></label>`;

function untilWhen(product) {
  const today = new Date(new Date().setHours(0, 0, 0, 0));
  const last = latest(product.days);
  if (!view.day || view.day < today || view.day > last) view.day = new Date(Math.min(new Date(today.getTime() + 7 * DAY_MS + DAY_MS / 2).setHours(0, 0, 0, 0), new Date(last).setHours(0, 0, 0, 0)));
  const quick = (days) => {
    const day = new Date(today.getFullYear(), today.getMonth(), today.getDate() + days);
    return day > last ? nothing : html`<button type="button" class="btn small" @click=${() => { view.day = day; view.month = null; update(); }}>${t("days", { days })}</button>`;
  };
  return html`<div class="when">
    <h3>${t("until-when")}</h3>
    <div class="btns">${[1, 3, 7, 14, 30].map(quick)}</div>
    ${calendar(view, today, last, t("until-when"))}
    <label class="check"><input type="checkbox" .checked=${view.renew} @change=${(event) => { view.renew = event.target.checked; update(); }}>
      <span>${t("renew")}<br><small class="dim">${t("renew-hint")}</small></span></label>
    <button type="button" class="btn primary big" ?disabled=${view.busy || product.free === 0} @click=${() => borrow(product)}>${icon("along")}
      ${t("take-along-until", { product: product.title, day: longDay(view.day) })}</button>
    ${product.free === 0 ? html`<p class="dim small">${t("none-free-to-borrow")}</p>` : nothing}
  </div>`;
}

async function borrow(product) {
  view.busy = true;
  update();
  await attempt(() => act("POST", "/v1/borrows", { product: product.product, until: endOf(view.day, product.days).toISOString(), renew: view.renew }),
    t("borrowed-done", { product: product.title, day: longDay(view.day) }));
  view.busy = false;
  update();
}
