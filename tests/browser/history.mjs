// Older messages: each once, in order, with the lines where they belong.

import assert from "node:assert/strict";
import { enter, lines, member, numbered, person, run, shows, texts, urls } from "./kit.mjs";

const LOADING = "Loading older messages…";
const toTop = (page) => page.evaluate(() => (document.querySelector(".scroller").scrollTop = 0));
const topOf = (page) => page.textContent(".history-end");

await run(async (browser) => {
  const ann = await person(browser);
  await enter(ann, { name: "Ann" });
  const ben = await member("Ben");
  await ben.say(...numbered("read", 1, 30));
  await shows(ann, numbered("read", 1, 30));
  await ben.readBy("Ann", 30);

  // More is new than a page of history: one line, above the first of them all.
  await ann.goto("about:blank");
  await ben.say(...numbered("unread", 1, 60));
  const all = [...numbered("read", 1, 30), ...numbered("unread", 1, 60)];
  await enter(ann, { name: "Ann" });
  await toTop(ann);
  await shows(ann, all);
  assert.deepEqual(await lines(ann), [["Today", "read 1"], ["New", "unread 1"]]);

  // A page of history that is on its way while rooms change.
  const cem = await person(browser);
  /** @type {(() => void)[]} */
  const held = [];
  let tell;
  await cem.routeWebSocket(/socket\.io/, (socket) => {
    const server = socket.connectToServer();
    tell = (event, payload) => socket.send(`42/chat,${JSON.stringify([event, payload])}`);
    let isFirst = true;
    socket.onMessage((data) => {
      if (typeof data === "string" && data.includes('["history"')) held.push(() => server.send(data));
      else server.send(data);
    });
    server.onMessage((data) => {
      const [, head, body] = (isFirst && /^(43\/chat,\d+)(.*"events".*)$/s.exec(data)) || [];
      if (!head) return socket.send(data);
      // The first answer reaches less far back than the next one will.
      const [ack] = JSON.parse(body);
      for (const room of ack.rooms) room.events.splice(0, 30);
      isFirst = false;
      socket.send(head + JSON.stringify([ack]));
    });
  });
  await enter(cem, { name: "Cem" });
  await shows(cem, numbered("unread", 41, 60));
  await toTop(cem);
  await cem.waitForFunction((text) => document.querySelector(".history-end").textContent === text, LOADING);
  await cem.goto(`${urls[0]}/#room=kitchen`);
  await cem.waitForSelector("text=Nothing here yet");
  await cem.goto(`${urls[0]}/#room=general`);
  await shows(cem, numbered("unread", 41, 60));
  assert.equal(await topOf(cem), LOADING);
  assert.equal(held.length, 1, "it is not asked for twice");

  // The room is made anew meanwhile, and begins lower than it did.
  tell("reload", { room: "general" });
  await shows(cem, numbered("unread", 11, 60));
  held[0]();
  await cem.waitForFunction((text) => document.querySelector(".history-end").textContent !== text, LOADING);
  assert.deepEqual(await texts(cem), numbered("unread", 11, 60));
  await toTop(cem);
  await cem.waitForFunction((text) => document.querySelector(".history-end").textContent === text, LOADING);
  held[1]();
  await shows(cem, all);

  // Whoever scrolled up without a connection gets them when it is back.
  const dan = await person(browser);
  await enter(dan, { name: "Dan" });
  await shows(dan, numbered("unread", 11, 60));
  await dan.context().setOffline(true);
  await dan.waitForSelector('.status[data-tone="bad"]');
  await toTop(dan);
  await dan.waitForFunction(() => document.querySelector(".scroller").scrollTop === 0);
  await dan.context().setOffline(false);
  await shows(dan, all);
  ben.close();
}, { allowsNoNetwork: true });
