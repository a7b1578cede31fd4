// Whether what is installed is covered by what was bought, and where.

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { day, money, number, t, tryT, when } from "../i18n.js";
import { titles } from "../products.js";
import { act, adminHint, isAdmin } from "../session.js";
import { update, use } from "../store.js";
import { dataTable } from "../table.js";
import { bar, empty, formDialog, head, missing, note, tabs, toast } from "../ui.js";
import { whatIf } from "./whatif.js";

const view = { product: null, closed: new Set(), tab: "units" };

export function organisationPage() {
  const [org, compliance, purchases, licenses] = ["/v1/org", "/v1/compliance", "/v1/purchases", "/v1/licenses"].map((path) => use(path));
  const lead = head(t("page-organisation"), t("organisation-lead"));
  const wait = missing(org, compliance, purchases);
  if (wait) return html`${lead}${wait}`;
  if (org.data.nodes.length === 0) {
    return html`${lead}${empty("organisation", t("no-organisation"), t("no-organisation-text"), html`<pre class="file">seatkeeper org import organisation.csv
seatkeeper org rules --import rules.csv
seatkeeper purchase import purchases.csv
seatkeeper compliance</pre>`)}`;
  }
  const title = titles(licenses.data?.licenses);
  const all = compliance.data.products;
  const chosen = all.find((product) => product.product === view.product) ?? all.find((product) => product.totals.short > 0) ?? all[0];
  return html`${lead}
    <div class="stack">
      ${all.length === 0 ? note("info", t("nothing-installed")) : totals(all, chosen, title)}
      ${compliance.data.unregistered.map((license) => note("warning", t("unregistered", { license: license.license, why: license.why })))}
      <div>${tabs(t("page-organisation"), ["units", "purchases", "what-if", "history"].map((tab) => [tab, t(`tab-${tab}`)]), view.tab, (tab) => { view.tab = tab; update(); })}</div>
      ${view.tab === "units" ? units(org.data, chosen)
        : view.tab === "purchases" ? purchaseTable(org.data, purchases.data, chosen, title)
          : view.tab === "what-if" ? whatIf(org.data, purchases.data, title) : history(title)}
    </div>`;
}

/** A card for each product: what is installed, what of it is covered, what lies idle. */
const totals = (all, chosen, title) => html`<div class="cards">${all.map((product) => {
  const { required, covered, short, surplus, owned, transfers } = product.totals;
  return html`<button type="button" class="card product" aria-pressed=${product === chosen} @click=${() => { view.product = product.product; update(); }}>
    <span class="product-head"><b>${title(product.product)}</b>
      ${short > 0 ? html`<span class="badge bad">${t("short", { count: short })}</span>` : required === 0 ? html`<span class="badge">${t("not-installed")}</span>` : html`<span class="badge use">${t("all-covered")}</span>`}</span>
    ${bar([["covered use", covered], ["short over", short], ["free", surplus]], t("coverage-label", { required, covered, short, surplus }))}
    <span class="legend"><span>${t("installed")} <b>${number(required)}</b></span><span>${t("bought")} <b>${number(owned)}</b></span>
      ${surplus > 0 ? html`<span>${t("surplus")} <b>${number(surplus)}</b></span>` : nothing}
      ${transfers > 0 ? html`<span>${t("by-downgrade")} <b>${number(transfers)}</b></span>` : nothing}
      ${product.seat_peak !== null ? html`<span>${t("seat-peak")} <b>${number(product.seat_peak)}</b></span>` : nothing}</span>
  </button>`;
})}</div>`;

const of = (product) => use(`/v1/compliance?product=${encodeURIComponent(product.product)}`);

function units(org, product) {
  const detail = product ? of(product) : null;
  if (detail) { const wait = missing(detail); if (wait) return wait; }
  const lines = new Map((detail?.data.nodes ?? []).map((node) => [node.node, node]));
  const children = Map.groupBy(org.nodes, (node) => node.parent);
  const rows = [];
  const walk = (node, depth) => {
    const below = children.get(node.id) ?? [];
    const isClosed = view.closed.has(node.id);
    rows.push({ node, depth, below: below.length, isClosed, line: lines.get(node.id) });
    if (!isClosed) below.forEach((child) => walk(child, depth + 1));
  };
  (children.get(null) ?? []).forEach((root) => walk(root, 0));
  return html`<section class="section">${dataTable({ id: "units", label: t("tab-units"), rows, key: (row) => row.node.id, cls: "tree", columns: [
    { id: "name", name: t("unit"), cell: unitName },
    { id: "requirement", name: t("installed"), cls: "right w3", label: t("installed"), cell: ({ line }) => (line ? figure(line, "requirement") : "–") },
    { id: "coverage", name: t("covered"), cls: "right w3", label: t("covered"), cell: ({ line }) => (line ? figure(line, "coverage") : "–") },
    { id: "compliance", name: t("compliance"), cls: "right w3", label: t("compliance"), cell: ({ line }) => (line ? verdict(line.rolled_up) : "–") },
  ] })}<p class="dim small">${t("own-in-parentheses")}</p></section>`;
}

const toggle = (id) => { if (!view.closed.delete(id)) view.closed.add(id); update(); };

const unitName = ({ node, depth, below, isClosed }) => html`<span class="unit depth-${Math.min(depth, 8)}">
  ${below > 0 ? html`<button type="button" class="btn quiet small icon-only fold" aria-expanded=${!isClosed} aria-label=${t("fold", { name: node.name })} @click=${() => toggle(node.id)}>${isClosed ? "▸" : "▾"}</button>` : html`<i class="fold"></i>`}
  <span>${node.name} <span class="sub mono">${node.id}</span> ${node.legal ? html`<span class="badge">${t("legal-entity")}</span>` : nothing}</span></span>`;

/** With all below; its own in parentheses where that differs. */
const figure = (line, what) => html`${number(line.rolled_up[what])}${line.own[what] !== line.rolled_up[what] ? html` <span class="sub">(${number(line.own[what])})</span>` : nothing}`;

const verdict = (line) => (line.requirement === 0 ? html`<span class="dim">–</span>`
  : line.compliance < 0 ? html`<span class="badge bad num">−${number(-line.compliance)}</span>` : html`<span class="badge use">${t("ok")}</span>`);

function purchaseTable(org, purchases, product, title) {
  const detail = product ? of(product).data : null;
  const uses = new Map((detail?.purchases ?? []).map((purchase) => [purchase.purchase, purchase]));
  const rows = purchases.purchases.filter((purchase) => !product || purchase.product === product.product);
  const nameOf = (id) => org.nodes.find((node) => node.id === id)?.name ?? id;
  if (rows.length === 0) return empty("licenses", t("no-purchases"), t("no-purchases-text"));
  return html`<section class="section">${dataTable({ id: "purchases", label: t("tab-purchases"), rows, key: (row) => row.id, sort: "id", columns: [
    { id: "id", name: t("purchase"), by: (row) => row.id, cell: (row) => html`${title(row.product)} ${row.version} <span class="sub mono">${row.id}</span>` },
    { id: "owner", name: t("owner"), by: (row) => nameOf(row.owner), cell: (row) => nameOf(row.owner) },
    { id: "quantity", name: t("quantity"), cls: "right w2", label: t("quantity"), by: (row) => row.quantity, cell: (row) => number(row.quantity) },
    { id: "used", name: t("used"), cls: "right w2", label: t("used"), by: (row) => uses.get(row.id)?.used, cell: (row) => useOf(uses.get(row.id)) },
    { id: "until", name: t("valid-until"), cls: "w3", label: t("valid-until"), by: (row) => row.valid_until, cell: (row) => (row.valid_until ? day(row.valid_until) : t("for-ever")) },
    { id: "cost", name: t("cost"), cls: "right w2", label: t("cost"), by: (row) => row.unit_cost, cell: (row) => (row.unit_cost === null ? "–" : money(row.unit_cost)) },
    { id: "allocated", name: t("allocated"), cell: (row) => allocated(row, nameOf) },
    ...(isAdmin() ? [{ id: "act", name: "", hidden: t("actions"), cls: "act", cell: (row) => html`<button type="button" class="btn small" @click=${() => allocate(org, row, title)}>${t("allocate")}</button>` }] : []),
  ] })}${adminHint()}</section>`;
}

const useOf = (use) => (use ? html`<span title=${use.why}>${number(use.used)} <span class="sr">${tryT("purchase-", use.verdict, {}, use.verdict)}</span></span>` : "–");

function allocated(purchase, nameOf) {
  const parts = Object.entries(purchase.manual).map(([node, quantity]) => `${nameOf(node)} ${number(quantity)}`);
  if (purchase.automatic) parts.push(t("rest-automatic"));
  return parts.length > 0 ? parts.join(", ") : t("owner-only");
}

/** Which unit gets how many of a purchase; what is left covers by itself, if the purchase is automatic. */
function allocate(org, purchase, title) {
  const parts = { ...purchase.manual };
  const below = new Set([purchase.owner]);
  for (const node of org.nodes) if (below.has(node.parent)) below.add(node.id);
  const nodes = org.nodes.filter((node) => below.has(node.id));
  const sum = () => Object.values(parts).reduce((total, quantity) => total + quantity, 0);
  return formDialog({
    title: t("allocate-title", { purchase: purchase.id }),
    wide: true,
    content: (self) => html`<p class="dim">${t("allocate-text", { product: title(purchase.product), version: purchase.version })}</p>
      <div class="allocate">${nodes.map((node) => html`<label><span>${node.name} <span class="dim mono small">${node.id}</span></span>
        <input type="number" min="0" max=${purchase.quantity} .value=${String(parts[node.id] ?? 0)}
          @input=${(event) => { const n = Number(event.target.value) || 0; if (n > 0) parts[node.id] = n; else delete parts[node.id]; self.draw(); }}></label>`)}</div>
      <p role="status" class=${sum() > purchase.quantity ? "badge bad" : "dim"}>${t("allocated-of", { sum: sum(), quantity: purchase.quantity })}</p>`,
    action: t("save"),
    act: async () => { await act("PUT", `/v1/purchases/${encodeURIComponent(purchase.id)}/allocations`, { allocations: parts }); toast(t("saved")); },
  });
}

function history(title) {
  const entry = use("/v1/compliance/history");
  const wait = missing(entry);
  if (wait) return wait;
  const list = entry.data.calculations.toReversed();
  if (list.length === 0) return empty("organisation", t("no-history"), t("no-history-text"));
  return html`<ol class="history">${list.slice(0, 50).map((calculation) => html`<li class="card">
    <p><b>${when(calculation.time)}</b> <span class="dim">${calculation.reasons.join("; ")}</span></p>
    ${differences(calculation.products, title)}</li>`)}</ol>`;
}

export const differences = (products, title) => html`<ul class="differences">${products.map((product) => {
  const before = product.before?.short ?? 0;
  const after = product.after?.short ?? 0;
  return html`<li><b>${title(product.product)}</b>
    <span class="badge ${after > 0 ? "bad" : "use"}">${after > 0 ? t("short", { count: after }) : t("all-covered")}</span>
    <span class="dim small">${t("difference", { before, after, covered: product.after?.covered ?? 0, required: product.after?.required ?? 0, surplus: product.after?.surplus ?? 0 })}</span></li>`;
})}</ul>`;
