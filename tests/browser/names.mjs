// What others call themselves, write and link to changes nothing but their own words.

import assert from "node:assert/strict";
import { enter, member, online, person, run, say, shows, urls } from "./kit.mjs";

/** Ends from right to left; what turns all that follows is no user's id. */
const EVE = "Eve\u05d0\u200f";

/** Where each character of some words is seen: the left edges, in the order of reading. */
function edges(page, selector, words) {
  return page.evaluate(
    ([within, wanted]) => {
      const walker = document.createTreeWalker(document.querySelector(within), NodeFilter.SHOW_TEXT);
      while (walker.nextNode()) {
        const at = walker.currentNode.data.indexOf(wanted);
        if (at < 0) continue;
        return [...wanted].map((_, step) => {
          const range = document.createRange();
          range.setStart(walker.currentNode, at + step);
          range.setEnd(walker.currentNode, at + step + 1);
          return range.getBoundingClientRect().left;
        });
      }
      throw new Error(`no ${wanted} in ${within}`);
    },
    [selector, words],
  );
}

const ascending = (numbers) => numbers.every((one, at) => at === 0 || one > numbers[at - 1]);

async function assertReads(page, selector, ...words) {
  const seen = [];
  for (const some of words) seen.push(...(await edges(page, selector, some)));
  assert.ok(ascending(seen), `${selector}: ${words} is seen at ${seen}`);
}

await run(async (browser) => {
  const ann = await person(browser);
  await enter(ann, { name: "Ann" });
  const eve = await member(EVE);
  const ben = await member("Ben");
  const link = "https://example.org/abc";
  await eve.say(`\u202eturned ${link}에서`, "plain words");
  await shows(ann, [`\u202eturned ${link}에서`, "plain words"]);

  // Links: set apart from the text around them, underlined, and of the words alone.
  await assertReads(ann, ".text a", link);
  const shown = await ann.$eval(".text a", (a) => [a.href, a.textContent, getComputedStyle(a).textDecorationLine]);
  assert.deepEqual(shown, [link, link, "underline"]);
  const colors = await ann.$eval(".text a", (a) => [a, a.parentElement].map((one) => getComputedStyle(one).color));
  assert.notEqual(colors[0], colors[1]);

  // Names within the page's sentences.
  await ann.waitForFunction(() => document.querySelector(".room-preview")?.textContent.includes("plain"));
  await assertReads(ann, ".room-preview", "Eve", ": ", "plain words");
  eve.typing(true);
  await ann.waitForSelector(".typing:not(:empty)");
  await assertReads(ann, ".typing", "Eve", " is typing…");
  ben.typing(true);
  await ann.waitForFunction(() => document.querySelector(".typing").textContent.includes("Ben"));
  await assertReads(ann, ".typing", "Eve", " and ", "Ben", " are typing…");
  const heard = await ann.$eval("[role=status].visually-hidden", (one) => one.querySelectorAll("bdi").length);
  assert.equal(heard, 2);
  eve.typing(false);
  await ann.setInputFiles("input[type=file]", { name: "a\u202egnp.exe", mimeType: "text/plain", buffer: Buffer.from("x") });
  await ann.waitForSelector(".notice");
  await assertReads(ann, ".notice p", "is no PNG");

  // What shows nothing is not sent.
  for (const blank of ["\u3164", "\u2800", "\u200b \u00ad"]) await say(ann, blank);
  await say(ann, "visible");
  await shows(ann, [`\u202eturned ${link}에서`, "plain words", "visible"]);

  // A link with a name proposes it to whoever is nobody yet, and is nothing to all others.
  const invitation = `${urls[0]}/#room=kitchen&name=Zed`;
  await ann.evaluate(() => (location.hash = "#room=kitchen&name=Zed"));
  await ann.reload();
  await online(ann);
  assert.equal(await ann.textContent(".me-name"), "Ann");
  await ann.goto("about:blank");
  await ann.goto(invitation);
  await online(ann);
  assert.equal(await ann.textContent(".me-name"), "Ann");
  assert.equal(new URL(ann.url()).hash, "#room=kitchen");
  const zed = await person(browser);
  await zed.goto(invitation);
  await zed.waitForSelector("#name");
  assert.equal(await zed.inputValue("#name"), "Zed");
  await zed.press("#name", "Enter");
  await online(zed);
  assert.equal(await zed.textContent(".me-name"), "Zed");
  assert.equal(await zed.textContent(".room-title"), "kitchen");
  eve.close();
  ben.close();
});
