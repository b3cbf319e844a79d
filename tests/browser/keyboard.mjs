// Everything by keyboard alone: no mouse event is ever made.

import assert from "node:assert/strict";
import { online, person, run, shows, urls } from "./kit.mjs";

const focused = (page) =>
  page.evaluate(() => {
    const element = document.activeElement;
    return element === document.body ? "nothing" : element.getAttribute("aria-label") || element.textContent;
  });

/** Press Tab until a control of this label has the focus. */
async function tabTo(page, label, key = "Tab") {
  for (let press = 0; press < 40; press += 1) {
    if ((await focused(page)).includes(label)) {
      const outline = await page.evaluate(() => {
        const box = document.activeElement.closest(".composer-row") ?? document.activeElement;
        const { outlineStyle, boxShadow } = getComputedStyle(box);
        return outlineStyle !== "none" || boxShadow !== "none";
      });
      assert.ok(outline, `the focus on ${label} is seen`);
      return;
    }
    await page.keyboard.press(key);
  }
  assert.fail(`${label} is not reached; the focus is on ${await focused(page)}`);
}

await run(async (browser) => {
  const page = await person(browser);
  await page.goto(urls[0]);
  await page.keyboard.type("Ann");
  await page.keyboard.press("Enter");
  await online(page);

  // The message box has the focus already.
  await page.keyboard.type("one");
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.type("two");
  await page.keyboard.press("Enter");
  await shows(page, ["one\ntwo"]);

  await tabTo(page, "Open or create a room", "Shift+Tab");
  await page.keyboard.type("kitchen");
  await page.keyboard.press("Enter");
  await page.waitForSelector('h1:has-text("kitchen")');
  await tabTo(page, "Message");
  await page.keyboard.type("in the kitchen");
  await tabTo(page, "Send");
  await page.keyboard.press("Enter");
  await shows(page, ["in the kitchen"]);

  await tabTo(page, "general", "Shift+Tab");
  await page.keyboard.press("Enter");
  await shows(page, ["one\ntwo"]);

  await tabTo(page, "People", "Shift+Tab");
  await page.keyboard.press("Enter");
  assert.equal(await page.isVisible("#people"), false);
  await page.keyboard.press("Enter");
  assert.equal(await page.isVisible("#people"), true);

  // A message that the server will not take: edit it, or let it go.
  await page.evaluate(() => {
    // The page would not let it out; another client of the same user might.
    const key = `chatroom.outbox  Ann test`;
    const item = { clientId: "test", room: "general", at: 1, order: 1, type: "text", text: "bad\u0001", step: "waiting", attempts: 0 };
    localStorage.setItem(key, JSON.stringify(item));
  });
  await page.reload();
  await page.waitForSelector('.failed:has-text("Not sent")');
  await tabTo(page, "Try again");
  await page.keyboard.press("Enter");
  await page.waitForSelector('.failed:has-text("Not sent")');
  await tabTo(page, "Discard");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".pending", { state: "detached" });
  await shows(page, ["one\ntwo"]);

  // Out again.
  await tabTo(page, "Sign out", "Shift+Tab");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#name");
});
