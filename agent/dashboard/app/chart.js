// A chart that redraws itself when its size, its data or the theme change. uPlot is loaded when the first one is drawn.

import { html } from "../vendor/lit-html/lit-html.js";
import { language, locale, number, t } from "./i18n.js";

let loading = null;

/** uPlot is a classic script that makes one global name. */
function load() {
  loading ??= new Promise((resolve, reject) => {
    const sheet = Object.assign(document.createElement("link"), { rel: "stylesheet", href: "/assets/vendor/uplot/uPlot.min.css" });
    const script = Object.assign(document.createElement("script"), { src: "/assets/vendor/uplot/uPlot.iife.min.js", onload: () => resolve(window.uPlot), onerror: reject });
    document.head.append(sheet, script);
  });
  return loading;
}

/** What a color is now: a canvas does not know of custom properties. */
function color(name, alpha = 1) {
  const probe = document.createElement("i");
  probe.style.color = alpha === 1 ? `var(${name})` : `color-mix(in srgb, var(${name}) ${alpha * 100}%, transparent)`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

class UsageChart extends HTMLElement {
  #plot = null;
  #key = "";
  #data = null;
  #sizes = new ResizeObserver(() => this.#resize());
  #theme = () => this.#draw(true);

  connectedCallback() {
    this.#sizes.observe(this);
    addEventListener("seatkeeper-theme", this.#theme);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", this.#theme);
  }

  disconnectedCallback() {
    this.#sizes.disconnect();
    removeEventListener("seatkeeper-theme", this.#theme);
    matchMedia("(prefers-color-scheme: dark)").removeEventListener("change", this.#theme);
    this.#plot?.destroy();
    this.#plot = null;
  }

  /** `{key, byDay, x, peak, average, offline, limit, denied}`; drawn anew when `key` differs. */
  set data(data) {
    this.#data = data;
    this.#draw(false);
  }

  #size() {
    return { width: Math.max(200, Math.floor(this.clientWidth)), height: Math.max(180, Math.floor(this.clientHeight)) };
  }

  #resize() {
    this.#plot?.setSize(this.#size());
  }

  async #draw(always) {
    const key = `${this.#data.key} ${language}`;
    if (!always && key === this.#key) return;
    this.#key = key;
    const uPlot = await load();
    // Meanwhile the page may have been drawn again, with the same data or other.
    if (!this.isConnected || this.#key !== key) return;
    const data = this.#data;
    this.#plot?.destroy();
    this.#plot = new uPlot(this.#options(uPlot, data), [data.x, data.peak, data.average, data.offline, data.limit, data.denied], this);
  }

  #options(uPlot, data) {
    const stepped = uPlot.paths.stepped({ align: 1 });
    const bars = uPlot.paths.bars({ size: [0.5, 14], align: 1 });
    const whole = (plot, value) => (value === null || value === undefined ? "–" : number(Math.round(value * 10) / 10));
    const axis = { stroke: color("--ink-2"), grid: { stroke: color("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    const dates = new Intl.DateTimeFormat(locale(), data.byDay ? { day: "numeric", month: "short" } : { weekday: "short", hour: "2-digit", minute: "2-digit" });
    const short = new Intl.DateTimeFormat(locale(), data.byDay ? { day: "numeric", month: "short" } : { hour: "2-digit", minute: "2-digit" });
    const days = new Intl.DateTimeFormat(locale(), { weekday: "short", day: "numeric" });
    const label = (at) => { const date = new Date(at * 1_000); return !data.byDay && date.getHours() === 0 ? days.format(date) : short.format(date); };
    const top = Math.max(1, ...data.peak.filter(Number.isFinite), ...data.limit.filter(Number.isFinite), ...data.denied.filter(Number.isFinite));
    return {
      ...this.#size(),
      padding: [12, 12, 0, 0],
      cursor: { points: { size: 7 }, y: false },
      scales: { x: { time: true }, y: { range: [0, Math.ceil(top * 1.12)] } },
      axes: [{ ...axis, values: (plot, splits) => splits.map(label), space: 70 },
        { ...axis, size: 44, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000], values: (plot, splits) => splits.map((value) => number(value)) }],
      series: [
        { label: t("time"), value: (plot, at) => (at === null ? "–" : dates.format(new Date(at * 1_000))) },
        { label: t("peak"), stroke: color("--use"), fill: color("--use", 0.18), width: 1.5, paths: stepped, points: { show: false }, value: whole },
        { label: t("average"), stroke: color("--use"), dash: [4, 4], width: 1.5, paths: stepped, points: { show: false }, value: whole },
        { label: t("out-of-house"), stroke: color("--out"), fill: color("--out", 0.3), width: 1.5, paths: stepped, points: { show: false }, value: whole },
        { label: t("owned"), stroke: color("--ink-2"), dash: [8, 5], width: 1.5, points: { show: false }, value: whole },
        { label: t("denials"), stroke: color("--bad"), fill: color("--bad", 0.65), width: 0, paths: bars, points: { show: false }, value: whole },
      ],
    };
  }
}

customElements.define("usage-chart", UsageChart);

export const usageChart = (data, label) => html`<usage-chart role="img" aria-label=${label} .data=${data}></usage-chart>`;
