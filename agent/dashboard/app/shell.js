// The frame around every page: navigation, who is here, what is wrong.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { LANGUAGES, chooseLanguage, duration, language, t } from "./i18n.js";
import { icon } from "./icons.js";
import { alongPage } from "./pages/along.js";
import { healthText } from "./pages/health.js";
import { licensesPage } from "./pages/licenses.js";
import { machinesPage } from "./pages/machines.js";
import { organisationPage } from "./pages/organisation.js";
import { seatsPage } from "./pages/seats.js";
import { sitePage } from "./pages/site.js";
import { usagePage } from "./pages/usage.js";
import { welcomePage } from "./pages/welcome.js";
import { codeNote, whoCard } from "./session.js";
import { lostSince, update, use } from "./store.js";
import { note } from "./ui.js";

const PAGES = {
  welcome: welcomePage, seats: seatsPage, along: alongPage, machines: machinesPage, licenses: licensesPage,
  organisation: organisationPage, usage: usagePage, site: sitePage,
};
const IN_SITE = ["seats", "along", "machines", "licenses", "organisation", "usage", "site"];

/** Whether a machine waits is not so urgent that every page asks for all machines all the time. */
const WAITING_REFRESH_MS = 60_000;

let isMenuOpen = false;
const menu = (is) => { isMenuOpen = is; update(); if (is) requestAnimationFrame(() => document.querySelector(".nav a")?.focus()); };

export const route = () => /^#\/([a-z]+)/.exec(location.hash)?.[1] ?? "";

/** The page that is meant: outside of a site there is only one. */
function pageFor(status) {
  const named = route();
  if (status && !status.site) return "welcome";
  return named in PAGES && named !== "welcome" ? named : "seats";
}

export function routeChanged() {
  isMenuOpen = false;
  scrollTo(0, 0);
  document.getElementById("main")?.focus({ preventScroll: true });
}

export function shell() {
  const status = use("/v1/status").data;
  const page = pageFor(status);
  document.title = `${t(`page-${page}`)} · ${status?.site?.name ?? "Seatkeeper"}`;
  return html`
    <a class="skip" href="#main" @click=${(event) => { event.preventDefault(); document.getElementById("main").focus(); }}>${t("skip")}</a>
    <header class="top">
      <button type="button" class="btn quiet icon-only" aria-label=${t("menu")} aria-expanded=${isMenuOpen} @click=${() => menu(!isMenuOpen)}>${icon("menu")}</button>
      <b>${t(`page-${page}`)}</b><span class="grow"></span><span class="dim small">${status?.site?.name ?? ""}</span>
    </header>
    <button type="button" class="scrim ${isMenuOpen ? "open" : ""}" tabindex="-1" aria-hidden="true" @click=${() => menu(false)}></button>
    ${side(status, page)}
    <main id="main" class="main" tabindex="-1">
      <div class="banners">${banners(status)}</div>
      <div>${status || use("/v1/status").problem ? PAGES[page]() : nothing}</div>
    </main>`;
}

function side(status, page) {
  const pages = status && !status.site ? ["welcome"] : IN_SITE;
  return html`<aside class="side ${isMenuOpen ? "open" : ""}" @keydown=${(event) => { if (event.key === "Escape") menu(false); }}
      @click=${(event) => { if (isMenuOpen && event.target.closest("a, .who button")) menu(false); }}>
    <div class="brand"><img src="/assets/icon.svg" alt="" width="32" height="32"><div class="brand-text">
      <b>${status?.site?.name ?? "Seatkeeper"}</b><span>${status?.me ? t("this-is", { name: status.me.name }) : ""}</span></div></div>
    <nav class="nav" aria-label=${t("pages")}>${pages.map((name) => html`
      <a href="#/${name}" aria-current=${name === page ? "page" : nothing}>${icon(name)}<span>${t(`page-${name}`)}</span>${badge(name, status)}</a>`)}
    </nav>
    <div class="side-foot">${whoCard(Boolean(status?.site))}
      <div class="prefs">
        <select aria-label=${t("language")} @change=${(event) => chooseLanguage(event.target.value).then(update)}>
          ${Object.entries(LANGUAGES).map(([tag, name]) => html`<option value=${tag} lang=${tag} ?selected=${tag === language}>${name}</option>`)}</select>
        <button type="button" class="btn icon-only" title=${themeName()} aria-label=${themeName()} @click=${nextTheme}>${icon(theme())}</button>
      </div></div>
  </aside>`;
}

/** How much on a page wants to be looked at. */
function badge(name, status) {
  if (name === "site" && status) {
    const bad = status.health.filter((health) => health.severity !== "info");
    if (bad.length === 0) return nothing;
    const isError = bad.some((health) => health.severity === "error");
    return html`<span class="count ${isError ? "" : "warning"}" title=${t("health-count", { count: bad.length })}>${bad.length}<span class="sr"> ${t("health-count", { count: bad.length })}</span></span>`;
  }
  if (name === "machines" && status?.site) {
    const waiting = use("/v1/devices", WAITING_REFRESH_MS).data?.waiting.length ?? 0;
    return waiting > 0 ? html`<span class="count info">${waiting}<span class="sr"> ${t("machines-waiting-count", { count: waiting })}</span></span>` : nothing;
  }
  return nothing;
}

let lostClock = 0;

function banners(status) {
  const seconds = lostSince === null ? 0 : (Date.now() - lostSince) / 1_000;
  clearTimeout(lostClock);
  if (lostSince !== null) lostClock = setTimeout(update, 10_000);
  const errors = status?.health.filter((health) => health.severity === "error") ?? [];
  return html`
    ${lostSince === null ? nothing : html`<div role="alert">${note("error", html`<b>${t("lost-title")}</b> ${t("lost-text", { since: duration(seconds) })}`)}</div>`}
    ${codeNote()}
    ${route() === "site" ? nothing : errors.map((health) => note("error", healthText(health)))}`;
}

const theme = () => document.documentElement.dataset.theme ?? "auto";
const themeName = () => t("theme", { theme: theme() });
function nextTheme() {
  const next = { auto: "light", light: "dark", dark: "auto" }[theme()];
  if (next === "auto") delete document.documentElement.dataset.theme; else document.documentElement.dataset.theme = next;
  try {
    if (next === "auto") localStorage.removeItem("seatkeeper-theme"); else localStorage.setItem("seatkeeper-theme", next);
  } catch { /* For this visit only, then. */ }
  dispatchEvent(new Event("seatkeeper-theme"));
  update();
}
