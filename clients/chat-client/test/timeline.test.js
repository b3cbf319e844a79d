import assert from "node:assert/strict";
import { test } from "node:test";
import { ChatroomClient } from "chatroom-client";
import { deferred, joinAck, message, settled } from "./kit.js";

/** A room of so many messages; pages as the server gives them. */
function history(/** @type {number} */ last) {
  const all = Array.from({ length: last }, (_, at) => message(at + 1));
  const between = (/** @type {number} */ after, /** @type {number} */ before) =>
    all.filter((one) => one.message > after && one.message < before);
  return (/** @type {any} */ { before, after, around, at, limit }) => {
    const target = around ?? all.find((one) => one.at >= at)?.message ?? last;
    if (before !== undefined) {
      const page = between(0, before).slice(-limit);
      return { messages: page, more: (page[0]?.message ?? 1) > 1, firstAvailable: 1 };
    }
    if (after !== undefined) return { messages: between(after, Infinity).slice(0, limit), more: true, firstAvailable: 1 };
    const half = limit >> 1;
    return { messages: between(target - half - 1, target + half), more: true, moreAfter: true, firstAvailable: 1, around: target };
  };
}

/** Somebody who attends a room of `last` messages and holds the `newest` of them. */
async function attending(/** @type {any} */ t, /** @type {number} */ last, /** @type {number} */ newest, /** @type {object} */ options = {}) {
  const chat = new ChatroomClient({ url: "http://127.0.0.1:1", auth: { user: "ann" }, ...options });
  t.after(() => chat.close());
  const pages = history(last);
  /** @type {any[]} */
  const asked = [];
  const world = { answer: async (/** @type {string} */ event, /** @type {any} */ payload) => (event === "history" ? pages(payload) : { ok: true, users: [] }) };
  const held = Array.from({ length: newest }, (_, at) => message(last - newest + at + 1));
  Object.defineProperty(chat.connection, "isOnline", { get: () => true });
  chat.connection.request = /** @type {any} */ (
    async (/** @type {string} */ event, /** @type {any} */ payload, /** @type {any} */ { onOk } = {}) => {
      asked.push([event, payload]);
      if (event === "sync") return onOk?.({ rooms: [joinAck(held)] });
      return world.answer(event, payload);
    }
  );
  const joined = chat.join("42");
  chat.connection.wiring.connected();
  await joined;
  const timeline = chat.timeline("42");
  const event = (/** @type {string} */ name, /** @type {any} */ payload) => chat.connection.wiring.event(name, { room: "42", uid: "u", at: 1, ...payload });
  return { chat, timeline, asked, world, event, pages };
}

/** Numbers of messages, gaps as `[after, before]`, texts of what is unsent. */
const shown = (/** @type {any} */ { entries }) =>
  entries.map((/** @type {any} */ entry) =>
    entry.kind === "message" ? entry.message.message : entry.kind === "gap" ? [entry.after, entry.before] : entry.item.text,
  );

test("who jumps far back sees a gap, and fills it from either end", async (t) => {
  const { chat, timeline } = await attending(t, 30, 2);
  assert.deepEqual(shown(timeline), [29, 30]);
  assert.equal(await timeline.jumpTo(10, 4), 10);
  assert.deepEqual(shown(timeline), [8, 9, 10, 11, [11, 29], 29, 30]);
  assert.equal(await timeline.jumpTo(30), 30);
  const gap = /** @type {any} */ (timeline.entries[4]);
  assert.equal(await timeline.fill(gap, "older", 2), 2);
  assert.equal(await timeline.fill(gap, "newer", 2), 2);
  assert.deepEqual(shown(timeline).slice(4), [12, 13, [13, 27], 27, 28, 29, 30]);
  chat.send("42", { text: "on its way" });
  assert.equal(shown(timeline).at(-1), "on its way");
});

test("a time leads to the first message that was sent then or later", async (t) => {
  const { timeline } = await attending(t, 30, 2);
  assert.equal(await timeline.jumpTo(new Date(message(7).at), 2), 7);
  assert.deepEqual(shown(timeline), [6, 7, [7, 29], 29, 30]);
});

test("older messages are fetched to the room's beginning, and not beyond", async (t) => {
  const { timeline, asked } = await attending(t, 9, 2);
  assert.equal(timeline.hasOlder, true);
  assert.equal(await timeline.loadOlder(4), 4);
  assert.equal(await timeline.loadOlder(4), 3);
  assert.deepEqual([shown(timeline), timeline.hasOlder], [[1, 2, 3, 4, 5, 6, 7, 8, 9], false]);
  const before = asked.length;
  assert.equal(await timeline.loadOlder(4), 0);
  assert.equal(asked.length, before);
});

test("what is held is bounded: what is farthest from where one is goes first", async (t) => {
  const { timeline } = await attending(t, 100, 2, { keepMessages: 6 });
  await timeline.jumpTo(50, 4);
  await timeline.jumpTo(20, 4);
  assert.deepEqual(shown(timeline), [18, 19, 20, 21, [21, 48], 48, 49, [49, 99], 99, 100]);
});

test("old messages change with the room's events, also while their page is on its way", async (t) => {
  const { timeline, event, world, pages } = await attending(t, 30, 2);
  await timeline.jumpTo(10, 2);
  const before = timeline.entries;
  event("message_edited", { offset: 31, message: 10, user: "ben", text: "new", edits: 1, editedAt: 5 });
  assert.equal(/** @type {any} */ (timeline.entries[1]).message.text, "new");
  assert.equal(/** @type {any} */ (before[1]).message.text, "text 10");
  assert.equal(timeline.entries, timeline.entries);

  const late = deferred();
  const old = pages({ around: 20, limit: 2 });
  const now = { ...old, messages: old.messages.map((one) => (one.message === 20 ? message(20, { text: "newer", rev: 32 }) : one)) };
  const answers = [late.promise, Promise.resolve(now)];
  world.answer = () => /** @type {any} */ (answers.shift());
  const jumped = timeline.jumpTo(20, 2);
  event("message_edited", { offset: 32, message: 20, user: "ben", text: "newer", edits: 1, editedAt: 6 });
  late.resolve(old);
  await jumped;
  const twenty = timeline.entries.find((/** @type {any} */ one) => one.message?.message === 20);
  assert.equal(/** @type {any} */ (twenty).message.text, "newer");
});

test("a page of a room that was made anew meanwhile is not put into it", async (t) => {
  const { chat, timeline, world } = await attending(t, 30, 2);
  const late = deferred();
  const { answer } = world;
  world.answer = () => late.promise;
  const jumped = timeline.jumpTo(10, 2);
  world.answer = answer;
  chat.room("42")?.forgetCursor();
  chat.connection.wiring.connected();
  await new Promise((done) => setTimeout(done, 5));
  late.resolve(history(30)({ around: 10, limit: 2 }));
  await jumped;
  assert.deepEqual(shown(timeline), [29, 30]);
});

test("an own change is shown at once, until its event is there, and not if it is refused", async (t) => {
  const { chat, timeline, event, world } = await attending(t, 3, 3);
  /** @type {string[]} */
  const told = [];
  chat.on("timeline", ({ room }) => void told.push(room));
  const at = (/** @type {number} */ number) => /** @type {any} */ (timeline.entries[number - 1]);
  const edit = deferred();
  world.answer = () => edit.promise;
  const editing = chat.edit("42", 1, { text: "better" });
  assert.deepEqual([at(1).message.text, at(1).isChanging, told], ["better", true, ["42"]]);
  assert.equal(chat.room("42")?.messages[0].text, "text 1");
  edit.resolve({ ok: true, duplicate: false, offset: 4 });
  await editing;
  assert.deepEqual([at(1).message.text, at(1).isChanging], ["better", true]);
  event("message_edited", { offset: 4, message: 1, user: "ann", text: "better", edits: 1, editedAt: 9 });
  assert.deepEqual([at(1).message.text, at(1).isChanging], ["better", false]);

  const react = deferred();
  world.answer = () => react.promise;
  const reacting = chat.react("42", 2, "👍", true);
  assert.deepEqual(at(2).message.reactions, { "👍": 1 });
  react.reject(Object.assign(new Error("no"), { code: "rate_limited" }));
  await assert.rejects(reacting, { code: "rate_limited" });
  assert.deepEqual([at(2).message.reactions, at(2).isChanging], [undefined, false]);

  world.answer = async () => ({ ok: true, duplicate: true });
  const deleting = chat.delete("42", 3);
  assert.equal(at(3).message.type, "deleted");
  assert.equal(at(3).message.text, undefined);
  await deleting;
  assert.equal(at(3).isChanging, false);
  await settled();
});
