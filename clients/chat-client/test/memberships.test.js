import assert from "node:assert/strict";
import { test } from "node:test";
import { ChatRequestError } from "../dist/connection/errors.js";
import { Memberships } from "../dist/rooms/memberships.js";
import { Rooms } from "../dist/rooms/rooms.js";
import { deferred, settled } from "./kit.js";

/** Memberships among parts that note what they are told. */
function kit() {
  /** @type {any[][]} */
  const told = [];
  const tell = (/** @type {string} */ name) => (/** @type {any[]} */ ...details) => void told.push([name, ...details]);
  /** @type {Set<string>} */
  const seats = new Set();
  const answer = deferred();
  /** @type {any} */
  const parts = {
    user: "ann",
    rooms: new Rooms(),
    connection: { state: "online", isOnline: true, request: () => answer.promise },
    attendance: {
      add: ({ room = "" }) => seats.add(room),
      remove: (/** @type {string} */ room) => seats.delete(room),
      attends: (/** @type {string} */ room) => seats.has(room),
      need: tell("need"),
    },
    outbox: {
      giveUp: (/** @type {string} */ room, /** @type {any} */ { code }) => tell("give up")(room, code, seats.has(room)),
      forgetSent: tell("forget sent"),
      pump: tell("pump"),
    },
    readMarks: { forget() {} },
    refused: (/** @type {string} */ room, /** @type {any} */ { code }) => tell("refused")(room, code),
    statusChanged() {},
  };
  const memberships = new Memberships(parts);
  const given = (/** @type {string} */ name) => told.filter((one) => one[0] === name).map((one) => one.slice(1));
  return { memberships, parts, answer, given };
}

test("while a room is being quit nothing goes out that would bring it back", async () => {
  const { memberships, answer, given } = kit();
  void memberships.join("42").catch(() => undefined);
  const quitting = memberships.quit("42");
  assert.equal(memberships.isOpen("42"), false);
  memberships.lost("42");
  assert.deepEqual(given("need"), []);
  answer.resolve({ ok: true });
  await quitting;
  // The seat is gone first: nothing may be sent in between.
  assert.deepEqual(given("give up"), [["42", "ended", false]]);
});

test("a quit that fails leaves the room as it was, and what waits goes on", async () => {
  const { memberships, answer, given } = kit();
  void memberships.join("42");
  const quitting = memberships.quit("42");
  answer.reject(new ChatRequestError("interrupted", "", { temporary: true }));
  await assert.rejects(quitting, { code: "interrupted" });
  assert.equal(memberships.isOpen("42"), true);
  assert.deepEqual(given("give up"), []);
  assert.deepEqual(given("pump"), [["42"]]);
});

for (const [what, code, end] of /** @type {[string, string, (memberships: Memberships) => void][]} */ ([
  ["that may not be attended", "forbidden", (one) => one.refused("42", new ChatRequestError("forbidden", "No."))],
  ["that was quit elsewhere", "ended", (one) => one.ended("42")],
])) {
  test(`what waits for a room ${what} is given up`, async () => {
    const { memberships, given } = kit();
    const joined = memberships.join("42");
    end(memberships);
    await assert.rejects(joined, { code });
    assert.deepEqual(given("give up"), [["42", code, false]]);
    assert.deepEqual(given("refused"), [["42", code]]);
  });
}

test("a room that is only left keeps what waits; what was acknowledged is done with", async () => {
  const { memberships, answer, given } = kit();
  void memberships.join("42").catch(() => undefined);
  answer.resolve({ ok: true });
  await memberships.leave("42");
  await settled();
  assert.deepEqual(given("give up"), []);
  assert.deepEqual(given("forget sent"), [["42"]]);
});
