// A browser that keeps no site data: one can chat, and is told what a reload would cost.

import { enter, online, run, say, shows, urls, watched } from "./kit.mjs";

const BLOCKED = 2;
const preferences = { profile: { default_content_setting_values: { cookies: BLOCKED } } };

await run(
  async (browser) => {
    const ann = await watched(await browser.newPage());
    await ann.goto(`${urls[0]}/#room=general`);
    await ann.fill("#name", "Ann");
    await ann.click('button:has-text("Enter")');
    await online(ann);
    const ben = await watched(await browser.newPage());
    await enter(ben, { url: urls[1], name: "Ben" });
    await say(ann, "Hello");
    for (const page of [ann, ben]) await shows(page, ["Hello"]);

    await browser.setOffline(true);
    await ann.waitForSelector('.status[data-tone="bad"]');
    await say(ann, "later");
    await ann.waitForSelector('.pending:has-text("Waiting… (lost on reload)")');
    await browser.setOffline(false);
    for (const page of [ann, ben]) await shows(page, ["Hello", "later"]);
    await ann.click('[aria-label="Sign out"]');
    await ann.waitForSelector("#name");
  },
  { preferences, allowsNoNetwork: true },
);
