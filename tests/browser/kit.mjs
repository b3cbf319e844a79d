// What the scenarios share: a browser, users' pages, and what they say and see.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ChatroomClient } from "../../clients/chat-client/dist/index.js";

const require = createRequire(new URL("../../clients/js-demo/package.json", import.meta.url));
const { chromium } = require("playwright-core");
const { source: axeSource } = require("axe-core");

export const { urls, executablePath } = JSON.parse(process.argv[2]);
/** A page that has not done it by then, on a busy machine, will not do it. */
const DEADLINE_MS = 20_000 * Number(process.env.TEST_MS_SCALE || 1);
/** What Chromium itself logs about requests without a network. */
const NO_NETWORK = /ERR_INTERNET_DISCONNECTED|WebSocket connection to .* failed/;
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** @type {string[]} */
const problems = [];

/**
 * Run a scenario in a browser of its own; afterwards no page may have logged an error
 * or broken its Content-Security-Policy.
 *
 * @param {(browser: any) => Promise<void>} scenario
 * @param {{allowsNoNetwork?: boolean, preferences?: object}} [options] `preferences`: what
 *   the user has set; there is one browser context then.
 */
export async function run(scenario, { allowsNoNetwork = false, preferences } = {}) {
  const profile = preferences && profileWith(preferences);
  const browser = profile
    ? await chromium.launchPersistentContext(profile, { executablePath, args: FLAGS })
    : await chromium.launch({ executablePath, args: FLAGS });
  try {
    await scenario(browser);
  } finally {
    await browser.close();
    if (profile) rmSync(profile, { recursive: true, force: true, maxRetries: 3 });
  }
  const unexpected = problems.filter((one) => !(allowsNoNetwork && NO_NETWORK.test(one)));
  assert.deepEqual(unexpected, []);
}

/** A folder in which Chromium finds what its user has set. */
function profileWith(preferences) {
  const folder = mkdtempSync(join(tmpdir(), "chatroom-browser-"));
  mkdirSync(join(folder, "Default"));
  writeFileSync(join(folder, "Default", "Preferences"), JSON.stringify(preferences));
  return folder;
}

/** A page of a browser context of its own: another person's browser. */
export async function person(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  return watched(await context.newPage());
}

/** A page whose errors fail the scenario. */
export async function watched(page) {
  page.setDefaultTimeout(DEADLINE_MS);
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(message.text());
  });
  page.on("pageerror", (error) => problems.push(String(error.stack)));
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => {
      console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`);
    });
  });
  return page;
}

/** Open the page in a room, under a name. */
export async function enter(page, { url = urls[0], name, room = "general" }) {
  await page.goto(`${url}/#room=${room}&name=${encodeURIComponent(name)}`);
  await page.waitForSelector(".sign-in, .chat");
  if (await page.$(".sign-in")) await page.press("#name", "Enter");
  await online(page);
}

export function online(page) {
  return page.waitForSelector('.status[data-tone="good"]', { state: "attached" });
}

/** Write a message and send it, as a person does. */
export async function say(page, text) {
  await page.fill("#composer-text", text);
  await page.press("#composer-text", "Enter");
}

/** Messages that may wait in an outbox at once, well below what it takes. */
const MOST_WAITING = 100;

/** Somebody without a page, in a room, who can say much in a short time. */
export async function member(name, { url = urls[1], room = "general" } = {}) {
  const client = new ChatroomClient({ url, auth: { user: name } });
  const until = (event, holds) =>
    new Promise((resolve) => {
      const look = () => holds() && (end(), resolve());
      const end = client.on(event, look);
      look();
    });
  const waits = (most) => until("outbox", () => client.outbox(room).length <= most);
  await client.connect();
  await client.join(room);
  return {
    async say(...texts) {
      for (const text of texts) {
        client.send(room, { text });
        await waits(MOST_WAITING);
      }
      await waits(0);
    },
    /** Wait until a user has read up to a message, as the server says. */
    readBy: (user, message) => until("reads", () => client.room(room)?.reads?.get(user) >= message),
    edit: (message, text) => client.edit(room, message, { text }),
    delete: (message) => client.delete(room, message),
    react: (message, key, on) => client.react(room, message, key, on),
    typing: (on) => client.setTyping(room, on),
    quit: () => client.quit(room),
    close: () => client.close(),
  };
}

/** Texts of messages, numbered from one number on up to another. */
export function numbered(word, from, to) {
  return Array.from({ length: to - from + 1 }, (_, at) => `${word} ${from + at}`);
}

/** The lines between messages, each with the message that follows it. */
export function lines(page) {
  return page.$$eval(".divider", (all) =>
    all.map((one) => [one.textContent, one.nextElementSibling?.querySelector(".text")?.textContent]),
  );
}

/** The texts of the messages that the server has, in the order shown. */
export function texts(page) {
  return page.$$eval(".messages:not(.pending-list) .text", (all) => all.map((one) => one.textContent));
}

/** Wait until a page shows exactly these messages, and none is on its way. */
export async function shows(page, expected) {
  await page
    .waitForFunction(
      (wanted) => {
        const all = [...document.querySelectorAll(".messages:not(.pending-list) .text")];
        const shown = JSON.stringify(all.map((one) => one.textContent));
        return shown === wanted && document.querySelectorAll(".pending").length === 0;
      },
      JSON.stringify(expected),
    )
    .catch(async (late) => {
      assert.deepEqual(await texts(page), expected);
      throw late;
    });
}

/** Wait until the newest messages are in view. */
export function atEnd(page) {
  return page.waitForFunction(() => {
    const { scrollHeight, scrollTop, clientHeight } = document.querySelector(".scroller");
    return scrollHeight > clientHeight && scrollHeight - scrollTop - clientHeight < 2;
  });
}

/** A PNG, made by the browser. */
export async function picture(page, width = 320, height = 200) {
  const bytes = await page.evaluate(
    async ([across, down]) => {
      const canvas = new OffscreenCanvas(across, down);
      const context = canvas.getContext("2d");
      context.fillStyle = "#4a7c74";
      context.fillRect(0, 0, across, down);
      context.fillStyle = "#e8d9b0";
      context.fillRect(across / 4, down / 4, across / 2, down / 2);
      return [...new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer())];
    },
    [width, height],
  );
  return Buffer.from(bytes);
}

/** No fault that axe calls serious or critical. */
export async function accessible(page, what) {
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  const serious = violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${what}: ${id}: ${nodes.map(({ html, any }) => `${html} ${any[0]?.message ?? ""}`).join(" | ")}`);
  assert.deepEqual(serious, []);
}
