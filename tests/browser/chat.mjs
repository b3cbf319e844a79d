// Two people on two nodes: texts, images, presence, typing, read and unread counts.

import assert from "node:assert/strict";
import { enter, online, person, picture, run, say, shows, urls } from "./kit.mjs";

await run(async (browser) => {
  const ann = await person(browser);
  await ann.goto(urls[0]);
  await ann.fill("#name", "Ann");
  await ann.click("text=Enter");
  await online(ann);
  await ann.waitForSelector("text=Nothing here yet");
  assert.equal(new URL(ann.url()).hash, "#room=general");

  const ben = await person(browser);
  await enter(ben, { url: urls[1], name: "Ben" });
  assert.equal(new URL(ben.url()).hash, "#room=general", "the name does not stay in the address");
  await ann.waitForSelector('.people .here:has-text("Ben")');
  await ben.waitForSelector('.people .here:has-text("Ann")');
  await ann.waitForSelector("text=2 members, 2 here");

  await say(ann, "Hello\nBen");
  await shows(ben, ["Hello\nBen"]);
  await shows(ann, ["Hello\nBen"]);

  // Typing is seen and ends.
  await ben.type("#composer-text", "He");
  await ann.waitForSelector("text=Ben is typing…");
  await say(ben, "Hello Ann");
  await ann.waitForFunction(() => document.querySelector(".typing").textContent === "");
  await shows(ann, ["Hello\nBen", "Hello Ann"]);

  // An image chosen, with a caption; one pasted; one dropped.
  const png = await picture(ann);
  await ann.setInputFiles('input[type="file"]', { name: "a.png", mimeType: "image/png", buffer: png });
  await ann.waitForSelector(".tray img");
  await say(ann, "chosen");
  await ben.waitForFunction(() => document.querySelector(".image-button img")?.naturalWidth === 320);
  for (const [kind, type] of [["paste", "ClipboardEvent"], ["drop", "DragEvent"]]) {
    await ben.evaluate(
      ([event, name, bytes]) => {
        const files = new DataTransfer();
        files.items.add(new File([new Uint8Array(bytes)], "b.png", { type: "image/png" }));
        const target = document.querySelector("#composer-text");
        const options = { bubbles: true, cancelable: true, clipboardData: files, dataTransfer: files };
        target.dispatchEvent(new globalThis[name](event, options));
      },
      [kind, type, [...png]],
    );
    await ben.waitForSelector(".tray img");
    await say(ben, kind);
  }
  await shows(ann, ["Hello\nBen", "Hello Ann", "chosen", "paste", "drop"]);
  await ann.waitForFunction(() => [...document.querySelectorAll(".image-button img")].filter((one) => one.naturalWidth === 320).length === 3);
  await ann.click(".image-button >> nth=0");
  await ann.waitForSelector("dialog.lightbox[open]");
  await ann.keyboard.press("Escape");
  await ann.waitForSelector("dialog.lightbox", { state: "detached" });

  // Something that is no image is refused in words.
  await ann.setInputFiles('input[type="file"]', { name: "a.txt", mimeType: "text/plain", buffer: Buffer.from("x") });
  await ann.waitForSelector("text=a.txt is no PNG, JPEG, WebP, GIF, AVIF or HEIC image.");

  // A third member who looks at another room has not read; then they do.
  const cem = await person(browser);
  await enter(cem, { name: "Cem" });
  await cem.goto(`${urls[0]}/#room=kitchen`);
  await cem.waitForSelector('h1:has-text("kitchen")');
  await say(ann, "Has everybody seen this?");
  const number = '.message:last-child .unread-by:has-text("1")';
  await ann.waitForSelector(number);
  await ben.waitForSelector(number);
  await cem.waitForSelector('.room:has-text("general") .badge:has-text("1")');
  await cem.waitForFunction(() => document.title.startsWith("(1) kitchen"));
  await cem.click('.room:has-text("general")');
  await cem.waitForSelector(".divider.new");
  for (const page of [ann, ben]) await page.waitForSelector(number, { state: "detached" });
  await cem.waitForSelector('.room:has-text("general") .badge', { state: "hidden" });

  await cem.close();
  await ann.waitForSelector('.people .away:has-text("Cem")');
});
