// A code by which another machine joins.

import { html } from "../../vendor/lit-html/lit-html.js";
import { t, when } from "../i18n.js";
import { act } from "../session.js";
import { copyButton, field, formDialog, tell } from "../ui.js";

const HOUR_S = 3_600;

export async function invite() {
  const answer = await formDialog({
    title: t("invite-title"),
    content: () => html`<p class="dim">${t("invite-text")}</p>
      ${field(t("invite-uses"), html`<input name="uses" type="number" min="1" max="1000" value="1" required autofocus>`)}
      ${field(t("invite-lasts"), html`<select name="lasts">${[1, 24, 24 * 7].map((hours) => html`
        <option value=${hours * HOUR_S} ?selected=${hours === 24}>${hours < 24 ? t("hours", { hours }) : t("days", { days: hours / 24 })}</option>`)}</select>`)}`,
    action: t("invite-make"),
    act: (form) => act("POST", "/v1/invites", { uses: Number(form.get("uses")), lasts_s: Number(form.get("lasts")) }),
  });
  if (!answer?.code) return;
  await tell(t("invite-done"), () => html`
    <p>${t("invite-done-text", { uses: answer.uses, ends: when(answer.ends) })}</p>
    <div class="secret">${answer.code}</div><div>${copyButton(answer.code)}</div>
    <p class="dim small">${t("invite-cli")} <code>seatkeeper join</code></p>`);
}
