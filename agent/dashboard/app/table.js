// Tables that can be sorted. Of a long one only the rows that are seen are made.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { collator, language } from "./i18n.js";
import { update } from "./store.js";

/** Shorter tables have all their rows. */
const ALL_ROWS_MAX = 120;
/** Rows beyond what is seen, above and below, so that scrolling shows no gap. */
const MARGIN_ROWS = 10;
/** The seen part moves in steps, so that most scrolling draws nothing. */
const STEP_ROWS = 8;

const states = new Map();

function stateOf(id, sort) {
  if (!states.has(id)) states.set(id, { sort, down: false, first: 0, last: 24, height: 0, count: 0, sorted: null });
  return states.get(id);
}

/**
 * `columns`: `{id, name, cell(row), by?(row), cls?, label?}`; `by` makes it sortable. `key(row)` tells rows apart.
 */
export function dataTable({ id, label, columns, rows, key, sort, rowClass, cls = "" }) {
  const state = stateOf(id, sort);
  const sorted = sortedOnce(state, rows, columns);
  const isLong = sorted.length > ALL_ROWS_MAX;
  state.count = sorted.length;
  if (isLong) watch(id, state);
  const first = isLong ? Math.min(state.first, Math.max(0, sorted.length - 20)) : 0;
  const last = isLong ? Math.min(state.last, sorted.length) : sorted.length;
  return html`<div class="tablewrap"><table id=${`table-${id}`} class="data cardy ${isLong ? "fixed" : ""} ${cls}" role="table" aria-label=${label} aria-rowcount=${sorted.length + 1}>
    <thead role="rowgroup"><tr role="row">${columns.map((column) => heading(column, state))}</tr></thead>
    <tbody role="rowgroup">
      ${pad(first * state.height, columns.length)}
      ${repeat(sorted.slice(first, last), key, (row, at) => html`
        <tr class="row ${rowClass?.(row) ?? ""}" role="row" aria-rowindex=${first + at + 2}>${columns.map((column) => html`
          <td role="cell" class=${column.cls ?? ""} data-label=${column.label ?? nothing}>${column.cell(row)}</td>`)}</tr>`)}
      ${pad((sorted.length - last) * state.height, columns.length)}
    </tbody></table></div>`;
}

const pad = (height, columns) => (height > 0
  ? html`<tr class="pad" aria-hidden="true"><td colspan=${columns} height=${Math.round(height)}></td></tr>` : nothing);

function heading(column, state) {
  if (!column.by) return html`<th role="columnheader" scope="col" class=${column.cls ?? ""}>${column.name || html`<span class="sr">${column.hidden ?? ""}</span>`}</th>`;
  const isSorted = state.sort === column.id;
  const choose = () => { state.down = isSorted ? !state.down : false; state.sort = column.id; update(); };
  return html`<th role="columnheader" scope="col" class=${column.cls ?? ""} aria-sort=${isSorted ? (state.down ? "descending" : "ascending") : nothing}>
    <button type="button" @click=${choose}>${column.name}<span class="arrow" aria-hidden="true">${isSorted ? (state.down ? "↓" : "↑") : ""}</span></button></th>`;
}

/** The same rows are sorted once, however often they are drawn while somebody scrolls. */
function sortedOnce(state, rows, columns) {
  const { sorted } = state;
  if (sorted?.rows !== rows || sorted.sort !== state.sort || sorted.down !== state.down || sorted.language !== language) {
    const column = columns.find(({ id }) => id === state.sort);
    state.sorted = { rows, sort: state.sort, down: state.down, language, result: sortRows(rows, column, state.down) };
  }
  return state.sorted.result;
}

/** Rows in the order of a column; what is not known comes last, both ways. */
function sortRows(rows, column, down) {
  if (!column) return rows;
  const text = collator();
  const sign = down ? -1 : 1;
  return rows
    .map((row) => [column.by(row), row])
    .sort(([a], [b]) => {
      if (a === null || a === undefined || b === null || b === undefined) return (a ?? null) === null ? ((b ?? null) === null ? 0 : 1) : -1;
      return sign * (typeof a === "string" ? text.compare(a, b) : a - b);
    })
    .map(([, row]) => row);
}

const watched = new Set();

/** Follows which rows of a long table are seen. */
function watch(id, state) {
  if (!watched.has(id)) {
    watched.add(id);
    const look = () => seen(id, state) && update();
    addEventListener("scroll", look, { passive: true });
    addEventListener("resize", () => { state.height = 0; look(); });
  }
  if (state.height === 0) requestAnimationFrame(() => seen(id, state) && update());
}

function seen(id, state) {
  const table = document.getElementById(`table-${id}`);
  const row = table?.querySelector("tr.row");
  if (!row) return false;
  const height = state.height || row.getBoundingClientRect().height;
  const body = table.tBodies[0].getBoundingClientRect();
  const top = Math.floor(-body.top / height / STEP_ROWS) * STEP_ROWS;
  const first = Math.max(0, Math.min(top - MARGIN_ROWS, state.count - MARGIN_ROWS));
  const last = Math.max(first, top) + Math.ceil(innerHeight / height / STEP_ROWS) * STEP_ROWS + MARGIN_ROWS;
  if (first === state.first && last === state.last && height === state.height) return false;
  Object.assign(state, { first, last, height });
  return true;
}
