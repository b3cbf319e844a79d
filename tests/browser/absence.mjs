// Back after an absence: images are fetched again, and thousands of messages come at once.

import assert from "node:assert/strict";
import { atEnd, enter, lines, member, numbered, online, person, picture, run, say, shows, texts, urls } from "./kit.mjs";

/** Messages of a room that the page holds. */
const HELD = 1_000;
const MISSED = 1_100;

const goOffline = async (page) => {
  await page.context().setOffline(true);
  await page.waitForSelector('.status[data-tone="bad"]');
};

await run(async (browser) => {
  const ann = await person(browser);
  await enter(ann, { name: "Ann" });
  await ann.goto("about:blank");
  const ben = await person(browser);
  await enter(ben, { url: urls[1], name: "Ben" });
  await ben.setInputFiles('input[type="file"]', { name: "a.png", mimeType: "image/png", buffer: await picture(ben) });
  await say(ben, "Look");
  await shows(ben, ["Look"]);
  await ben.close();

  // The network goes while an image is on its way, and its address cannot be renewed.
  let goOn;
  const asked = new Promise((resolve) => {
    ann.route("**/images/**", async (route) => {
      await new Promise((next) => resolve((goOn = next)));
      await route.continue().catch(() => undefined);
    }, { times: 1 });
  });
  await enter(ann, { name: "Ann" });
  await asked;
  await goOffline(ann);
  goOn();
  await ann.waitForSelector(".image-button.broken");
  await ann.context().setOffline(false);
  await ann.waitForFunction(() => document.querySelector(".image-button:not(.broken) img")?.naturalWidth === 320);

  // More is missed than the page holds. What would go at once is never drawn, and the
  // browser is not made to lay out the page for each of them.
  await goOffline(ann);
  await ann.evaluate(() => {
    globalThis.drawn = 0;
    new MutationObserver((records) => {
      for (const { addedNodes } of records) globalThis.drawn += addedNodes.length;
    }).observe(document.querySelector(".messages"), { childList: true });
    globalThis.laidOut = 0;
    const { get } = Object.getOwnPropertyDescriptor(Element.prototype, "scrollHeight");
    Object.defineProperty(Element.prototype, "scrollHeight", {
      get() {
        globalThis.laidOut += 1;
        return get.call(this);
      },
    });
  });
  const cem = await member("Cem");
  await cem.say(...numbered("missed", 1, MISSED));
  await ann.context().setOffline(false);
  await online(ann);
  await shows(ann, numbered("missed", MISSED - HELD + 1, MISSED));
  const { drawn, laidOut } = await ann.evaluate(() => ({ drawn: globalThis.drawn, laidOut: globalThis.laidOut }));
  assert.ok(drawn <= HELD + 2, `${drawn} elements were drawn`);
  assert.ok(laidOut < MISSED / 10, `the page was laid out ${laidOut} times`);
  const first = `missed ${MISSED - HELD + 1}`;
  assert.deepEqual(await lines(ann), [["Today", undefined], ["New", first]], "the lines of the first message held");
  await atEnd(ann);
  await cem.readBy("Ann", MISSED + 1);

  // Whoever reads old ones goes on reading, though messages go above and come below.
  const read = `missed ${MISSED - HELD / 2}`;
  const place = () =>
    ann.evaluate((text) => {
      const all = [...document.querySelectorAll(".message")];
      return all.find((one) => one.querySelector(".text").textContent === text).getBoundingClientRect().top;
    }, read);
  await ann.evaluate((text) => {
    const all = [...document.querySelectorAll(".message")];
    all.find((one) => one.querySelector(".text").textContent === text).scrollIntoView();
  }, read);
  await ann.waitForSelector(".jump", { state: "visible" });
  const before = await place();
  await cem.say(...numbered("live", 1, 5));
  await ann.waitForSelector('.jump:has-text("5 new")');
  // Each step may be rounded to a pixel.
  assert.ok(Math.abs((await place()) - before) <= 5, "it has not moved");
  assert.equal((await texts(ann)).length, HELD);
  await ann.click(".jump");
  await atEnd(ann);
  cem.close();
}, { allowsNoNetwork: true });
