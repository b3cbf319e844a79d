import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { beforeEach, test } from "node:test";
import { ChatRequestError } from "../dist/connection/errors.js";
import { MAX_BYTES, MAX_ITEMS, MESSAGE_BYTES, MESSAGE_IMAGES, Outbox } from "../dist/outbox/outbox.js";
import { MemoryOutboxStorage, deferred, settled } from "./kit.js";

/** @type {{payload: any, resolve: (ack?: any) => void, reject: (error: any) => void}[]} */
let sent;
/** @type {MemoryOutboxStorage} */
let storage;
let isReady = true;
let now = 0;
/** @type {string[]} */
let rejoined;
let number = 0;

beforeEach(() => {
  sent = [];
  storage = new MemoryOutboxStorage();
  isReady = true;
  now = 1_000_000;
  rejoined = [];
  number = 0;
});

function outbox() {
  return new Outbox({
    newId: randomUUID,
    storage,
    send: (payload) => {
      const { promise, resolve, reject } = deferred();
      const ack = () => resolve({ ok: true, message: (number += 1), offset: number });
      sent.push({ payload, resolve: ack, reject });
      return promise;
    },
    isReady: () => isReady,
    rejoin: (room) => rejoined.push(room),
    isPast: () => false,
    changed: () => {},
    now: () => now,
  });
}

const temporary = (code = "unavailable", retryAfter = 0) =>
  new ChatRequestError(code, "later", { temporary: true, retryAfter });
const texts = () => sent.map(({ payload }) => payload.text);

test("messages of a room go one by one, in the order they were written", async () => {
  const box = outbox();
  for (const text of ["a", "b", "c"]) box.add("42", { text });
  await settled();
  assert.deepEqual(texts(), ["a"]);
  sent[0].resolve();
  await settled();
  assert.deepEqual(texts(), ["a", "b"]);
  sent[1].resolve();
  await settled();
  assert.deepEqual(texts(), ["a", "b", "c"]);
});

test("rooms do not wait for each other", async () => {
  const box = outbox();
  box.add("42", { text: "a" });
  box.add("43", { text: "b" });
  await settled();
  assert.deepEqual(texts(), ["a", "b"]);
});

for (const code of ["unavailable", "unknown", "timeout", "rate_limited"]) {
  test(`after "${code}" the same clientId is sent again, before what follows`, async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const box = outbox();
    const { clientId } = box.add("42", { text: "a" });
    box.add("42", { text: "b" });
    await settled();
    sent[0].reject(temporary(code));
    await settled();
    assert.equal(sent.length, 1);
    t.mock.timers.tick(1_000);
    await settled();
    assert.deepEqual(texts(), ["a", "a"]);
    assert.equal(sent[1].payload.clientId, clientId);
    sent[1].resolve();
    await settled();
    assert.deepEqual(texts(), ["a", "a", "b"]);
  });
}

for (const code of ["offline", "interrupted"]) {
  test(`after "${code}" the next connection is waited for, and no longer`, async () => {
    const box = outbox();
    box.add("42", { text: "one" });
    await settled();
    sent[0].reject(temporary(code));
    await settled();
    assert.equal(sent.length, 1);
    box.resume("42");
    await settled();
    assert.equal(sent.length, 2);
    assert.equal(sent[1].payload.clientId, sent[0].payload.clientId);
  });
}

test("the server's retryAfter is waited for", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const box = outbox();
  box.add("42", { text: "a" });
  await settled();
  sent[0].reject(temporary("rate_limited", 9_000));
  await settled();
  t.mock.timers.tick(8_999);
  await settled();
  assert.equal(sent.length, 1);
  t.mock.timers.tick(1);
  await settled();
  assert.equal(sent.length, 2);
});

test("what the server will never take is kept for the user, and the next one goes", async () => {
  const box = outbox();
  const refused = box.add("42", { text: "a" });
  box.add("42", { text: "b" });
  await settled();
  sent[0].reject(new ChatRequestError("invalid", "Too long."));
  await settled();
  assert.equal(refused.step, "failed");
  assert.deepEqual(texts(), ["a", "b"]);
  assert.equal(box.counts.failed, 1);
  assert.equal((await storage.load()).find((one) => one.text === "a")?.step, "failed");
  assert.equal(box.discard(refused.clientId)?.text, "a");
  assert.equal(box.counts.failed, 0);
});

test("a failed message that is tried again keeps its clientId", async () => {
  const box = outbox();
  const { clientId } = box.add("42", { text: "a" });
  await settled();
  sent[0].reject(new ChatRequestError("forbidden", "No."));
  await settled();
  box.retry(clientId);
  await settled();
  assert.equal(sent[1].payload.clientId, clientId);
});

test("without a room that is attended nothing is sent; once it is, all is", async () => {
  isReady = false;
  const box = outbox();
  box.add("42", { text: "a" });
  await settled();
  assert.equal(sent.length, 0);
  isReady = true;
  box.resume("42");
  await settled();
  assert.deepEqual(texts(), ["a"]);
});

test("a message to a room that the server says is not attended waits for the rejoin", async () => {
  const box = outbox();
  box.add("42", { text: "a" });
  await settled();
  sent[0].reject(new ChatRequestError("not_attending", "Join first."));
  await settled();
  assert.deepEqual(rejoined, ["42"]);
  box.resume("42");
  await settled();
  assert.deepEqual(texts(), ["a", "a"]);
});

test("after a reload what is unsent goes out in its order, under its clientId", async () => {
  isReady = false;
  const before = outbox();
  const ids = ["a", "b"].map((text) => before.add("42", { text }).clientId);
  await settled();
  isReady = true;
  const after = outbox();
  await after.load();
  assert.deepEqual(after.rooms, ["42"]);
  after.resume("42");
  await settled();
  sent[0].resolve();
  await settled();
  assert.deepEqual(sent.map(({ payload }) => payload.clientId), ids);
});

test("what was acknowledged is not sent again after a reload", async () => {
  const before = outbox();
  before.add("42", { text: "a" });
  await settled();
  sent[0].resolve();
  await settled();
  const after = outbox();
  await after.load();
  assert.deepEqual(after.in("42"), []);
});

test("a message that is seen in the room needs no ack any more", async () => {
  const box = outbox();
  const { clientId } = box.add("42", { text: "a" });
  box.add("42", { text: "b" });
  await settled();
  box.seen(clientId, 1);
  await settled();
  assert.deepEqual(texts(), ["a", "b"]);
  sent[0].reject(temporary("timeout"));
  await settled();
  assert.deepEqual(box.in("42").map(({ text }) => text), ["b"]);
});

test("an acknowledged message stays in view until its broadcast comes", async () => {
  const box = outbox();
  const item = box.add("42", { text: "a" });
  await settled();
  sent[0].resolve();
  await settled();
  assert.equal(item.step, "sent");
  assert.deepEqual(box.counts, { sending: 0, failed: 0 });
  box.seen(item.clientId, 1);
  assert.deepEqual(box.in("42"), []);
});

test("a message tried longer ago than the server remembers is left to the user", async () => {
  const before = outbox();
  before.add("42", { text: "a" });
  await settled();
  now += 23.5 * 3_600_000;
  const after = outbox();
  await after.load();
  after.resume("42");
  await settled();
  assert.equal(sent.length, 1);
  assert.equal(after.in("42")[0].error?.code, "too_old");
});

test("a room that is lost while the storage is asked gets the message once it is back", async () => {
  isReady = false;
  const box = outbox();
  const { clientId } = box.add("42", { text: "a" });
  await settled();
  const { promise, resolve } = deferred();
  const has = storage.has.bind(storage);
  storage.has = () => promise;
  isReady = true;
  box.resume("42");
  box.resume("42");
  isReady = false;
  resolve(true);
  await settled();
  assert.equal(sent.length, 0);
  storage.has = has;
  isReady = true;
  box.resume("42");
  await settled();
  assert.deepEqual(sent.map(({ payload }) => payload.clientId), [clientId]);
});

test("a storage that cannot be asked keeps nothing from being sent", async () => {
  isReady = false;
  const box = outbox();
  box.add("42", { text: "a" });
  await settled();
  storage.has = () => Promise.reject(new Error("locked"));
  isReady = true;
  box.resume("42");
  await settled();
  assert.deepEqual(texts(), ["a"]);
});

test("what another tab has settled is not sent by this one", async () => {
  isReady = false;
  const box = outbox();
  const { clientId } = box.add("42", { text: "a" });
  await settled();
  await storage.remove(clientId);
  isReady = true;
  box.resume("42");
  await settled();
  assert.equal(sent.length, 0);
  assert.deepEqual(box.in("42"), []);
});

test("an image whose bytes are gone after a reload says so", async () => {
  await storage.put(/** @type {any} */ ({ clientId: "c", room: "42", at: 1, order: 1, type: "image", step: "waiting", attempts: 0 }));
  const box = outbox();
  await box.load();
  assert.equal(box.in("42")[0].error?.code, "image_lost");
});

test("several images are one message; one alone is sent as it was before", async () => {
  const box = outbox();
  const images = [1, 2, 3].map((byte) => new Uint8Array([byte]));
  box.add("42", { images, text: "An outing" });
  box.add("43", { images: [images[0]] });
  box.add("44", { image: images[1] });
  await settled();
  const [several, one, another] = sent.map(({ payload }) => payload);
  assert.deepEqual([several.type, several.text, several.images], ["image", "An outing", images]);
  assert.equal("image" in several, false);
  assert.deepEqual([one.image, one.images], [images[0], undefined]);
  assert.deepEqual([another.image, another.images], [images[1], undefined]);
});

test("a message that would end the connection is not taken", () => {
  const box = outbox();
  const large = { code: "too_large" };
  const one = new Uint8Array(1);
  assert.throws(() => box.add("42", { images: Array(MESSAGE_IMAGES + 1).fill(one) }), large);
  assert.throws(() => box.add("42", { images: [one, new Uint8Array(MESSAGE_BYTES)] }), large);
  assert.deepEqual(box.in("42"), []);
  box.add("42", { images: Array(MESSAGE_IMAGES).fill(one) });
});

test("which image was refused is known", async () => {
  const box = outbox();
  const item = box.add("42", { images: [new Uint8Array(1), new Uint8Array(2)] });
  await settled();
  const fields = { "images.1": ["Is no image."] };
  sent[0].reject(new ChatRequestError("invalid", "Image 2 of 2: no", { fields }));
  await settled();
  assert.deepEqual([item.step, item.error?.fields], ["failed", fields]);
});

test("the outbox is bounded in messages and bytes", () => {
  isReady = false;
  const box = outbox();
  const full = { code: "outbox_full" };
  assert.throws(() => box.add("42", { image: new Uint8Array(MAX_BYTES + 1) }), full);
  for (let at = 0; at < MAX_ITEMS; at += 1) box.add("42", { text: "a" });
  assert.throws(() => box.add("42", { text: "a" }), full);
});

test("a storage that is full does not keep a message from being sent", async () => {
  storage.put = () => Promise.reject(new Error("quota"));
  const box = outbox();
  const item = box.add("42", { text: "a" });
  await settled();
  assert.equal(item.isKept, false);
  assert.deepEqual(texts(), ["a"]);
});
