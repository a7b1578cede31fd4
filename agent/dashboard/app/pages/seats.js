// Who works with what, and how many seats are out of the house.

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { repeat } from "../../vendor/lit-html/directives/repeat.js";
import { duration, exactly, number, roughly, t, when } from "../i18n.js";
import { icon } from "../icons.js";
import { products, titles } from "../products.js";
import { act, adminHint, isAdmin, isUser, session } from "../session.js";
import { update, use } from "../store.js";
import { dataTable } from "../table.js";
import { ask, empty, field, formDialog, head, legend, missing, seatBar, toast } from "../ui.js";

/** Shorter idle seats can't be asked for. */
const ASK_IDLE_S = 300;
/** More products are shown when asked for. */
const PRODUCTS_SHOWN = 12;

const view = { text: "", product: null, allProducts: false };

export function seatsPage() {
  const [status, seats, licenses] = ["/v1/status", "/v1/seats", "/v1/licenses"].map((path) => use(path));
  const wait = missing(status, seats);
  if (wait) return html`${head(t("page-seats"))}${wait}`;
  const title = titles(licenses.data?.licenses);
  const owned = products(status.data, seats.data.waiting, title);
  if (owned.length === 0 && seats.data.seats.length === 0) return html`${head(t("page-seats"))}${noLicenses()}`;
  return html`
    ${head(t("page-seats"), t("seats-lead"))}
    <div class="stack">
      ${tally(owned, seats.data)}
      ${productCards(owned)}
      ${seats.data.waiting.length > 0 ? waitingTable(seats.data.waiting, title) : nothing}
      ${seatTable(seats.data.seats, title)}
    </div>`;
}

const noLicenses = () => empty("licenses", t("no-licenses"), t("no-licenses-text"),
  html`<a class="btn primary" href="#/licenses">${t("to-licenses")}</a>`);

/** The whole house in four numbers. */
function tally(owned, { waiting }) {
  const sum = (what) => owned.reduce((total, product) => total + product[what], 0);
  const cell = (kind, count, name) => html`<div class=${count > 0 ? kind : "zero"}><dd class="num">${number(count)}</dd><dt>${name}</dt></div>`;
  const used = sum("online") + sum("here");
  return html`<dl class="tally">
    ${cell("use", used, t("tally-use", { count: used }))}
    ${cell("out", sum("out"), t("tally-out", { count: sum("out") }))}
    ${cell("free", sum("free"), t("tally-free", { count: sum("free") }))}
    ${cell("wait", waiting.length, t("tally-wait", { count: waiting.length }))}
  </dl>`;
}

function productCards(owned) {
  const shown = view.allProducts ? owned : owned.slice(0, PRODUCTS_SHOWN);
  return html`<section class="section" aria-label=${t("products")}>
    <div class="cards">${repeat(shown, (product) => product.product, productCard)}</div>
    ${owned.length > shown.length ? html`<div><button type="button" class="btn" @click=${() => { view.allProducts = true; update(); }}>
      ${t("all-products", { count: owned.length })}</button></div>` : nothing}
  </section>`;
}

function productCard(product) {
  const isChosen = view.product === product.product;
  return html`<button type="button" class="card product" aria-pressed=${isChosen}
      @click=${() => { view.product = isChosen ? null : product.product; update(); }}>
    <span class="product-head"><span class="product-name"><b>${product.title}</b> <span class="dim">${product.versions.join(", ")}</span></span>
      <span class="num product-sum">${t("used-of", { used: product.used, owned: product.owned })}</span></span>
    ${seatBar(product)}
    ${legend([
      ["use", t("in-use"), product.online],
      product.here > 0 && ["here", t("along-here"), product.here],
      product.out > 0 && ["out", t("out-of-house"), product.out],
      ["free", t("free"), product.free],
      product.waiting > 0 && ["wait", t("waiting"), product.waiting],
      product.over > 0 && ["bad", t("too-many"), product.over],
    ])}
  </button>`;
}

function waitingTable(waiting, title) {
  const mine = (row) => row.user === session.user;
  return html`<section class="section"><h2>${t("queue")}</h2>${dataTable({
    id: "waiting", label: t("queue"), rows: waiting, key: (row) => `${row.device} ${row.user} ${row.product} ${row.pid} ${row.since}`,
    columns: [
      { id: "who", name: t("who"), cls: "who-col", cell: (row) => person(row.user, mine(row)) },
      { id: "product", name: t("product"), cell: (row) => html`${title(row.product)} <span class="sub">${row.version ?? ""}</span>` },
      { id: "machine", name: t("machine"), cls: "where", cell: (row) => row.device_name },
      { id: "place", name: t("place"), cls: "state", cell: (row) => html`<span class="badge wait">${t("place-in-queue", { place: row.position })}</span>` },
      { id: "since", name: t("since"), cls: "at", label: t("since"), cell: (row) => time(row.since) },
      { id: "state", name: "", hidden: t("state"), cls: "w3", cell: (row) => (row.passed_over ? html`<span class="badge" title=${t("passed-over-why")}>${t("passed-over")}</span>` : nothing) },
    ],
  })}</section>`;
}

const time = (text) => html`<time class="num" datetime=${text ?? nothing} title=${exactly(text)}>${roughly(text)}</time>`;

const person = (user, isMe) => html`<span class="person"><span class="face ${isMe ? "me" : ""}" aria-hidden="true">${initials(user)}</span>
  <span title=${user}>${user}${isMe ? html` <span class="sub">${t("you")}</span>` : nothing}</span></span>`;

function initials(user) {
  const parts = user.replace(/@.*$/, "").replace(/^.*\\/, "").split(/[._\s-]+/).filter(Boolean);
  return (parts.length > 1 ? parts[0][0] + parts[1][0] : (parts[0] ?? "?").slice(0, 2));
}

function seatTable(all, title) {
  const seats = filtered(all, title);
  return html`<section class="section">
    <div class="section-head"><h2>${t("seats-taken", { count: all.length })}</h2>
      ${all.length > 0 ? filter(seats.length, all.length, title) : nothing}</div>
    ${all.length === 0 ? empty("seats", t("nobody-works"), t("nobody-works-text"))
      : seats.length === 0 ? empty("search", t("nothing-found"), t("nothing-found-text"), html`<button type="button" class="btn" @click=${showAll}>${t("show-all")}</button>`)
        : dataTable({ id: "seats", label: t("page-seats"), rows: seats, key: (seat) => seat.id, sort: "who", columns: columns(title, all) })}
    ${adminHint()}
  </section>`;
}

let found = null;

/** Those that fit what is looked for; looked for once, however often they are drawn. */
function filtered(all, title) {
  const words = view.text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0 && !view.product) return all;
  if (found?.all === all && found.text === view.text && found.product === view.product) return found.seats;
  const fits = (seat) => {
    if (view.product && seat.product !== view.product) return false;
    const text = `${seat.user} ${seat.device_name} ${seat.product} ${title(seat.product)} ${seat.version} ${seat.org_node ?? ""} ${stateName(seat)}`.toLowerCase();
    return words.every((word) => text.includes(word));
  };
  found = { all, text: view.text, product: view.product, seats: all.filter(fits) };
  return found.seats;
}

const showAll = () => { Object.assign(view, { text: "", product: null }); update(); };

function filter(shown, all, title) {
  return html`
    ${view.product ? html`<button type="button" class="btn small" @click=${() => { view.product = null; update(); }}>${title(view.product)} ${icon("close")}<span class="sr">${t("show-all")}</span></button>` : nothing}
    <label class="search">${icon("search")}<span class="sr">${t("filter")}</span>
      <input type="search" placeholder=${t("filter")} .value=${view.text} @input=${(event) => { view.text = event.target.value; update(); }}></label>
    ${shown < all ? html`<span class="dim small num" role="status">${t("shown-of", { shown, all })}</span>` : nothing}`;
}

function columns(title, all) {
  const hasNodes = all.some((seat) => seat.org_node);
  // Which version is worth a word only where there are several.
  const versions = new Map(all.map((seat) => [seat.product, seat.version]));
  const several = new Set(all.filter((seat) => versions.get(seat.product) !== seat.version).map((seat) => seat.product));
  return [
    { id: "who", name: t("who"), cls: "who-col", by: (seat) => seat.user, cell: (seat) => person(seat.user, seat.user === session.user) },
    { id: "product", name: t("product"), by: (seat) => title(seat.product), cell: (seat) => html`<span title=${seat.version}>${title(seat.product)}${several.has(seat.product) ? html` <span class="sub">${seat.version}</span>` : nothing}</span>` },
    { id: "machine", name: t("machine"), cls: "where", by: (seat) => seat.device_name,
      cell: (seat) => html`${seat.device_name}${hasNodes && seat.org_node ? html` <span class="sub">${seat.org_node}</span>` : nothing}` },
    { id: "state", name: t("state"), cls: "state", by: (seat) => seat.ends ?? "", cell: stateBadge },
    { id: "since", name: t("since"), cls: "at", label: t("since"), by: (seat) => seat.since, cell: (seat) => time(seat.since) },
    { id: "idle", name: t("idle"), cls: "w2", label: t("idle"), by: (seat) => seat.idle_s,
      cell: (seat) => html`<span class="num ${seat.idle_s >= ASK_IDLE_S ? "" : "dim"}">${idle(seat)}</span>` },
    ...(isUser() ? [{ id: "act", name: "", hidden: t("actions"), cls: "act", cell: (seat) => actions(seat, title) }] : []),
  ];
}

function idle(seat) {
  if (seat.idle_s === null) return "–";
  return seat.idle_s < 60 ? t("active") : duration(seat.idle_s);
}

function stateName(seat) {
  return seat.kind === "online" ? t("kind-online") : seat.kind === "borrowed" ? t("kind-borrowed") : seat.kind === "parked" ? t("kind-parked") : t("kind-grace");
}

const stateBadge = (seat) => html`
  ${seat.kind === "online" ? html`<span class="badge use">${stateName(seat)}</span>`
    : html`<span class="badge out" title=${exactly(seat.ends)}>${seat.ends ? t("borrowed-until", { ends: roughly(seat.ends) }) : stateName(seat)}</span>`}
  ${seat.asked ? html`<span class="badge wait" title=${t("asked-since", { since: when(seat.asked) })}>${icon("bell")}${t("asked")}</span>` : nothing}`;

function actions(seat, title) {
  if (isAdmin()) return html`<button type="button" class="btn small danger" @click=${() => release(seat, title(seat.product))}>${t("release")}</button>`;
  if (seat.user === session.user || !(seat.idle_s >= ASK_IDLE_S) || seat.asked) return nothing;
  return html`<button type="button" class="btn small" @click=${() => askFor(seat)}>${t("ask-for-it")}</button>`;
}

const release = (seat, product) => ask(
  t("release-title", { user: seat.user }),
  seat.kind === "online"
    ? t("release-text", { product, machine: seat.device_name, user: seat.user })
    : t("release-borrowed-text", { product, machine: seat.device_name, user: seat.user }),
  t("release"),
  async () => { await act("POST", `/v1/seats/${seat.id}/release`); toast(t("released", { user: seat.user })); },
);

const askFor = (seat) => formDialog({
  title: t("ask-title", { user: seat.user }),
  content: () => html`<p class="dim">${t("ask-text", { user: seat.user, idle: duration(seat.idle_s) })}</p>
    ${field(t("message"), html`<input name="message" maxlength="180" autofocus placeholder=${t("message-example")}>`)}`,
  action: t("ask-for-it"),
  act: async (form) => {
    await act("POST", `/v1/seats/${seat.id}/ask`, { message: form.get("message") || null });
    toast(t("asked-done", { user: seat.user }));
  },
});
