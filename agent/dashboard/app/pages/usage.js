// How much was used, how much was out of the house, and who was refused.

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { usageChart } from "../chart.js";
import { collator, decimal, number, t, tryT } from "../i18n.js";
import { icon } from "../icons.js";
import { products, titles } from "../products.js";
import { update, use } from "../store.js";
import { download, empty, head, missing, tabs } from "../ui.js";

const HOUR_S = 3_600;
const DAY_S = 86_400;
const view = { product: null, byDay: false };

export function usagePage() {
  const [usage, status, licenses] = ["/v1/usage", "/v1/status", "/v1/licenses"].map((path) => use(path));
  const wait = missing(usage, status);
  if (wait) return html`${head(t("page-usage"), t("usage-lead"))}${wait}`;
  const title = titles(licenses.data?.licenses);
  const all = usage.data.products.filter((product) => product.hours.length + product.days.length > 0)
    .sort((a, b) => collator().compare(title(a.product), title(b.product)));
  if (all.length === 0) return html`${head(t("page-usage"), t("usage-lead"))}${empty("usage", t("no-usage"), t("no-usage-text"))}`;
  const chosen = all.find((product) => product.product === view.product) ?? all[0];
  const owned = products(status.data, [], title).find((product) => product.product === chosen.product)?.owned ?? null;
  const spans = view.byDay ? chosen.days : chosen.hours;
  const series = seriesOf(chosen.product, spans, view.byDay, owned);
  return html`${head(t("page-usage"), t("usage-lead"), html`<button type="button" class="btn" @click=${() => exportCsv(chosen, owned)}>${icon("download")}${t("export-csv")}</button>`)}
    <div class="stack">
      <div class="section-head">
        <label class="usage-product"><span class="sr">${t("product")}</span><select @change=${(event) => { view.product = event.target.value; update(); }}>
          ${all.map((product) => html`<option value=${product.product} ?selected=${product === chosen}>${title(product.product)}</option>`)}</select></label>
        ${tabs(t("span"), [[false, t("by-hour")], [true, t("by-day")]], view.byDay, (byDay) => { view.byDay = byDay; update(); })}
      </div>
      ${sums(spans, owned, view.byDay)}
      <div class="card chart-card">${usageChart(series, t("chart-label", { product: title(chosen.product) }))}</div>
      ${denials(spans)}
    </div>`;
}

/** The time between two points; what is left out there was nothing. */
function seriesOf(product, spans, byDay, owned) {
  const step = byDay ? DAY_S : HOUR_S;
  const known = new Map(spans.map((span) => [Math.round(Date.parse(span.start) / 1_000 / step) * step, span]));
  const now = Math.floor(Date.now() / 1_000 / step) * step;
  const count = byDay ? Math.min(396, Math.max(14, (now - Math.min(...known.keys(), now)) / step + 1)) : 7 * 24;
  const series = { x: [], peak: [], average: [], offline: [], limit: [], denied: [] };
  for (let at = now - (count - 1) * step; at <= now; at += step) {
    const span = known.get(at);
    const lasted = at === now ? Math.max(60, Date.now() / 1_000 - now) : step;
    series.x.push(at);
    series.peak.push(span?.peak ?? 0);
    series.average.push(span ? span.seat_s / lasted : 0);
    series.offline.push(span ? span.borrowed_s / lasted : 0);
    series.limit.push(owned);
    series.denied.push(denied(span) || null);
  }
  // Steps go on to the end of the last hour or day.
  for (const [name, values] of Object.entries(series)) values.push(name === "x" ? now + step : name === "denied" ? null : values.at(-1));
  return { ...series, byDay, key: JSON.stringify([product, byDay, owned, now, spans.at(-1) ?? null, spans.length]) };
}

const denied = (span) => Object.values(span?.denied ?? {}).reduce((sum, count) => sum + count, 0);

function sums(spans, owned, byDay) {
  const peak = Math.max(0, ...spans.map((span) => span.peak));
  const hours = spans.reduce((sum, span) => sum + span.seat_s, 0) / HOUR_S;
  const away = spans.reduce((sum, span) => sum + span.borrowed_s, 0) / HOUR_S;
  const refused = spans.reduce((sum, span) => sum + denied(span), 0);
  const starts = spans.reduce((sum, span) => sum + span.starts, 0);
  const cell = (kind, value, name) => html`<div class=${kind}><dd class="num">${value}</dd><dt>${name}</dt></div>`;
  return html`<dl class="tally">
    ${cell("use", owned === null ? number(peak) : t("peak-of", { peak, owned }), t("peak-sum"))}
    ${cell("", decimal(hours), t("seat-hours", { count: hours }))}
    ${cell(away >= 0.05 ? "out" : "zero", decimal(away), t("hours-out"))}
    ${cell("", number(starts), t("starts", { count: starts }))}
    ${cell(refused > 0 ? "bad" : "zero", number(refused), t("refused-starts", { count: refused }))}
  </dl><p class="dim small">${byDay ? t("last-year") : t("last-week")}</p>`;
}

function denials(spans) {
  const rules = new Map();
  for (const span of spans) for (const [rule, count] of Object.entries(span.denied)) if (count > 0) rules.set(rule, (rules.get(rule) ?? 0) + count);
  if (rules.size === 0) return nothing;
  return html`<section class="section"><h2>${t("why-refused")}</h2><ul class="rules">${[...rules].sort(([, a], [, b]) => b - a).map(([rule, count]) => html`
    <li><b class="num">${number(count)}</b> ${tryT("rule-", rule, {}, rule)}</li>`)}</ul></section>`;
}

function exportCsv(product, owned) {
  const rows = (spans, kind) => spans.map((span) => [product.product, kind, span.start, span.peak, (span.seat_s / HOUR_S).toFixed(3), (span.borrowed_s / HOUR_S).toFixed(3),
    span.starts, denied(span), owned ?? ""].join(","));
  const head = "product,span,start,peak,seat_hours,borrowed_hours,starts,denied,owned_now";
  download(`usage-${product.product}.csv`, [head, ...rows(product.hours, "hour"), ...rows(product.days, "day"), ""].join("\r\n"), "text/csv");
}
