// Sentences in the reader's language (i18n/*.ftl), and numbers, dates and durations as they are written there.

import { FluentBundle, FluentResource } from "../vendor/fluent/index.js";

export const LANGUAGES = { en: "English", pl: "Polski" };
const KEY = "seatkeeper-language";

export let language = "en";
let bundle = null;

const stored = (key) => { try { return localStorage.getItem(key); } catch { return null; } };

/** What was chosen here, else the first language of the browser that there is. */
function wanted() {
  const chosen = stored(KEY);
  if (chosen in LANGUAGES) return chosen;
  return (navigator.languages ?? []).map((tag) => tag.slice(0, 2).toLowerCase()).find((tag) => tag in LANGUAGES) ?? "en";
}

export async function loadLanguage(choice = wanted()) {
  const response = await fetch(`/assets/i18n/${choice}.ftl`);
  if (!response.ok) throw new Error(response.statusText);
  const next = new FluentBundle(choice === "en" ? navigator.languages?.find((tag) => tag.startsWith("en")) ?? "en" : choice, { useIsolating: false });
  next.addResource(new FluentResource(await response.text()));
  bundle = next;
  language = choice;
  document.documentElement.lang = choice;
  formats.clear();
}

export function chooseLanguage(choice) {
  try { localStorage.setItem(KEY, choice); } catch { /* For this visit only, then. */ }
  return loadLanguage(choice);
}

/** The sentence of `key`. */
export function t(key, args) {
  const message = bundle?.getMessage(key);
  return message?.value ? bundle.formatPattern(message.value, args, []) : key;
}

/** The sentence of `prefix` + `word`, where `word` comes from the agent; `fallback` if there is none, or an argument lacks. */
export function tryT(prefix, word, args, fallback) {
  const message = bundle?.getMessage(`${prefix}${word}`);
  if (!message?.value) return fallback;
  const errors = [];
  const text = bundle.formatPattern(message.value, args, errors);
  return errors.length === 0 ? text : fallback;
}

/** How dates and numbers are written. */
export const locale = () => bundle?.locales[0] ?? "en";

const formats = new Map();
function format(kind, make) {
  if (!formats.has(kind)) formats.set(kind, make(locale()));
  return formats.get(kind);
}
const dateFormat = (kind, options) => format(kind, (locale) => new Intl.DateTimeFormat(locale, options));

export const number = (n) => format("number", (locale) => new Intl.NumberFormat(locale)).format(n);
export const decimal = (n) => format("decimal", (locale) => new Intl.NumberFormat(locale, { maximumFractionDigits: 1 })).format(n);
export const money = (hundredths) =>
  format("money", (locale) => new Intl.NumberFormat(locale, { minimumFractionDigits: 2, maximumFractionDigits: 2 })).format(hundredths / 100);
export const collator = () => format("collator", (locale) => new Intl.Collator(locale, { numeric: true, sensitivity: "base" }));

const DAY_MS = 86_400_000;
const midnight = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();

/** A time as short as it can be understood: `14:05`, `Fri 14:05`, `5 Dec 14:05`. */
export function when(text) {
  if (!text) return t("unknown");
  const date = new Date(text);
  const days = Math.round((midnight(date) - midnight(new Date())) / DAY_MS);
  const clock = dateFormat("clock", { hour: "numeric", minute: "2-digit" }).format(date);
  if (days === 0) return clock;
  if (days === -1) return t("yesterday-at", { clock });
  if (days === 1) return t("tomorrow-at", { clock });
  if (Math.abs(days) < 6) return dateFormat("weekday", { weekday: "short", hour: "numeric", minute: "2-digit" }).format(date);
  return dateFormat("moment", { day: "numeric", month: "short", ...otherYear(date), hour: "numeric", minute: "2-digit" }).format(date);
}

/** The same without the clock where that says little: days from now. */
export function roughly(text) {
  if (!text) return t("unknown");
  const date = new Date(text);
  const days = Math.round((midnight(date) - midnight(new Date())) / DAY_MS);
  if (days === 0) return when(text);
  if (Math.abs(days) === 1) return days < 0 ? t("yesterday") : t("tomorrow");
  return dateFormat("rough", { day: "numeric", month: "short", ...otherYear(date) }).format(date);
}

const otherYear = (date) => (date.getFullYear() === new Date().getFullYear() ? {} : { year: "numeric" });

/** In full, for a tooltip. */
export const exactly = (text) =>
  text ? dateFormat("exactly", { dateStyle: "full", timeStyle: "medium" }).format(new Date(text)) : "";

/** A day: `5 Dec 2026`. A date without a time is that day everywhere. */
export function day(text) {
  if (!text) return t("unknown");
  return dateFormat("day", { day: "numeric", month: "short", year: "numeric" }).format(asDay(text));
}
export const longDay = (date) => dateFormat("long-day", { weekday: "long", day: "numeric", month: "long" }).format(date);
export const monthName = (date) => dateFormat("month", { month: "long", year: "numeric" }).format(date);
export const shortWeekday = (date) => dateFormat("short-weekday", { weekday: "short" }).format(date);

export function asDay(text) {
  const [year, month, date] = text.slice(0, 10).split("-").map(Number);
  return text.length === 10 ? new Date(year, month - 1, date) : new Date(text);
}

/** About so long: `3 min`, `2 h 5 min`, `4 days`. */
export function duration(seconds) {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1) return t("less-than-a-minute");
  if (minutes < 60) return t("minutes", { minutes });
  if (minutes < 1_440) return minutes % 60 === 0 ? t("hours", { hours: minutes / 60 }) : t("hours-minutes", { hours: Math.floor(minutes / 60), minutes: minutes % 60 });
  return t("days", { days: Math.floor(minutes / 1_440) });
}
