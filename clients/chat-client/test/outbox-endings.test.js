import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { ChatRequestError } from "../dist/connection/errors.js";
import { Outbox } from "../dist/outbox/outbox.js";
import { StatusView } from "../dist/connection/status.js";
import { MemoryOutboxStorage, deferred, settled } from "./kit.js";

/** An outbox whose sends are answered when the test says so. */
function kit({ storage = new MemoryOutboxStorage(), cursor = 0 } = {}) {
  /** @type {{payload: any, resolve: (ack: any) => void, reject: (error: any) => void}[]} */
  const sent = [];
  const world = { isReady: true, now: 1_000_000, cursor };
  const box = new Outbox({
    newId: randomUUID,
    storage,
    send: (payload) => {
      const { promise, resolve, reject } = deferred();
      sent.push({ payload, resolve, reject });
      return promise;
    },
    isReady: () => world.isReady,
    rejoin: () => {},
    isPast: (_room, offset) => offset <= world.cursor,
    changed: (item) => status.outboxChanged(item),
    now: () => world.now,
  });
  const connection = /** @type {any} */ ({ state: "online", error: null });
  const attendance = /** @type {any} */ ({ isComplete: true });
  const status = new StatusView({ connection, attendance, outbox: box });
  return { box, sent, storage, world, status };
}

const ended = new ChatRequestError("ended", "The room was left.");
const timeout = new ChatRequestError("timeout", "No answer.", { temporary: true });
const steps = (/** @type {Outbox} */ box) => box.in("42").map(({ text, step }) => [text, step]);

test("a message that the room has had for long leaves with its ack: no broadcast will come", async () => {
  const { box, sent } = kit({ cursor: 60 });
  box.add("42", { text: "old" });
  box.add("42", { text: "next" });
  await settled();
  sent[0].resolve({ ok: true, message: 1, offset: 1, duplicate: true });
  await settled();
  assert.deepEqual(steps(box), [["next", "sending"]]);
  sent[1].resolve({ ok: true, message: 61, offset: 61 });
  await settled();
  assert.deepEqual(steps(box), [["next", "sent"]]);
});

test("what waits for a room that was left for good is the user's to decide", async () => {
  const { box, sent, storage, world, status } = kit();
  for (const text of ["a", "b"]) box.add("42", { text });
  box.add("43", { text: "elsewhere" });
  await settled();
  world.isReady = false;
  box.giveUp("42", ended);
  assert.deepEqual(steps(box), [["a", "failed"], ["b", "failed"]]);
  assert.deepEqual(box.rooms, ["43"]);
  sent[0].reject(new ChatRequestError("not_attending", "Join first."));
  await settled();
  assert.deepEqual(steps(box), [["a", "failed"], ["b", "failed"]]);
  const { sending, failed } = status.now;
  assert.deepEqual({ sending, failed }, { sending: 1, failed: 2 });
  // A reload does not want the room again.
  const after = kit({ storage }).box;
  await after.load();
  assert.deepEqual(after.rooms, ["43"]);
});

test("a pause of a room that was left for good ends with it", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { box, sent } = kit();
  box.add("42", { text: "a" });
  await settled();
  sent[0].reject(timeout);
  await settled();
  box.giveUp("42", ended);
  t.mock.timers.tick(60_000);
  await settled();
  assert.equal(sent.length, 1);
  const [{ clientId }] = box.in("42");
  box.retry(clientId);
  await settled();
  assert.equal(sent[1].payload.clientId, clientId);
});

test("an error of an attempt before the user's own does not count", async () => {
  const { box, sent } = kit();
  const { clientId } = box.add("42", { text: "a" });
  await settled();
  box.giveUp("42", ended);
  box.retry(clientId);
  await settled();
  sent[0].reject(new ChatRequestError("forbidden", "No."));
  await settled();
  assert.deepEqual(steps(box), [["a", "sending"]]);
});

test("a message that was sent before the room was left for good is not told as failed", async () => {
  const { box, sent, world } = kit();
  box.add("42", { text: "a" });
  await settled();
  box.giveUp("42", ended);
  world.cursor = Infinity;
  sent[0].resolve({ ok: true, message: 1, offset: 1 });
  await settled();
  assert.deepEqual(steps(box), []);
});

test("trouble ends when the message is seen although its ack was lost", async () => {
  const { box, sent, storage, status } = kit();
  const item = box.add("42", { text: "a" });
  await settled();
  sent[0].reject(timeout);
  await settled();
  assert.equal(status.now.trouble?.code, "timeout");
  box.seen(item.clientId, 7);
  assert.deepEqual([item.step, item.message, item.error], ["sent", 7, undefined]);
  assert.deepEqual(steps(box), []);
  await settled();
  assert.deepEqual(await storage.load(), []);
  box.add("42", { text: "b" });
  assert.equal(status.now.trouble, null);
  box.close();
});

test("trouble ends with the last message that waits", async () => {
  const { box, sent, status, world } = kit();
  box.add("42", { text: "a" });
  await settled();
  sent[0].reject(timeout);
  await settled();
  world.isReady = false;
  box.giveUp("42", ended);
  box.add("43", { text: "b" });
  assert.equal(status.now.trouble, null);
});

test("the order of writing survives a clock that is put back and a reload", async () => {
  const { box, storage, world } = kit();
  world.isReady = false;
  box.add("42", { text: "first" });
  world.now -= 120_000;
  box.add("42", { text: "second" });
  await settled();
  const after = kit({ storage });
  after.world.isReady = false;
  after.world.now = world.now;
  await after.box.load();
  after.box.add("42", { text: "third" });
  await settled();
  const again = kit({ storage }).box;
  await again.load();
  assert.deepEqual(again.in("42").map(({ text }) => text), ["first", "second", "third"]);
});

test("a storage that becomes full leaves nothing behind that would be sent again", async () => {
  const { box, sent, storage, world } = kit();
  world.isReady = false;
  const item = box.add("42", { text: "a" });
  await settled();
  storage.put = () => Promise.reject(new Error("quota"));
  world.isReady = true;
  box.resume("42");
  await settled();
  assert.equal(item.isKept, false);
  sent[0].resolve({ ok: true, message: 1, offset: 1 });
  await settled();
  assert.deepEqual(await storage.load(), []);
});

test("what was acknowledged in a room that was left is not kept for ever", async () => {
  const { box, sent } = kit();
  box.add("42", { text: "a" });
  await settled();
  sent[0].resolve({ ok: true, message: 1, offset: 1 });
  await settled();
  box.forgetSent("42");
  assert.deepEqual(steps(box), []);
});

test("a message that is discarded while it is written down again is not there after a reload", async () => {
  const { box, storage, world } = kit();
  world.isReady = false;
  const { clientId } = box.add("42", { image: new Uint8Array([1]) });
  await settled();
  // Its bytes are written again with the outcome, for it was never tried.
  const { promise, resolve } = deferred();
  const put = storage.put.bind(storage);
  storage.put = (item) => promise.then(() => put(item));
  box.giveUp("42", ended);
  box.discard(clientId);
  resolve(undefined);
  await settled();
  assert.deepEqual(await storage.load(), []);
});
