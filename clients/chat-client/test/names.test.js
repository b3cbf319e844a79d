/** What people are called: what events say, and what is asked for, each once. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Names } from "../dist/rooms/names.js";

/** @param {Record<string, string>} known Names that the server has. */
function made(known = {}) {
  const asked = [];
  let changes = 0;
  const names = new Names({
    ask: async (room, users) => {
      asked.push([room, ...users]);
      return { users: users.map((user) => ({ user, ...(known[user] && { name: known[user] }) })) };
    },
    changed: () => (changes += 1),
  });
  return { names, asked, changes: () => changes };
}

test("events tell names, and the newest counts", () => {
  const { names, changes } = made();
  assert.equal(names.of("ann"), "ann");
  names.seen({ user: "ann", name: "Ann" });
  names.seen({ user: "ann", name: "Ann" });
  names.seen({ user: "ann" });
  assert.equal(names.of("ann"), "Ann");
  assert.equal(changes(), 1);
  names.seen({ user: "ann", name: "Anna" });
  assert.equal(names.of("ann"), "Anna");
});

test("who is not known is asked for once, a hundred at a time", async () => {
  const { names, asked } = made({ bob: "Bob" });
  names.seen({ user: "ann", name: "Ann" });
  await names.want("42", ["ann", "bob", "cleo"]);
  await names.want("42", ["ann", "bob", "cleo"]);
  assert.deepEqual(asked, [["42", "bob", "cleo"]]);
  assert.deepEqual([names.of("bob"), names.of("cleo")], ["Bob", "cleo"]);
  await names.want("big", Array.from({ length: 150 }, (_, at) => `u${at}`));
  assert.equal(asked[1].length, 101);
});

test("after a refusal, or another connect, they are asked for again", async () => {
  let asked = 0;
  const names = new Names({
    ask: async () => {
      asked += 1;
      throw new Error("offline");
    },
    changed: () => assert.fail("nothing is known"),
  });
  await names.want("42", ["ann"]);
  await names.want("42", ["ann"]);
  assert.equal(asked, 2);
  const { names: others, asked: calls } = made();
  await others.want("42", ["ann"]);
  others.disconnected();
  await others.want("42", ["ann"]);
  assert.equal(calls.length, 2);
});
