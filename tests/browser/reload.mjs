// A page is reloaded while its messages are on their way: each is there, once, in order.

import assert from "node:assert/strict";
import { enter, online, person, picture, run, say, shows, urls } from "./kit.mjs";

const outbox = (page) => page.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith("chatroom.outbox")));

await run(async (browser) => {
  const ann = await person(browser);
  const ben = await person(browser);
  await enter(ben, { url: urls[1], name: "Ben" });

  // Requests to send are swallowed on the way, as by a network that breaks now.
  let swallow = false;
  let swallowed = 0;
  await ann.routeWebSocket(/socket\.io/, (socket) => {
    const server = socket.connectToServer();
    socket.onMessage((data) => {
      // Of an image, the bytes that follow are swallowed as well.
      if (swallow && (typeof data !== "string" || data.includes('"send"'))) swallowed += 1;
      else server.send(data);
    });
  });
  await enter(ann, { name: "Ann" });
  await say(ann, "first");
  await shows(ann, ["first"]);

  swallow = true;
  await say(ann, "second");
  await say(ann, "third");
  await ann.setInputFiles('input[type="file"]', { name: "a.png", mimeType: "image/png", buffer: await picture(ann) });
  await say(ann, "an image");
  await ann.waitForSelector(".pending >> nth=2");
  // The image's bytes are being written down; the texts were at once.
  await ann.waitForFunction(
    () =>
      new Promise((resolve) => {
        const opening = indexedDB.open("chatroom-outbox");
        opening.onsuccess = () => {
          const names = opening.result.objectStoreNames;
          if (!names.contains("images")) return resolve(false);
          const asked = opening.result.transaction("images").objectStore("images").count();
          asked.onsuccess = () => resolve(asked.result === 1);
        };
      }),
  );
  assert.ok(swallowed > 0);
  await ann.reload();
  await ann.waitForSelector(".pending >> nth=2");
  assert.equal((await outbox(ann)).length, 3);

  swallow = false;
  await ann.reload();
  await online(ann);
  const all = ["first", "second", "third", "an image"];
  await shows(ann, all);
  await shows(ben, all);
  assert.deepEqual(await outbox(ann), []);

  // Reloaded at once, again and again, without a look at what has been sent.
  for (let round = 0; round < 5; round += 1) {
    for (const part of ["a", "b"]) {
      await say(ann, `${round}${part}`);
      all.push(`${round}${part}`);
    }
    await ann.reload();
    await ann.waitForSelector("#composer-text");
  }
  await shows(ann, all);
  await shows(ben, all);
  assert.deepEqual(await outbox(ann), []);

  // What is being written is there as well, until it is sent.
  const written = (text) => ann.waitForFunction((value) => document.querySelector("#composer-text")?.value === value, text);
  await ann.fill("#composer-text", "half a sen");
  await ann.reload();
  await written("half a sen");
  await say(ann, "half a sentence");
  await shows(ann, [...all, "half a sentence"]);
  await ann.reload();
  await shows(ann, [...all, "half a sentence"]);
  await written("");
});
