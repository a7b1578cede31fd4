// Starts the page: language, session, events, and the page that the address names.

import { render } from "../vendor/lit-html/lit-html.js";
import { loadLanguage } from "./i18n.js";
import { follow } from "./events.js";
import { openSession, refreshSession } from "./session.js";
import { routeChanged, shell } from "./shell.js";
import { changed, lost, peek, start, update, use, whenBack } from "./store.js";
import { redrawDialog } from "./ui.js";

const app = document.getElementById("app");

async function main() {
  await loadLanguage();
  start(() => {
    render(shell(), app);
    redrawDialog();
  });
  app.replaceChildren();
  use("/v1/status");
  update();
  addEventListener("hashchange", onAddress);
  whenBack(refreshSession);
  await openSession();
  update();
  let counted = 0;
  follow((event) => {
    changed(event.kind);
    counted += 1;
    document.documentElement.dataset.events = counted;
  }, async () => {
    // The stream may end alone; whether the agent is gone an ordinary question tells.
    try { await fetch("/v1/status"); } catch { lost(); }
  });
}

function onAddress() {
  if (location.hash.startsWith("#code=")) openSession();
  routeChanged(peek("/v1/status"));
  update();
}

main();
