// A phone: one screen at a time, nothing cut off, older messages by scrolling.

import assert from "node:assert/strict";
import { enter, person, run, say, texts, urls } from "./kit.mjs";

const MESSAGES = 90;

await run(async (browser) => {
  const ben = await person(browser);
  await enter(ben, { url: urls[1], name: "Ben" });
  for (let number = 1; number <= MESSAGES; number += 1) await say(ben, `message ${number}`);
  await ben.waitForFunction(() => document.querySelectorAll(".pending").length === 0);

  const phone = await person(browser, { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true });
  await enter(phone, { name: "Ann" });
  await phone.waitForSelector(`.message:has-text("message ${MESSAGES}")`);
  const fits = () =>
    phone.evaluate(() => {
      const { bottom, right } = document.querySelector(".composer").getBoundingClientRect();
      return document.documentElement.scrollWidth <= innerWidth && bottom <= innerHeight && right <= innerWidth;
    });
  assert.ok(await fits());

  // Scrolling up brings the room's beginning, in order, each message once.
  assert.ok((await texts(phone)).length < MESSAGES);
  while ((await texts(phone)).length < MESSAGES) {
    const held = (await texts(phone)).length;
    await phone.evaluate(() => (document.querySelector(".scroller").scrollTop = 0));
    await phone.waitForFunction((count) => document.querySelectorAll(".messages:not(.pending-list) .text").length > count, held);
    // What was in view stays in view.
    assert.ok(await phone.evaluate(() => document.querySelector(".scroller").scrollTop > 100));
  }
  const expected = Array.from({ length: MESSAGES }, (_, at) => `message ${at + 1}`);
  assert.deepEqual(await texts(phone), expected);
  await phone.waitForSelector("text=This is where the room begins.");

  // New messages do not tear the reader away; a button takes them there.
  await phone.evaluate(() => (document.querySelector(".scroller").scrollTop = 0));
  await say(ben, "news");
  await phone.waitForSelector('.jump:has-text("1 new")');
  await phone.tap(".jump");
  await phone.waitForSelector(".jump", { state: "hidden" });

  await say(phone, "from the phone");
  await ben.waitForSelector('.message:has-text("from the phone")');
  await phone.tap('[aria-label="Back to the rooms"]');
  await phone.waitForSelector('.room:has-text("general")');
  assert.equal(await phone.isVisible(".composer"), false);
  await phone.tap('.room:has-text("general")');
  await phone.waitForSelector(".composer");
  assert.ok(await fits());
  await phone.goBack();
  await phone.waitForSelector('.room:has-text("general")');
});
