import assert from "node:assert/strict";
import { test } from "node:test";
import { ChatroomClient, MemoryTexts, plainPlatform } from "chatroom-client";
import { settled } from "./kit.js";

/** Nobody listens there. */
function start(/** @type {any} */ t, /** @type {MemoryTexts} */ texts, user = "ann") {
  const chat = new ChatroomClient({ url: "http://127.0.0.1:1", auth: { user }, platform: { ...plainPlatform(), texts } });
  t.after(() => chat.close());
  return chat;
}

test("a draft is written down in pauses, and is there after a restart, for its user alone", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const texts = new MemoryTexts();
  let writes = 0;
  const { set } = MemoryTexts.prototype;
  texts.set = (key, value) => ((writes += 1), set.call(texts, key, value));
  const chat = start(t, texts);
  for (const text of ["h", "he", "hey"]) chat.drafts.set("42", text);
  assert.deepEqual([chat.drafts.get("42"), writes], ["hey", 0]);
  t.mock.timers.tick(400);
  assert.equal(writes, 1);
  chat.drafts.set("43", "unsaved as yet");
  chat.close();
  assert.equal(writes, 2);

  const again = start(t, texts);
  /** @type {string[]} */
  const told = [];
  again.on("drafts", ({ room }) => void told.push(room));
  again.drafts.set("43", "written before the storage was read");
  await again.connect();
  assert.deepEqual(told, ["43", "42"]);
  assert.deepEqual(again.drafts.rooms.map((room) => again.drafts.get(room)), ["written before the storage was read", "hey"]);
  again.drafts.set("42", "");
  again.close();
  await settled();

  const lee = start(t, texts, "ann lee");
  await lee.connect();
  assert.deepEqual(lee.drafts.rooms, []);
  const last = start(t, texts);
  await last.connect();
  assert.deepEqual(last.drafts.rooms, ["43"]);
});
