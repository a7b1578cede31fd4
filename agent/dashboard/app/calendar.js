// A month to choose a day from, by mouse or by arrow keys.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { longDay, monthName, shortWeekday, t } from "./i18n.js";
import { icon } from "./icons.js";
import { update } from "./store.js";

const at = (day, days) => new Date(day.getFullYear(), day.getMonth(), day.getDate() + days);
const sameDay = (a, b) => a && b && a.toDateString() === b.toDateString();
const monthOf = (day, months = 0) => new Date(day.getFullYear(), day.getMonth() + months, 1);

/** `state`: `{day, month}`, which the calendar changes; days before `first` or after `last` can't be chosen. */
export function calendar(state, first, last, label) {
  state.month ??= monthOf(state.day ?? first);
  const isAllowed = (day) => day >= first && day <= last;
  const begin = at(state.month, -((state.month.getDay() + 6) % 7));
  const weeks = Array.from({ length: 6 }, (_, week) => Array.from({ length: 7 }, (_, day) => at(begin, week * 7 + day)));
  const turn = (months) => { state.month = monthOf(state.month, months); update(); };
  const focusable = isAllowed(state.day ?? first) && monthOf(state.day ?? first).getTime() === state.month.getTime()
    ? state.day ?? first : weeks.flat().find((day) => isAllowed(day) && day.getMonth() === state.month.getMonth());

  const keys = (event, day) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -7, ArrowDown: 7 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = at(day, step);
    if (!isAllowed(next)) return;
    state.day = next;
    state.month = monthOf(next);
    update();
    requestAnimationFrame(() => requestAnimationFrame(() => document.querySelector(".calendar button[tabindex='0']")?.focus()));
  };

  return html`<div class="calendar" role="group" aria-label=${label}>
    <div class="calendar-head">
      <button type="button" class="btn small quiet icon-only" aria-label=${t("month-before")} ?disabled=${state.month <= monthOf(first)} @click=${() => turn(-1)}>${icon("left")}</button>
      <b aria-live="polite">${monthName(state.month)}</b>
      <button type="button" class="btn small quiet icon-only" aria-label=${t("month-after")} ?disabled=${state.month >= monthOf(last)} @click=${() => turn(1)}>${icon("right")}</button>
    </div>
    <table><thead><tr>${weeks[0].map((day) => html`<th scope="col">${shortWeekday(day)}</th>`)}</tr></thead>
    <tbody>${weeks.map((week) => html`<tr>${week.map((day) => html`<td>${day.getMonth() !== state.month.getMonth() ? nothing : html`
      <button type="button" ?disabled=${!isAllowed(day)} aria-pressed=${sameDay(day, state.day) ? "true" : "false"} aria-label=${longDay(day)}
        tabindex=${sameDay(day, focusable) ? 0 : -1} class=${sameDay(day, new Date()) ? "today" : ""}
        @click=${() => { state.day = day; update(); }} @keydown=${(event) => keys(event, day)}>${day.getDate()}</button>`}</td>`)}</tr>`)}
    </tbody></table></div>`;
}
