// The machines of the site, and those that want to belong to it.

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { repeat } from "../../vendor/lit-html/directives/repeat.js";
import { duration, exactly, t, tryT, when } from "../i18n.js";
import { icon } from "../icons.js";
import { act, adminHint, isAdmin } from "../session.js";
import { update, use } from "../store.js";
import { dataTable } from "../table.js";
import { ask, copyButton, dialog, empty, facts, field, fingerprint, formDialog, head, missing, note, toast } from "../ui.js";
import { invite } from "./invite.js";

/** Who admits a machine has its user on the phone; so many machines at most are asked for that often. */
const SOON_MS = 5_000;
const SOON_MACHINES_MAX = 200;

const view = { text: "" };

export function machinesPage() {
  const status = use("/v1/status");
  const isSmall = (status.data?.devices?.enrolled ?? Infinity) <= SOON_MACHINES_MAX;
  const devices = use("/v1/devices", isSmall ? SOON_MS : undefined);
  const lead = head(t("page-machines"), t("machines-lead"), isAdmin()
    ? html`<button type="button" class="btn" @click=${invite}>${icon("plus")}${t("invite")}</button>` : nothing);
  const wait = missing(devices);
  if (wait) return html`${lead}${wait}`;
  const all = devices.data.devices;
  const text = view.text.toLowerCase();
  const shown = text === "" ? all : all.filter((device) => `${device.name} ${device.id} ${device.address ?? ""} ${roleName(device.role)}`.toLowerCase().includes(text));
  return html`${lead}
    <div class="stack">
      ${devices.data.waiting.length > 0 ? waitingMachines(devices.data.waiting) : nothing}
      <section class="section">
        <div class="section-head"><h2>${t("machines-online", { online: all.filter((device) => device.online).length, all: all.length })}</h2>
          ${all.length > 8 ? html`<label class="search">${icon("search")}<span class="sr">${t("filter-machines")}</span>
            <input type="search" placeholder=${t("filter-machines")} .value=${view.text} @input=${(event) => { view.text = event.target.value; update(); }}></label>` : nothing}</div>
        ${shown.length === 0 ? empty("search", t("nothing-found"), t("nothing-found-text"))
          : dataTable({ id: "machines", label: t("page-machines"), rows: shown, key: (device) => device.id, sort: "name",
            cls: "tall", rowClass: (device) => (device.role === "revoked" ? "revoked" : ""), columns: columns(status.data?.me?.id, shown) })}
        ${all.length === 1 ? note("info", t("only-one-machine")) : nothing}
        ${adminHint()}
      </section>
    </div>`;
}

const roleName = (role) => tryT("role-", role, {}, role);

const waitingMachines = (waiting) => html`<section class="section"><h2>${t("machines-waiting")}</h2>
  <div class="cards">${repeat(waiting, (device) => device.id, (device) => html`<article class="card asking">
    <h3>${icon(device.form === "laptop" ? "laptop" : "machines")} ${device.name}</h3>
    <p class="dim small">${[device.address, device.version].filter(Boolean).join(" · ")}</p>
    <p class="small">${t("compare-fingerprint")}</p>
    <div class="secret small">${fingerprint(device.id)}</div>
    ${isAdmin() ? html`<div class="btns"><button type="button" class="btn primary" @click=${() => admit(device)}>${t("admit")}</button></div>` : nothing}
  </article>`)}</div></section>`;

const admit = (device) => formDialog({
  title: t("admit-title", { name: device.name }),
  content: () => html`<p>${t("admit-text")}</p><div class="secret">${fingerprint(device.id)}</div>`,
  action: t("admit"),
  act: async () => { await act("POST", `/v1/devices/${device.id}/admit`); toast(t("admitted", { name: device.name })); },
});

function columns(me, devices) {
  const known = (field) => devices.some((device) => device[field] !== undefined && device[field] !== null);
  return [
    { id: "name", name: t("name"), by: (device) => device.name, cell: (device) => html`<span class="person">${icon(device.form === "laptop" ? "laptop" : "machines")}
      <span><button type="button" class="link plain" title=${t("details-of", { name: device.name })} @click=${() => details(device)}>${device.name}</button>${device.id === me ? html` <span class="sub">${t("this-machine")}</span>` : nothing}</span></span>` },
    { id: "online", name: t("online"), cls: "w4", by: (device) => Number(!device.online), cell: onlineState },
    { id: "role", name: t("role"), cls: "w4", by: (device) => ["holder", "voter", "standby", "spare", "revoked"].indexOf(device.role), cell: roleBadge },
    { id: "address", name: t("address"), cls: "w4", by: (device) => device.address, cell: (device) => html`<span class="mono">${device.address ?? "–"}</span>` },
    { id: "seats", name: t("seats"), cls: "w2", label: t("seats"), by: (device) => device.seats, cell: (device) => html`<span class="num">${device.seats}</span>${device.borrowed > 0 ? html` <span class="badge out" title=${t("borrowed-count", { count: device.borrowed })}>${icon("along")}${device.borrowed}<span class="sr"> ${t("borrowed-count", { count: device.borrowed })}</span></span>` : nothing}` },
    ...(known("clock_off_s") ? [{ id: "clock", name: t("clock"), cls: "w2", label: t("clock"), by: (device) => device.clock_off_s, cell: clock }] : []),
    { id: "version", name: t("version"), cls: "w1", label: t("version"), by: (device) => device.version, cell: (device) => device.version ?? "–" },
  ];
}

function onlineState(device) {
  if (device.lost) return html`<span class="badge bad" title=${t("lost-since", { since: exactly(device.lost) })}>${t("lost-word")}</span>`;
  if (device.role === "revoked") return html`<span class="badge">${t("shut-out")}</span>`;
  return html`<i class="dot ${device.online ? "on" : "off"}"></i> ${device.online ? t("online") : device.last_seen ? t("seen", { when: when(device.last_seen) }) : t("offline")}`;
}

const roleBadge = (device) => html`<span class="badge ${device.role === "holder" ? "use" : device.role === "revoked" ? "bad" : ""}" title=${tryT("role-why-", device.role, {}, "")}>${roleName(device.role)}</span>`;

function clock(device) {
  const off = device.clock_off_s;
  if (off === null || off === undefined) return "–";
  if (Math.abs(off) < 2) return t("clock-right");
  return html`<span class=${Math.abs(off) > 120 ? "badge warning" : ""}>${off > 0 ? "+" : "−"}${Math.abs(off) < 60 ? `${Math.abs(off)} s` : duration(Math.abs(off))}</span>`;
}

/** One machine in full, with what an admin may do to it. */
function details(device) {
  return dialog((self) => {
    const now = use("/v1/devices").data?.devices.find((other) => other.id === device.id) ?? device;
    const then = (what) => { self.close(); what(now); };
    return html`<div class="inner">
      <h2 id="dialog-title">${now.name}</h2>
      ${facts([
        [t("fingerprint"), html`<span class="mono">${fingerprint(now.id)}</span> ${copyButton(now.id)}`],
        [t("role"), html`${roleName(now.role)}<br><small class="dim">${tryT("role-why-", now.role, {}, "")}</small>`],
        [t("online"), now.online ? t("online") : t("offline")],
        now.last_seen && [t("last-seen"), exactly(now.last_seen)],
        [t("address"), now.address ?? t("unknown")],
        [t("version"), now.version ?? t("unknown")],
        now.clock_off_s !== undefined && [t("clock"), clock(now)],
        [t("form"), now.form === "laptop" ? t("form-laptop") : t("form-desktop")],
        [t("always-on"), now.always_on ? t("yes") : t("no")],
        [t("seats"), t("seats-and-borrowed", { seats: now.seats, borrowed: now.borrowed })],
      ])}
      ${isAdmin() && now.role !== "revoked" ? html`<div class="btns">
        <button type="button" class="btn small" @click=${() => then(settings)}>${t("settings")}</button>
        <button type="button" class="btn small ${now.lost ? "" : "danger"}" @click=${() => then(setLost)}>${now.lost ? t("found-again") : t("report-lost")}</button>
        <button type="button" class="btn small danger" @click=${() => then(revoke)}>${t("revoke")}</button></div>` : nothing}
      <div class="ends"><button type="button" class="btn primary" @click=${() => self.close()}>${t("close")}</button></div>
    </div>`;
  });
}

const settings = (device) => formDialog({
  title: t("settings-of", { name: device.name }),
  content: () => html`
    ${field(t("name"), html`<input name="name" required maxlength="64" .value=${device.name}>`)}
    ${field(t("form"), html`<select name="form"><option value="desktop" ?selected=${device.form === "desktop"}>${t("form-desktop")}</option>
      <option value="laptop" ?selected=${device.form === "laptop"}>${t("form-laptop")}</option></select>`)}
    <label class="check"><input type="checkbox" name="always_on" ?checked=${device.always_on}><span>${t("always-on")}<br><small class="dim">${t("always-on-hint")}</small></span></label>`,
  action: t("save"),
  act: async (form) => {
    await act("PUT", `/v1/devices/${device.id}`, { name: form.get("name"), form: form.get("form"), always_on: form.get("always_on") !== null });
    toast(t("saved"));
  },
});

const setLost = (device) => (device.lost
  ? formDialog({ title: t("found-title", { name: device.name }), content: () => html`<p>${t("found-text")}</p>`, action: t("found-again"),
    act: () => act("PUT", `/v1/devices/${device.id}/lost`, { lost: false }) })
  : ask(t("lost-dialog-title", { name: device.name }), t("lost-dialog-text", { borrowed: device.borrowed }), t("report-lost"),
    () => act("PUT", `/v1/devices/${device.id}/lost`, { lost: true })));

const revoke = (device) => formDialog({
  title: t("revoke-title", { name: device.name }),
  danger: true,
  content: () => html`<p>${t("revoke-text", { seats: device.seats + device.borrowed })}</p>
    ${["holder", "voter", "standby"].includes(device.role) ? field(t("recovery-code"), html`<input name="recovery_code" autocomplete="off" spellcheck="false">`, t("revoke-code-hint")) : nothing}`,
  action: t("revoke"),
  act: async (form) => {
    const code = form.get("recovery_code");
    await act("POST", `/v1/devices/${device.id}/revoke`, code ? { recovery_code: code } : {});
    toast(t("revoked", { name: device.name }));
  },
});
