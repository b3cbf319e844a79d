import assert from "node:assert/strict";
import { test } from "node:test";
import { WebOutboxStorage, defaultStorage } from "../src/chatroom/outbox-storage.js";

/** localStorage, as far as it is used. */
function webStorage() {
  const web = Object.create({
    getItem: (/** @type {string} */ key) => web[key] ?? null,
    setItem: (/** @type {string} */ key, /** @type {string} */ value) => void (web[key] = value),
    removeItem: (/** @type {string} */ key) => void delete web[key],
  });
  return web;
}

function imageStore() {
  const held = new Map();
  return {
    held,
    put: async (/** @type {string} */ key, /** @type {any} */ bytes) => void held.set(key, bytes),
    get: async (/** @type {string} */ key) => held.get(key),
    remove: async (/** @type {string} */ key) => void held.delete(key),
  };
}

/** @returns {any} */
const item = (/** @type {object} */ more) => ({
  clientId: "c1", room: "42", at: 1, order: 1, type: "text", step: "waiting", attempts: 0, ...more,
});

test("a text is kept the moment put is called", async () => {
  const web = webStorage();
  void new WebOutboxStorage("ann", { web }).put(item({ text: "hi" }));
  assert.deepEqual(await new WebOutboxStorage("ann", { web }).load(), [item({ text: "hi" })]);
});

test("users do not see each other's outbox", async () => {
  const web = webStorage();
  await new WebOutboxStorage("ann", { web }).put(item({ text: "hi" }));
  assert.deepEqual(await new WebOutboxStorage("ben", { web }).load(), []);
});

test("an image's bytes come back, and go with it", async () => {
  const web = webStorage();
  const images = imageStore();
  const storage = new WebOutboxStorage("ann", { web, images: /** @type {any} */ (images) });
  const image = new Uint8Array([1, 2, 3]);
  await storage.put(item({ type: "image", image }));
  assert.deepEqual((await storage.load())[0].image, image);
  await storage.remove("c1");
  assert.equal(storage.has("c1"), false);
  assert.equal(images.held.size, 0);
});

test("an entry that is no message is removed instead of breaking the page", async () => {
  const web = webStorage();
  const storage = new WebOutboxStorage("ann", { web });
  web.setItem(`${storage.prefix}x`, "{broken");
  web.setItem(`${storage.prefix}y`, '"text"');
  assert.deepEqual(await storage.load(), []);
  assert.deepEqual(Object.keys(web), []);
});

test("without localStorage the outbox lives in memory", async () => {
  const storage = defaultStorage("ann");
  await storage.put(item({ text: "hi" }));
  assert.equal((await storage.load()).length, 1);
});
