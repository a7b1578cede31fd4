// What was done, by whom, when: the newest first.

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { get } from "../api.js";
import { exactly, language, number, t, tryT, when } from "../i18n.js";
import { icon } from "../icons.js";
import { peek, update, use } from "../store.js";
import { dataTable } from "../table.js";
import { attempt, download, missing, note } from "../ui.js";

/** So many of the newest records are shown; older ones by their days. */
const NEWEST = 200;
const view = { text: "", from: "", to: "", after: null };
const PAGES_MAX = 500;

export function audit() {
  // The first page tells how far the records go; the newest are asked for then.
  const first = use("/v1/audit?from=9999-01-01");
  const wait = missing(first);
  if (wait) return html`<section class="section"><h2>${t("audit")}</h2>${wait}</section>`;
  const newest = first.data.newest.seq;
  // The question stays the same while records come, so that what is shown stays until the new answer is here.
  if (view.after === null || newest > view.after + 2 * NEWEST) view.after = Math.max(0, newest - NEWEST);
  const chosen = view.from || view.to;
  const query = chosen ? new URLSearchParams(Object.entries({ from: view.from, to: view.to }).filter(([, value]) => value)) : `after=${view.after}`;
  const page = use(`/v1/audit?${query}`);
  const records = (page.data?.part.records ?? []).toReversed();
  const words = view.text.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = records.filter((record) => { const text = `${sentenceOf(record)} ${record.text} ${record.user ?? ""} ${record.product ?? ""} ${record.kind}`.toLowerCase(); return words.every((word) => text.includes(word)); });
  return html`<section class="section">
    <div class="section-head"><h2>${t("audit")}</h2><div class="btns">
      <label class="search">${icon("search")}<span class="sr">${t("filter-audit")}</span><input type="search" placeholder=${t("filter-audit")} .value=${view.text} @input=${(event) => { view.text = event.target.value; update(); }}></label>
      ${dayInput("from", t("from-day"))}${dayInput("to", t("to-day"))}
      <button type="button" class="btn" @click=${() => attempt(exportRecords)}>${icon("download")}${t("export")}</button></div></div>
    ${first.data.damaged.map((text) => note("error", text))}
    ${missing(page) ?? (shown.length === 0 ? note("info", t("nothing-found")) : dataTable({ id: "audit", label: t("audit"), rows: shown, key: (record) => record.seq, columns: [
      { id: "what", name: t("what-happened"), cell: (record) => html`<span title=${record.text}>${sentenceOf(record)}</span>` },
      { id: "time", name: t("time"), cls: "w4", cell: (record) => html`<time class="num" datetime=${record.time ?? nothing} title=${exactly(record.time)}>${when(record.time)}</time>` },
      { id: "seq", name: t("number"), cls: "right w2", cell: (record) => html`<span class="dim">${number(record.seq)}</span>` },
    ] }))}
    ${chosen ? page.data?.next ? html`<p class="dim small">${t("audit-more")}</p>` : nothing : newest > records.length ? html`<p class="dim small">${t("audit-newest", { shown: records.length, all: newest })}</p>` : nothing}
  </section>`;
}

const dayInput = (name, label) => html`<label class="day"><span class="sr">${label}</span>
  <input type="date" title=${label} .value=${view[name]} @change=${(event) => { view[name] = event.target.value; update(); }}></label>`;

/** The record's own sentence is English, and says most; in another language as much of it as the fields tell. */
function sentenceOf(record) {
  const machine = peek("/v1/devices")?.devices.find((device) => device.id === record.device)?.name;
  const args = {};
  if (record.user) args.user = record.user;
  if (record.product) args.product = record.product;
  if (machine) args.machine = machine;
  return language === "en" ? record.text : tryT("event-", record.kind, args, record.text);
}

/** All records as a spreadsheet reads them. What can be verified elsewhere is `seatkeeper audit --json`. */
async function exportRecords() {
  const records = [];
  let page = null;
  let after = 0;
  for (let pages = 0; pages < PAGES_MAX; pages += 1) {
    page = await get(`/v1/audit?after=${after}`);
    records.push(...page.part.records);
    if (page.next === null) break;
    after = page.next;
  }
  const lines = records.map((record) => [record.seq, record.time, record.kind, record.text, record.product, record.user, record.device, record.seat, record.hash]
    .map((value) => `"${String(value ?? "").replaceAll('"', '""')}"`).join(","));
  download("audit.csv", ["seq,time,kind,text,product,user,device,seat,hash", ...lines, ""].join("\r\n"), "text/csv");
}
