// The network goes and comes back: the page says so, and nothing is lost or doubled.

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
  },
  { allowsNoNetwork: true },
);
