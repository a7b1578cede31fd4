// The pages in a real browser: node run.mjs SEATKEEPER [FOLDER FOR SCREENSHOTS OF WHAT FAILED]
//
// `DASHBOARD` names a folder from which the page's files are taken instead of the agent's, to try changes without a build.
// `CHROMIUM` names the browser, else it is /usr/bin/chromium. All checks share one office; what a check needs, it makes.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { Office } from "./office.mjs";
import { actions } from "./actions.mjs";
import { looks } from "./looks.mjs";

const [binary, shots] = process.argv.slice(2);
if (shots) mkdirSync(shots, { recursive: true });

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
/** All checks together take less than two minutes. */
const ALL_WITHIN_MS = 400_000;
let failed = 0;
let office = null;
try {
  setTimeout(() => { console.log(`not done after ${ALL_WITHIN_MS} ms`); office?.killAll(); process.exit(1); }, ALL_WITHIN_MS).unref();
  office = await Office.open(binary, 3);
  await office.found();
  const world = { office, browser, pages: [], tab: (options) => tab(world, options) };
  for (const check of [...actions(), ...looks()]) {
    const { name } = check;
    const begun = performance.now();
    try {
      const told = await check(world);
      console.log(`ok      ${name} (${Math.round(performance.now() - begun)} ms)${told ? `: ${told}` : ""}`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED  ${name}: ${error.stack}`);
      if (shots) for (const [at, page] of world.pages.entries()) await page.screenshot({ path: `${shots}/${name}-${at}.png` }).catch(() => {});
    }
    for (const page of world.pages.splice(0)) await page.context().close();
  }
} finally {
  await office?.close();
  await browser.close();
}
console.log(failed === 0 ? "all checks passed" : `${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

/** A tab of its own browser profile. An error of the page's scripts, or what the policy blocks, fails the next step. */
async function tab(world, { width = 1280, height = 860, locale = "en-US", colorScheme = "light" } = {}) {
  const context = await world.browser.newContext({ viewport: { width, height }, locale, colorScheme });
  context.setDefaultTimeout(10_000);
  if (process.env.DASHBOARD) {
    await context.route("**/assets/**", (route) => route.fulfill({ path: join(process.env.DASHBOARD, new URL(route.request().url()).pathname.replace("/assets/", "")) }));
  }
  const page = await context.newPage();
  page.errors = [];
  page.on("pageerror", (error) => page.errors.push(error.message));
  page.on("console", (message) => { if (/Content Security Policy|Refused to/.test(message.text())) page.errors.push(message.text()); });
  world.pages.push(page);
  return page;
}
