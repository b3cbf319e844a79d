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

/** A picture of this width, as a file to choose. */
async function drawn(page, width) {
  const bytes = await page.evaluate(async (side) => {
    const canvas = new OffscreenCanvas(side, side);
    canvas.getContext("2d").fillRect(0, 0, side / 2, side);
    return [...new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer())];
  }, width);
  return { name: `${width}.png`, mimeType: "image/png", buffer: Buffer.from(bytes) };
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

  // What is chosen together is one message, of which each picture can be opened.
  const pictures = [];
  for (const width of [400, 500, 600]) pictures.push(await drawn(ann, width));
  await ann.setInputFiles('input[type="file"]', pictures);
  await say(ann, "Three of them");
  const tiles = ".message:last-child .image-grid img";
  await ben.waitForFunction((all) => document.querySelectorAll(all).length === 3, tiles);
  await ben.waitForFunction((all) => [...document.querySelectorAll(all)].every((one) => one.naturalWidth === 320), tiles);
  const sides = await ben.$$eval(tiles, (all) => all.map((one) => [one.clientWidth, one.clientHeight]));
  assert.deepEqual(new Set(sides.map(([width, height]) => width === height && width <= 180)), new Set([true]));
  await ben.click(":nth-match(.message:last-child .image-grid .image-button, 2)");
  await ben.waitForFunction(() => document.querySelector("dialog.lightbox img")?.naturalWidth === 500);
  await ben.keyboard.press("Escape");

  // One that is refused keeps the others from being sent; they are there to be sent again.
  await ann.setInputFiles('input[type="file"]', [pictures[0], { ...pictures[1], buffer: Buffer.from("no image") }, pictures[2]]);
  await say(ann, "Two of them");
  await ann.waitForSelector('.notice:has-text("Your images were not sent. Image 2 of 3:")');
  assert.equal(await ann.locator(".tray li").count(), 2);
  await ann.press("#composer-text", "Enter");
  await ben.waitForFunction((all) => document.querySelectorAll(all).length === 2, tiles);
  await say(ann, "And on");
  const all = ["A photo", "A GIF", "Three of them", "Two of them", "And on"];
  await shows(ben, all);
  await shows(ann, all);
});
