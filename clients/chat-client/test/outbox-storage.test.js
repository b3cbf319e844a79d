import assert from "node:assert/strict";
import { test } from "node:test";
import { WebOutboxStorage, defaultStorage } from "../dist/outbox/storage.js";
import { deferred } from "./kit.js";

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
  const all = [new Uint8Array([1, 2, 3]), new Uint8Array([4])];
  await storage.put(item({ type: "image", images: all }));
  assert.deepEqual((await storage.load())[0].images, all);
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

for (const [what, given] of /** @type {const} */ ([["no", undefined], ["null for a", null]])) {
  test(`with ${what} localStorage a message lasts as long as the page, and says so`, async (t) => {
    const all = /** @type {any} */ (globalThis);
    const before = Object.getOwnPropertyDescriptor(all, "localStorage");
    delete all.localStorage;
    if (given === null) all.localStorage = null;
    t.after(() => {
      delete all.localStorage;
      if (before) Object.defineProperty(all, "localStorage", before);
    });
    const storage = defaultStorage("ann");
    assert.deepEqual(await storage.load(), []);
    await assert.rejects(storage.put(item({ text: "hi" })));
    await storage.remove("c1");
  });
}

test("a user whose name begins another's does not see the other's outbox", async () => {
  const web = webStorage();
  const lee = new WebOutboxStorage("https://chat.example Ann Lee", { web });
  await lee.put(item({ text: "for one room only" }));
  web.setItem(`${lee.prefix}broken`, "{");
  const ann = new WebOutboxStorage("https://chat.example Ann", { web });
  assert.deepEqual(await ann.load(), []);
  assert.equal(Object.keys(web).length, 2);
  assert.deepEqual(await lee.load(), [item({ text: "for one room only" })]);
});

test("the bytes that an older page kept of an image are those of one", async () => {
  const web = webStorage();
  const images = imageStore();
  const storage = new WebOutboxStorage("ann", { web, images: /** @type {any} */ (images) });
  await storage.put(item({ type: "image", images: [new Uint8Array([1])] }));
  images.held.set("c1", new Uint8Array([1, 2, 3]));
  assert.deepEqual((await storage.load())[0].images, [new Uint8Array([1, 2, 3])]);
});

test("an image's entry is there for other tabs only once its bytes are", async () => {
  const web = webStorage();
  const images = imageStore();
  const { promise, resolve } = deferred();
  const put = images.put;
  images.put = (key, bytes) => promise.then(() => put(key, bytes));
  const parts = { web, images: /** @type {any} */ (images) };
  const all = [new Uint8Array([1, 2, 3])];
  const writing = new WebOutboxStorage("ann", parts).put(item({ type: "image", images: all }));
  assert.deepEqual(await new WebOutboxStorage("ann", parts).load(), []);
  resolve(undefined);
  await writing;
  assert.deepEqual((await new WebOutboxStorage("ann", parts).load())[0].images, all);
});

test("of an image that cannot be kept nothing is", async () => {
  const web = webStorage();
  const images = imageStore();
  const storage = new WebOutboxStorage("ann", { web, images: /** @type {any} */ (images) });
  const one = item({ type: "image", images: [new Uint8Array([1])] });
  const { put } = images;
  images.put = () => Promise.reject(new Error("quota"));
  await assert.rejects(storage.put(one));
  assert.deepEqual(Object.keys(web), []);
  images.put = put;
  Object.getPrototypeOf(web).setItem = () => {
    throw new Error("quota");
  };
  await assert.rejects(storage.put(one));
  assert.equal(images.held.size, 0);
});

test("a database that hangs is waited for once, not once an image", async () => {
  const web = webStorage();
  const images = imageStore();
  const storage = new WebOutboxStorage("ann", { web, images: /** @type {any} */ (images) });
  for (const clientId of ["a", "b", "c"]) {
    await storage.put(item({ clientId, type: "image", images: [new Uint8Array([1])] }));
  }
  const { promise, reject } = deferred();
  let asked = 0;
  images.get = () => ((asked += 1), promise);
  const loading = storage.load();
  assert.equal(asked, 3);
  reject(new Error("timeout"));
  assert.deepEqual((await loading).map((one) => one.images), [undefined, undefined, undefined]);
});
