// What others edit, delete and react to is shown at once, and after an absence.

import assert from "node:assert/strict";
import { enter, member, person, run, shows } from "./kit.mjs";

await run(async (browser) => {
  const ben = await member("Ben");
  const ann = await person(browser);
  await enter(ann, { name: "Ann" });
  await ben.say("Helo", "Forget this", "Stays");
  await shows(ann, ["Helo", "Forget this", "Stays"]);

  await ben.edit(1, "Hello <b>Ann</b>");
  await ann.waitForSelector('[data-message="1"] .meta:has-text("edited")');
  await shows(ann, ["Hello <b>Ann</b>", "Forget this", "Stays"]);
  await ben.react(3, "👍", true);
  await ann.waitForSelector('[data-message="3"] .reactions li:has-text("👍 1")');
  await ben.delete(2);
  await ann.waitForSelector('[data-message="2"] .deleted:has-text("This message was deleted.")');
  await shows(ann, ["Hello <b>Ann</b>", "Stays"]);

  // Who comes back sees the same; nothing of what was deleted is left in the page.
  await ann.context().setOffline(true);
  await ann.waitForSelector('.status:not([data-tone="good"])', { state: "attached" });
  await ben.edit(1, "Hello Ann");
  await ben.delete(3);
  await ann.context().setOffline(false);
  await shows(ann, ["Hello Ann"]);
  await ann.waitForSelector('.room:has-text("general") .room-preview:has-text("Message deleted")');
  const shown = await ann.evaluate(() => document.body.textContent);
  assert.ok(!shown.includes("Forget this") && !shown.includes("Stays"));
  await ann.reload();
  await shows(ann, ["Hello Ann"]);
  assert.equal(await ann.locator(".bubble.deleted").count(), 2);
  ben.close();
}, { allowsNoNetwork: true });
