// Redis goes and comes back: the page says so, stays connected, and nothing is lost.

import { enter, online, person, run, say, shows } from "./kit.mjs";

const tell = (event) => process.stdout.write(`${JSON.stringify({ event })}\n`);

await run(async (browser) => {
  const ann = await person(browser);
  const ben = await person(browser);
  await enter(ann, { name: "Ann" });
  await enter(ben, { name: "Ben" });
  await say(ann, "before");
  await shows(ben, ["before"]);
  tell("chatting");

  for (const page of [ann, ben]) {
    await page.waitForSelector('.status[data-tone="busy"]:has-text("Waiting for the server…")');
    await page.waitForSelector("text=Messages may be late; nothing is lost.");
  }
  await say(ann, "meanwhile");
  await ann.waitForSelector(".pending");
  await ann.waitForSelector("text=The server cannot take messages right now; still trying.");
  tell("told");

  await online(ann);
  await online(ben);
  for (const page of [ann, ben]) await shows(page, ["before", "meanwhile"]);
});
