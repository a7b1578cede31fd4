// How the pages look, to everybody: languages, small screens, assistive technology; and how light they are.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { PAGES, go, open, openAsAdmin, seatRows } from "./steps.mjs";

/** What is checked. */
export const looks = () => [polish, smallScreen, keyboard, assistiveTechnology, usageIsDrawn, firstPaint, thousandSeats, idlePageAsksLittle];

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const PAINT_MS = 300;
const TASK_MS = 50;

async function polish(world) {
  const [first] = world.office.machines;
  const page = await open(world, first, { locale: "pl-PL" });
  assert.equal(await page.locator("html").getAttribute("lang"), "pl");
  await page.getByRole("heading", { name: "Stanowiska", level: 1 }).waitFor();
  await page.getByLabel("Język").selectOption("en");
  await page.getByRole("heading", { name: "Seats", level: 1 }).waitFor();
  await page.reload();
  await page.getByRole("heading", { name: "Seats", level: 1 }).waitFor();
}

async function smallScreen(world) {
  const [first] = world.office.machines;
  for (const locale of ["en-US", "pl-PL"]) {
    const page = await open(world, first, { width: 360, height: 720, locale });
    for (const name of PAGES) {
      await go(page, name);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${name} is ${wide} pixels too wide in ${locale}`);
    }
  }
}

async function keyboard(world) {
  const [first] = world.office.machines;
  const page = await open(world, first);
  await page.keyboard.press("Tab");
  assert.match(await page.evaluate(() => document.activeElement.textContent), /Skip/);
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");
  await go(page, "along");
  await page.locator(".calendar button[tabindex='0']").focus();
  const before = await page.evaluate(() => document.activeElement.textContent.trim());
  await page.keyboard.press("ArrowRight");
  await page.waitForFunction((old) => document.activeElement.closest(".calendar") && document.activeElement.textContent.trim() !== old, before);
}

async function assistiveTechnology(world) {
  const [first] = world.office.machines;
  const findings = [];
  for (const colorScheme of ["light", "dark"]) {
    const page = await openAsAdmin(world, first, { colorScheme });
    for (const name of PAGES) {
      await go(page, name);
      // What moves in is judged when it has come to rest.
      await page.locator(".toast").waitFor({ state: "detached" });
      await page.evaluate(() => Promise.all(document.getAnimations().map((animation) => animation.finished)));
      findings.push(...await violations(page, `${name}, ${colorScheme}`));
    }
    await go(page, "machines");
    await page.locator("#table-machines .link").first().click();
    findings.push(...await violations(page, `a dialog, ${colorScheme}`));
  }
  assert.deepEqual(findings, []);
}

async function violations(page, where) {
  // The policy lets no script in; the protocol of the browser's tools does.
  if (!await page.evaluate(() => "axe" in window)) {
    const { readFile } = await import("node:fs/promises");
    await page.evaluate(await readFile(AXE, "utf8"));
  }
  const { violations } = await page.evaluate(() => window.axe.run());
  return violations.filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, impact, nodes }) => `${where}: ${impact} ${id}: ${nodes.slice(0, 3).map((node) => `${node.html} (${node.any[0]?.message ?? node.failureSummary})`).join(" | ")}`);
}

async function usageIsDrawn(world) {
  const [first] = world.office.machines;
  const page = await open(world, first);
  await go(page, "usage");
  await page.locator("usage-chart canvas").waitFor();
  await page.getByRole("button", { name: "Days" }).click();
  await page.locator("usage-chart canvas").waitFor();
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "Export CSV" }).click();
  assert.equal((await download).suggestedFilename(), "usage-example-cad.csv");
}

async function firstPaint(world) {
  const [first] = world.office.machines;
  const page = await world.tab();
  const paints = [];
  for (let load = 0; load < 5; load += 1) {
    await page.goto(world.office.page(first));
    await page.locator(".product").waitFor();
    paints.push(await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0].startTime));
  }
  paints.sort((a, b) => a - b);
  const median = paints[2];
  assert.ok(median <= PAINT_MS, `first paint after ${paints.map(Math.round)} ms`);
  return `${Math.round(median)} ms`;
}

/** Tasks of the page's main thread, by the processor time that they took: others use this machine as well. */
async function tasks(page, act) {
  const session = await page.context().newCDPSession(page);
  const events = [];
  session.on("Tracing.dataCollected", ({ value }) => events.push(...value));
  const done = new Promise((resolve) => session.once("Tracing.tracingComplete", resolve));
  await session.send("Tracing.start", { traceConfig: { includedCategories: ["toplevel", "devtools.timeline", "disabled-by-default-devtools.timeline"] }, transferMode: "ReportEvents" });
  await act();
  await session.send("Tracing.end");
  await done;
  const main = new Set(events.filter(({ name, args }) => name === "thread_name" && args.name === "CrRendererMain").map(({ pid, tid }) => `${pid} ${tid}`));
  const own = events.filter(({ name, ph, pid, tid }) => ph === "X" && /RunTask$/.test(name) && main.has(`${pid} ${tid}`));
  assert.ok(own.length > 50, `the trace has ${own.length} tasks`);
  return own.map(({ tdur, dur }) => (tdur ?? dur) / 1_000).sort((a, b) => b - a);
}

async function thousandSeats(world) {
  const [first] = world.office.machines;
  const page = await world.tab();
  const seats = Array.from({ length: 1_000 }, (_, number) => ({
    id: String(number + 1), product: "example-cad", version: "2026", kind: number % 9 ? "online" : "borrowed", user: `user${(number * 7919) % 1_000}`, device: `d${number}`,
    device_name: `pc${number}`, org_node: null, since: new Date(Date.now() - number * 60_000).toISOString(), ends: number % 9 ? null : new Date(Date.now() + number * 600_000).toISOString(),
    pid: null, idle_s: number % 3 ? 0 : number * 60, asked: null,
  }));
  let given = seats;
  await page.route("**/v1/seats", (route) => route.fulfill({ json: { format: 1, seats: given, waiting: [] } }));
  await page.goto(world.office.page(first));
  await seatRows(page).first().waitFor();
  const act = () => tasks(page, async () => {
    given = seats;
    await page.reload();
    await seatRows(page).first().waitFor();
    await page.mouse.move(700, 600);
    for (let step = 0; step < 20; step += 1) { await page.mouse.wheel(0, 900); await page.waitForTimeout(16); }
    await page.locator("#table-seats th button").nth(1).click();
    await page.locator("#table-seats th button").nth(0).click();
    await page.getByPlaceholder("Person, machine").pressSequentially("user99");
    await page.getByText(/^\d+ of 1,000$/).waitFor();
    await page.getByPlaceholder("Person, machine").fill("");
    // Somebody takes a seat: all come anew.
    given = seats.slice(1);
    const program = await world.office.program(first, "example-cad");
    await page.getByText("999 seats are taken").waitFor();
    program.kill();
  });
  // Who shares the processor's caches makes each task slower at times; a page that is slow is slow each time.
  let worst = await act();
  for (let again = 0; again < 2 && worst[0] > TASK_MS; again += 1) worst = await act();
  assert.ok(worst[0] <= TASK_MS, `tasks of ${worst.slice(0, 5).map((ms) => ms.toFixed(1)).join(", ")} ms`);
  assert.equal(await page.locator("#table-seats").getAttribute("aria-rowcount"), "1000");
  assert.ok(await seatRows(page).count() < 150, "only rows that are seen are made");
  return `the longest tasks: ${worst.slice(0, 3).map((ms) => ms.toFixed(1)).join(", ")} ms`;
}

async function idlePageAsksLittle(world) {
  const [first] = world.office.machines;
  const page = await open(world, first);
  await page.waitForLoadState("load");
  await page.waitForTimeout(1_500);
  const asked = [];
  page.on("request", (request) => asked.push(new URL(request.url()).pathname));
  await page.waitForTimeout(10_000);
  assert.ok(asked.length <= 6, `${asked.length} requests in 10 s: ${asked}`);
  return `${asked.length} requests in 10 s`;
}
