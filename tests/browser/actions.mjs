// What people do on the pages. In this order: what one check leaves, later ones use.

import assert from "node:assert/strict";
import { PASSWORD } from "./office.mjs";
import { go, open, openAsAdmin, seatRows, signIn } from "./steps.mjs";

/** What is checked, in this order. */
export const actions = () => [readOnlyWithoutCode, codeWorksOnce, wrongPasswordsAreSlowed, licenseIsLoaded, machineIsAdmitted, seatIsSeenElsewhere, seatIsReleased,
  seatIsTakenAlongAndGivenBack, agentIsKilledAndComesBack];

/** A seat taken on one machine is seen on another's page within this. */
const LIVE_MS = 1_000;

async function readOnlyWithoutCode(world) {
  const [first] = world.office.machines;
  const page = await world.tab();
  await page.goto(world.office.page(first));
  await page.getByText("Looking only").waitFor();
  for (const name of ["along", "machines", "licenses", "site"]) {
    await go(page, name);
    assert.equal(await page.locator("main .danger, main .primary:not(.to), main input[type=file]").filter({ hasNotText: /How to/ }).count(), 0, `nothing to change on ${name}`);
  }
  const refused = await page.evaluate(async () => (await fetch("/v1/borrows", { method: "POST", body: "{}" })).status);
  assert.equal(refused, 401);
  await page.locator(".who button").click();
  await page.locator("dialog").getByText("seatkeeper open").waitFor();
}

async function codeWorksOnce(world) {
  const [first] = world.office.machines;
  const url = await world.office.url(first);
  const page = await world.tab();
  await page.goto(url);
  await page.locator(".who b").waitFor();
  assert.ok(!page.url().includes("code="), "the code has left the address");
  await page.getByText("Looking only").waitFor({ state: "detached" });
  const again = await world.tab();
  await again.goto(url);
  await again.getByText("Looking only").waitFor();
  await again.locator(".banners .note").waitFor();
}

async function wrongPasswordsAreSlowed(world) {
  const [first] = world.office.machines;
  const page = await open(world, first);
  await signIn(world, page, "wrong");
  await page.getByText("This password does not open that key.").waitFor();
  for (let more = 0; more < 5 && await page.getByText("Too many wrong passwords").count() === 0; more += 1) {
    const answer = page.waitForResponse((response) => response.url().endsWith("/v1/session/admin"));
    await page.locator("dialog .ends .primary:enabled").click();
    await answer;
    await page.locator("dialog .ends .primary:enabled").waitFor();
  }
  const text = await page.getByText("Too many wrong passwords").innerText();
  // Who waits as long as he is told gets in.
  await page.waitForTimeout((Number(/(\d+) s/.exec(text)[1]) + 1) * 1_000);
  await page.fill("dialog input[name=password]", PASSWORD);
  await page.locator("dialog .ends .primary").click();
  await page.locator(".who .badge", { hasText: "anna" }).waitFor();
}

async function licenseIsLoaded(world) {
  const [first, second] = world.office.machines;
  const { file, vendor } = await world.office.license("EX-1", "example-cad", "Example CAD", 3);
  const other = await world.tab();
  await other.goto(`${world.office.page(second)}#/licenses`);
  const page = await openAsAdmin(world, first);
  await go(page, "licenses");
  await page.getByRole("button", { name: "Trust a vendor" }).first().click();
  await page.setInputFiles("dialog input[type=file]", vendor);
  await page.fill("dialog input[name=prefixes]", "example-");
  await page.locator("dialog .ends .primary").click();
  await page.locator("main h3", { hasText: "example-vendor" }).waitFor();
  await page.setInputFiles("main .drop input", file);
  await page.locator(".license", { hasText: "Example CAD" }).waitFor();
  await other.locator(".license", { hasText: "Example CAD" }).waitFor();
}

async function machineIsAdmitted(world) {
  const [first, , third] = world.office.machines;
  const page = await openAsAdmin(world, first);
  await go(page, "machines");
  const fresh = await open(world, third);
  await fresh.getByRole("heading", { name: "Welcome" }).waitFor();
  await world.office.cli(third, "site", "join");
  await fresh.getByRole("heading", { name: "Waiting to be admitted" }).waitFor();
  const fingerprint = await fresh.locator(".secret").innerText();
  const card = page.locator(".asking", { hasText: fingerprint });
  await card.waitFor({ timeout: 40_000 });
  await card.getByRole("button", { name: "Admit" }).click();
  await page.locator("dialog .ends .primary").click();
  await page.locator("#table-machines tr.row", { hasText: "pc3" }).waitFor();
  await fresh.getByRole("heading", { name: "Seats", level: 1 }).waitFor({ timeout: 40_000 });
}

async function seatIsSeenElsewhere(world) {
  const [first, second] = world.office.machines;
  const page = await world.tab();
  await page.goto(world.office.page(first));
  await page.getByText("All seats are free").waitFor();
  const program = await world.office.program(second, "example-cad");
  const begun = performance.now();
  await seatRows(page).filter({ hasText: "pc2" }).waitFor({ timeout: 5_000 });
  const took = performance.now() - begun;
  program.kill();
  const ended = performance.now();
  await page.getByText("All seats are free").waitFor({ timeout: 5_000 });
  const gone = performance.now() - ended;
  assert.ok(took <= LIVE_MS, `seen after ${Math.round(took)} ms`);
  assert.ok(gone <= 2 * LIVE_MS, `gone after ${Math.round(gone)} ms`);
  return `seen after ${Math.round(took)} ms, gone after ${Math.round(gone)} ms`;
}

async function seatIsReleased(world) {
  const [first, second] = world.office.machines;
  const program = await world.office.program(second, "example-cad");
  const page = await openAsAdmin(world, first);
  await seatRows(page).getByRole("button", { name: "Release" }).click();
  await page.locator("dialog", { hasText: "loses the seat of Example CAD on pc2" }).getByRole("button", { name: "Release" }).click();
  await page.getByText("All seats are free").waitFor();
  program.kill();
}

async function seatIsTakenAlongAndGivenBack(world) {
  const [first, second] = world.office.machines;
  const watched = await world.tab();
  await watched.goto(world.office.page(first));
  const page = await open(world, second);
  await go(page, "along");
  await page.getByRole("button", { name: "3 days", exact: true }).click();
  await page.getByRole("button", { name: /^Take Example CAD along until/ }).click();
  const card = page.locator(".borrow", { hasText: "Example CAD" });
  await card.getByText("3 days left").waitFor();
  await seatRows(watched).filter({ hasText: "along until" }).waitFor();
  await card.getByRole("button", { name: "Extend" }).click();
  const days = page.locator("dialog .calendar td button:enabled");
  await days.last().click();
  await page.locator("dialog .ends .primary").click();
  await page.locator("dialog").waitFor({ state: "detached" });
  await card.getByText(/^[4-9] days left$|^\d\d days left$/).waitFor();
  await card.getByRole("button", { name: "Give back" }).click();
  await page.getByRole("heading", { name: "On this machine" }).waitFor({ state: "detached" });
  await watched.getByText("All seats are free").waitFor();
}

async function agentIsKilledAndComesBack(world) {
  const [, second] = world.office.machines;
  const page = await world.tab();
  await page.goto(world.office.page(second));
  await page.locator(".product").waitFor();
  await world.office.kill(second);
  await page.getByText("does not answer").waitFor();
  assert.equal(await page.locator(".product").count(), 1, "what was known is still shown");
  await world.office.start(second);
  await page.getByText("does not answer").waitFor({ state: "detached" });
  const program = await world.office.program(second, "example-cad");
  await seatRows(page).filter({ hasText: "pc2" }).waitFor();
  program.kill();
}
