// Photos are made smaller before they are sent, shown small, and opened large.

import assert from "node:assert/strict";
import { enter, person, run, say, shows, urls } from "./kit.mjs";

const GIF = Buffer.from("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7", "base64");
const LIMIT_BYTES = 8 * 2 ** 20;

/** A photo beyond the server's limit: noise, which no format makes small. */
async function photo(page) {
  const text = await page.evaluate(async () => {
    const canvas = new OffscreenCanvas(4000, 3000);
    const context = canvas.getContext("2d");
    const pixels = context.createImageData(4000, 3000);
    const words = new Uint32Array(pixels.data.buffer);
    for (let at = 0, seed = 1; at < words.length; at += 1) {
      seed = (seed * 1664525 + 1013904223) >>> 0;
      words[at] = (seed >>> 2) | 0xff000000;
    }
    context.putImageData(pixels, 0, 0);
    const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.9 });
    const reader = new FileReader();
    return new Promise((resolve) => {
      reader.onload = () => resolve(reader.result);
      reader.readAsDataURL(blob);
    });
  });
  return Buffer.from(text.split(",")[1], "base64");
}

const widths = (page, selector) => page.$$eval(selector, (all) => all.map((one) => one.naturalWidth));

await run(async (browser) => {
  const ann = await person(browser);
  await enter(ann, { name: "Ann" });
  const ben = await person(browser);
  await enter(ben, { url: urls[1], name: "Ben" });

  const buffer = await photo(ann);
  assert.ok(buffer.length > LIMIT_BYTES, `${buffer.length} bytes are no large photo`);
  await ann.setInputFiles('input[type="file"]', { name: "photo.jpg", mimeType: "image/jpeg", buffer });
  await ann.waitForSelector(".tray img");
  await say(ann, "A photo");
  await ben.waitForFunction(() => document.querySelector(".image-button img")?.naturalWidth === 320);
  await ben.click(".image-button");
  await ben.waitForFunction(() => document.querySelector("dialog.lightbox img")?.naturalWidth === 2560);
  await ben.keyboard.press("Escape");

  // What moves, and what is small, is sent as it is.
  await ann.setInputFiles('input[type="file"]', { name: "a.gif", mimeType: "image/gif", buffer: GIF });
  await say(ann, "A GIF");
  await ben.waitForFunction(() => /\.gif\?/.test(document.querySelectorAll(".image-button img")[1]?.src));

  // What the server will never take is told of, and stays below nothing.
  await ann.setInputFiles('input[type="file"]', { name: "a.png", mimeType: "image/png", buffer: Buffer.from("no image") });
  await say(ann, "Its caption");
  await ann.waitForSelector('.notice:has-text("Your image was not sent.")');
  assert.equal(await ann.inputValue("#composer-text"), "Its caption");
  assert.deepEqual(await widths(ann, ".pending img"), []);
  await ann.fill("#composer-text", "");
  await say(ann, "And on");
  await shows(ben, ["A photo", "A GIF", "And on"]);
  await shows(ann, ["A photo", "A GIF", "And on"]);
});
