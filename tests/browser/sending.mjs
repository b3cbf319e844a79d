// What is written is sent in its order, and comes back if it cannot be sent.

import assert from "node:assert/strict";
import { atEnd, enter, online, person, picture, run, say, shows, texts, urls } from "./kit.mjs";

/** Nearly the largest image; the outbox holds five of them. */
const LARGE_BYTES = 7.9 * 2 ** 20;

const box = (page) => page.inputValue("#composer-text");

/** Files take their time to be read, as from a cloud folder: until `release`. */
function readSlowly(page) {
  return page.evaluate(() => {
    const read = Blob.prototype.arrayBuffer;
    const released = new Promise((resolve) => (globalThis.release = resolve));
    Blob.prototype.arrayBuffer = async function () {
      await released;
      return read.call(this);
    };
  });
}

await run(async (browser) => {
  const ann = await person(browser, { viewport: { width: 1280, height: 400 } });
  const ben = await person(browser);
  await enter(ben, { url: urls[1], name: "Ben" });

  // The first attempt is answered as by a node that does not know the session any more.
  let refused = 0;
  await ann.routeWebSocket(/socket\.io/, (socket) => {
    const server = socket.connectToServer();
    socket.onMessage((data) => {
      const [, id] = (refused === 0 && /^42\/chat,(\d+)\["send"/.exec(data)) || [];
      if (id === undefined) return server.send(data);
      refused += 1;
      const error = { code: "not_attending", message: "Join it first.", temporary: true };
      socket.send(`43/chat,${id}${JSON.stringify([{ ok: false, error }])}`);
    });
  });
  await enter(ann, { name: "Ann" });
  await ann.evaluate(() => {
    globalThis.banners = [];
    const banner = document.querySelector(".banner");
    new MutationObserver(() => globalThis.banners.push(banner.textContent)).observe(banner, { childList: true });
  });
  await say(ann, "Hello");
  await shows(ben, ["Hello"]);
  await online(ann);
  assert.equal(refused, 1);
  assert.deepEqual(await ann.evaluate(() => globalThis.banners), [], "no alarm about what heals at once");

  // What follows an image waits for its file, in that room; all of it is to be seen.
  const image = { name: "a.png", mimeType: "image/png", buffer: await picture(ann) };
  await readSlowly(ann);
  await ann.setInputFiles('input[type="file"]', image);
  await say(ann, "Look at this");
  await say(ann, "Do you like it?");
  await ann.waitForSelector('.pending >> nth=1');
  assert.ok(await ann.isVisible(".pending-image"));
  const pending = await ann.$$eval(".pending .text", (all) => all.map((one) => one.textContent));
  assert.deepEqual(pending, ["Look at this", "Do you like it?"]);
  await ann.goto(`${urls[0]}/#room=kitchen`);
  await say(ann, "In another room");
  await shows(ann, ["In another room"]);
  await ann.goto(`${urls[0]}/#room=general`);
  await ann.waitForSelector(".pending >> nth=1");
  await ann.evaluate(() => globalThis.release());
  const all = ["Hello", "Look at this", "Do you like it?"];
  await shows(ann, all);
  await shows(ben, all);

  // In Safari the Enter that ends a composition is known by its old code only.
  await ann.fill("#composer-text", "にほん");
  await ann.evaluate(() => {
    const enter = { key: "Enter", keyCode: 229, bubbles: true, cancelable: true };
    document.querySelector("#composer-text").dispatchEvent(new KeyboardEvent("keydown", enter));
  });
  assert.equal(await box(ann), "にほん");
  await ann.press("#composer-text", "Enter");
  await shows(ben, [...all, "にほん"]);

  // A message that the server will not take is edited beside what is being written.
  await ann.evaluate(() => {
    const item = { clientId: "test", room: "general", at: 1, order: 1, type: "text", text: "bad\u0001", step: "waiting", attempts: 0 };
    localStorage.setItem("chatroom.outbox  Ann test", JSON.stringify(item));
  });
  await ann.reload();
  await ann.waitForSelector('.failed:has-text("Not sent")');
  await ann.fill("#composer-text", "a draft");
  await ann.click('.failed button:has-text("Edit")');
  assert.equal(await box(ann), "a draft\nbad\u0001");

  // An image that waits has a size only when it is drawn; it is in view all the same.
  await ann.context().setOffline(true);
  await ann.waitForSelector('.status[data-tone="bad"]');
  await ann.setInputFiles('input[type="file"]', image);
  await say(ann, "An image that waits");
  await ann.waitForFunction(() => document.querySelector(".pending.waiting img")?.naturalWidth === 320);
  await atEnd(ann);

  // The browser may close the database of images; the next one is kept all the same.
  const devtools = await ann.context().newCDPSession(ann);
  await devtools.send("Storage.clearDataForOrigin", { origin: urls[0], storageTypes: "indexeddb" });
  await ann.setInputFiles('input[type="file"]', image);
  await say(ann, "One that is kept");
  await ann.waitForFunction(() => Object.values(localStorage).some((item) => item.includes("One that is kept")));

  // More images than can wait: the rest comes back, and the caption is sent once.
  await ann.evaluate((bytes) => {
    const clipboardData = new DataTransfer();
    for (let number = 0; number < 6; number += 1) {
      clipboardData.items.add(new File([new Uint8Array(bytes)], `${number}.png`, { type: "image/png" }));
    }
    const pasted = new ClipboardEvent("paste", { bubbles: true, cancelable: true, clipboardData });
    document.querySelector("#composer-text").dispatchEvent(pasted);
  }, LARGE_BYTES);
  await say(ann, "Our holidays");
  await ann.waitForSelector('.notice:has-text("Too many messages wait to be sent.")');
  await ann.waitForSelector('.pending.waiting:has-text("Our holidays")');
  assert.equal(await ann.locator(".pending.waiting").count(), 7);
  assert.equal(await ann.locator(".tray li").count(), 1);
  assert.equal(await box(ann), "");

  // If nothing was sent the text comes back as well, beside what was written meanwhile.
  await readSlowly(ann);
  await say(ann, "The last one");
  await ann.waitForSelector(".pending.reading");
  await ann.fill("#composer-text", "a draft");
  await ann.evaluate(() => globalThis.release());
  await ann.waitForSelector(".pending.reading", { state: "detached" });
  assert.equal(await box(ann), "a draft\nThe last one");
  assert.equal(await ann.locator(".tray li").count(), 1);
  assert.deepEqual(await texts(ann), [...all, "にほん"]);

  // What is unfinished waits in its room, images as well.
  const look = (room) => ann.evaluate((hash) => void (location.hash = hash), `#room=${room}`);
  await look("kitchen");
  await ann.waitForSelector('h1:text-is("kitchen")');
  assert.equal(await ann.locator(".tray li").count(), 0);
  assert.equal(await box(ann), "");
  await look("general");
  await ann.waitForSelector('h1:text-is("general")');
  assert.equal(await ann.locator(".tray li").count(), 1);
  assert.equal(await box(ann), "a draft\nThe last one");
}, { allowsNoNetwork: true });
