// A room that was left stays left, whatever the browser's back button shows again.

import assert from "node:assert/strict";
import { enter, member, online, person, run, urls } from "./kit.mjs";

await run(async (browser) => {
  const ann = await person(browser);
  ann.on("dialog", (dialog) => dialog.accept());
  const isIn = (title) => ann.waitForSelector(`h1:text-is("${title}")`);
  await enter(ann, { name: "Ann" });
  for (const room of ["kitchen", "general", "kitchen"]) {
    await ann.goto(`${urls[0]}/#room=${room}`);
    await isIn(room);
    await ann.waitForSelector("text=1 member, 1 here");
  }
  await ann.click("text=Leave this room");
  await isIn("Chatroom");

  await ann.goBack();
  await isIn("general");
  await ann.goBack();
  await isIn("Chatroom");
  assert.equal(new URL(ann.url()).hash, "#rooms");
  await ann.goBack();
  await isIn("general");
  assert.equal(await ann.locator('.room:has-text("kitchen")').count(), 0);
  const ben = await person(browser);
  await enter(ben, { url: urls[1], name: "Ben", room: "kitchen" });
  await ben.waitForSelector("text=1 member, 1 here");

  // Who asks for it by its name is a member again.
  await ann.fill("#new-room", "kitchen");
  await ann.press("#new-room", "Enter");
  await isIn("kitchen");
  for (const page of [ann, ben]) await page.waitForSelector("text=2 members, 2 here");
  await ann.goBack();
  await isIn("general");
  await ann.goForward();
  await isIn("kitchen");

  // A room that was quit on another device meanwhile is not offered any more: to open it
  // would be to join it.
  await ann.reload();
  await online(ann);
  await ann.context().setOffline(true);
  await ann.waitForSelector('.status[data-tone="bad"]');
  const phone = await member("Ann", { room: "kitchen" });
  await phone.quit();
  phone.close();
  await ann.context().setOffline(false);
  await online(ann);
  await isIn("Chatroom");
  await ann.waitForSelector('.room:has-text("kitchen")', { state: "detached" });
  assert.equal(await ann.locator('.room:has-text("general")').count(), 1);
}, { allowsNoNetwork: true });
