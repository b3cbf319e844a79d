import assert from "node:assert/strict";
import { test } from "node:test";
import { ChatRequestError } from "../dist/connection/errors.js";
import { ReadMarks } from "../dist/rooms/read-marks.js";
import { TypingNotice, TypingUsers } from "../dist/rooms/typing.js";
import { settled } from "./kit.js";

function marks(/** @type {any} */ t) {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  /** @type {number[]} */
  const sent = [];
  const world = { isReady: true, error: /** @type {any} */ (null) };
  const made = new ReadMarks({
    isReady: () => world.isReady,
    send: async (_room, message) => {
      sent.push(message);
      if (world.error) throw world.error;
    },
  });
  const tick = async (/** @type {number} */ ms) => {
    t.mock.timers.tick(ms);
    await settled();
  };
  return { made, sent, tick, world };
}

test("of many marks the first goes at once and then only the newest", async (t) => {
  const { made, sent, tick } = marks(t);
  for (const message of [1, 2, 3, 2, 7]) made.want("42", message);
  await settled();
  await tick(500);
  await tick(5_000);
  assert.deepEqual(sent, [1, 7]);
});

test("a mark made offline is sent when the room is attended again", async (t) => {
  const { made, sent, world } = marks(t);
  world.isReady = false;
  made.want("42", 4);
  await settled();
  assert.deepEqual(sent, []);
  world.isReady = true;
  made.resume("42");
  await settled();
  assert.deepEqual(sent, [4]);
});

test("a mark is sent again after a temporary error, and dropped after another one", async (t) => {
  const { made, sent, tick, world } = marks(t);
  world.error = new ChatRequestError("unavailable", "", { temporary: true });
  made.want("42", 4);
  await settled();
  world.error = new ChatRequestError("forbidden", "");
  await tick(3_000);
  await tick(60_000);
  assert.deepEqual(sent, [4, 4]);
});

test("a mark that the server has already is not sent", async (t) => {
  const { made, sent, tick, world } = marks(t);
  world.isReady = false;
  made.want("42", 4);
  made.known("42", 5);
  world.isReady = true;
  made.resume("42");
  await tick(5_000);
  assert.deepEqual(sent, []);
});

test("typing is told once while it goes on, again after a while, and its end once", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  /** @type {[string, boolean][]} */
  const told = [];
  const notice = new TypingNotice((room, on) => told.push([room, on]));
  for (let key = 0; key < 10; key += 1) {
    notice.set("42", true);
    t.mock.timers.tick(350);
  }
  assert.deepEqual(told, [["42", true], ["42", true]]);
  t.mock.timers.tick(4_000);
  t.mock.timers.tick(60_000);
  assert.deepEqual(told.slice(2), [["42", false]]);
});

test("typing in another room ends it in the first", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  /** @type {[string, boolean][]} */
  const told = [];
  const notice = new TypingNotice((room, on) => told.push([room, on]));
  notice.set("42", true);
  notice.set("43", true);
  assert.deepEqual(told, [["42", true], ["42", false], ["43", true]]);
  notice.close();
});

test("somebody whose end of typing was lost stops typing all the same", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  let changes = 0;
  const users = new TypingUsers(() => (changes += 1));
  users.set("42", "ben", true);
  users.set("42", "ben", true);
  assert.deepEqual(users.in("42"), ["ben"]);
  t.mock.timers.tick(6_000);
  assert.deepEqual(users.in("42"), []);
  assert.equal(changes, 2);
});
