// What several checks do on a page.

import assert from "node:assert/strict";
import { PASSWORD } from "./office.mjs";

export const PAGES = ["seats", "along", "machines", "licenses", "organisation", "usage", "site"];

/** Opens the page of a machine in this user's name. */
export async function open(world, machine, options) {
  const page = await world.tab(options);
  await page.goto(await world.office.url(machine));
  await page.locator("main h1").waitFor();
  return page;
}

/** The same, signed in as the admin. */
export async function openAsAdmin(world, machine, options) {
  const page = await open(world, machine, options);
  await signIn(world, page);
  return page;
}

export async function signIn(world, page, password = PASSWORD) {
  await page.locator(".who button").click();
  if (await page.locator("dialog input[type=file]").count() > 0) await page.setInputFiles("dialog input[type=file]", world.office.key);
  await page.fill("dialog input[name=password]", password);
  await page.locator("dialog .ends .primary").click();
  if (password === PASSWORD) await page.locator(".who .badge").waitFor();
}

export async function go(page, name) {
  await page.evaluate((to) => { location.hash = `#/${to}`; }, name);
  await page.locator("main h1").waitFor();
  await page.waitForFunction(() => document.querySelector("main .loading") === null);
  assert.deepEqual(page.errors, [], `errors on ${name}`);
}

/** Rows of the table of seats, as text. */
export const seatRows = (page) => page.locator("#table-seats tr.row");
