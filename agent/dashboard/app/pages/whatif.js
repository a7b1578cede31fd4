// What would be covered if something were different. Nothing is changed by asking.

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { call } from "../api.js";
import { t } from "../i18n.js";
import { icon } from "../icons.js";
import { adminHint, isUser } from "../session.js";
import { peek, update } from "../store.js";
import { empty, field, note, sentence } from "../ui.js";
import { differences } from "./organisation.js";

const CHANGES_MAX = 50;
const view = { kind: "buy", changes: [], answer: null, problem: null, busy: false };

export function whatIf(org, purchases, title) {
  // Asking changes nothing, but it is work for the holder: only for who is known.
  if (!isUser()) return html`${empty("organisation", t("what-if"), t("what-if-text"), adminHint())}`;
  const kinds = ["buy", "remove", "move", "legal"];
  return html`<div class="split">
    <section class="card form"><h2>${t("what-if")}</h2><p class="dim">${t("what-if-text")}</p>
      ${field(t("change"), html`<select @change=${(event) => { view.kind = event.target.value; update(); }}>${kinds.map((kind) => html`
        <option value=${kind} ?selected=${kind === view.kind}>${t(`change-${kind}`)}</option>`)}</select>`)}
      <form class="form" @submit=${(event) => { event.preventDefault(); add(new FormData(event.target), org, purchases, title); event.target.reset(); }}>
        ${inputs(org, purchases, title)}
        <div><button class="btn" ?disabled=${view.changes.length >= CHANGES_MAX}>${icon("plus")}${t("add-change")}</button></div>
      </form>
    </section>
    <section class="section">
      ${view.changes.length === 0 ? empty("organisation", t("no-changes"), t("no-changes-text")) : html`
        <ol class="changes">${view.changes.map((change, at) => html`<li class="card"><span>${change.text}</span>
          <button type="button" class="btn small quiet icon-only" aria-label=${t("take-back", { change: change.text })} @click=${() => { view.changes.splice(at, 1); calculate(); }}>${icon("close")}</button></li>`)}</ol>
        <div aria-live="polite">${answer(title)}</div>`}
    </section></div>`;
}

function answer(title) {
  if (view.problem) return note("error", view.problem);
  if (!view.answer) return nothing;
  if (view.answer.products.length === 0) return note("info", t("no-difference"));
  return html`<div class="card"><h3>${t("then")}</h3>${differences(view.answer.products, title)}</div>`;
}

const select = (name, options) => html`<select name=${name}>${options.map(([value, text]) => html`<option value=${value}>${text}</option>`)}</select>`;

function inputs(org, purchases, title) {
  const nodes = org.nodes.map((node) => [node.id, `${node.name} (${node.id})`]);
  if (view.kind === "buy") {
    const known = [...new Set(purchases.purchases.map((purchase) => purchase.product).concat((peek("/v1/compliance")?.products ?? []).map((product) => product.product)))];
    return html`
      ${field(t("product"), html`<input name="product" list="what-if-products" required spellcheck="false" placeholder=${known[0] ?? "example-cad"}><datalist id="what-if-products">${known.map((product) => html`<option value=${product}>${title(product)}</option>`)}</datalist>`)}
      ${field(t("version"), html`<input name="version" required placeholder="2026">`)}
      ${field(t("quantity"), html`<input name="quantity" type="number" min="1" max="100000" value="1" required>`)}
      ${field(t("owner"), select("owner", org.nodes.filter((node) => node.legal).map((node) => [node.id, `${node.name} (${node.id})`])))}`;
  }
  if (view.kind === "remove") return field(t("purchase"), select("purchase", purchases.purchases.map((purchase) => [purchase.id, `${title(purchase.product)} ${purchase.version} · ${purchase.id}`])));
  if (view.kind === "move") return html`${field(t("unit"), select("node", nodes.slice(1)))}${field(t("to-below"), select("parent", nodes))}`;
  return field(t("change-legal"), select("stop", [["true", t("stops-at-legal")], ["false", t("crosses-legal")]]));
}

function add(form, org, purchases, title) {
  const value = (name) => form.get(name)?.toString() ?? "";
  if (view.kind === "buy") {
    const purchase = { id: `what-if-${view.changes.length + 1}`, license: false, registered: true, product: value("product"), version: value("version"), quantity: Number(value("quantity")),
      owner: value("owner"), automatic: true, downgrade: [], downgrade_any: false, manual: {}, valid_from: null, valid_until: null, purchased: null, unit_cost: null };
    push({ set_purchase: purchase }, t("would-buy", { quantity: purchase.quantity, product: title(purchase.product), version: purchase.version }));
  } else if (view.kind === "remove") {
    push({ remove_purchase: value("purchase") }, t("would-remove", { purchase: value("purchase") }));
  } else if (view.kind === "move") {
    const node = org.nodes.find((node) => node.id === value("node"));
    const parent = org.nodes.find((node) => node.id === value("parent"));
    if (node && parent) push({ set_node: { ...node, parent: parent.id } }, t("would-move", { node: node.name, parent: parent.name }));
  } else {
    push({ stop_at_legal: value("stop") === "true" }, value("stop") === "true" ? t("stops-at-legal") : t("crosses-legal"));
  }
}

function push(change, text) {
  view.changes.push({ change, text });
  calculate();
}

async function calculate() {
  Object.assign(view, { answer: null, problem: null });
  update();
  if (view.changes.length === 0) return;
  try {
    view.answer = await call("POST", "/v1/compliance/what-if", { changes: view.changes.map(({ change }) => change) });
  } catch (error) {
    view.problem = sentence(error);
  }
  update();
}
