// The network goes and comes back: the page says so, and nothing is lost or doubled.

import assert from "node:assert/strict";
import { enter, online, person, run, say, shows, urls } from "./kit.mjs";

await run(
  async (browser) => {
    const ann = await person(browser);
    const ben = await person(browser);
    await enter(ann, { name: "Ann" });
    await enter(ben, { url: urls[1], name: "Ben" });
    await say(ann, "before");
    await shows(ben, ["before"]);

    await ann.context().setOffline(true);
    await ann.waitForSelector('.status[data-tone="bad"]:has-text("Offline")');
    await say(ann, "written offline, one");
    await say(ann, "written offline, two");
    await ann.waitForSelector("text=No network. 2 messages wait and will be sent.");
    await ann.waitForSelector('.pending:has-text("Waiting…")');
    await say(ben, "meanwhile");
    await shows(ben, ["before", "meanwhile"]);

    await ann.context().setOffline(false);
    await online(ann);
    const all = ["before", "meanwhile", "written offline, one", "written offline, two"];
    await shows(ann, all);
    await shows(ben, all);

    // Of a room that could not be joined yet nothing is known, nor that it is large.
    const cem = await person(browser);
    await cem.routeWebSocket(/socket\.io/, () => undefined);
    await cem.goto(`${urls[0]}/#room=general&name=Cem`);
    await cem.press("#name", "Enter");
    await cem.waitForSelector('h1:text-is("general")');
    assert.equal(await cem.textContent(".people-content"), "");
  },
  { allowsNoNetwork: true },
);
