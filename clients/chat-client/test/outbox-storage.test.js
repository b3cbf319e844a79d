import assert from "node:assert/strict";
import { test } from "node:test";
import { KeptOutbox, outboxStorage } from "../dist/outbox/storage.js";
import { webPlatform, webTexts } from "chatroom-client/web";
import { ImageStore } from "../dist/web/images.js";
import { deferred, settled } from "./kit.js";

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
    set: async (/** @type {string} */ key, /** @type {any} */ bytes) => void held.set(key, bytes),
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
  void new KeptOutbox("ann", webTexts(web), null).put(item({ text: "hi" }));
  assert.deepEqual(await new KeptOutbox("ann", webTexts(web), null).load(), [item({ text: "hi" })]);
});

test("users do not see each other's outbox", async () => {
  const web = webStorage();
  await new KeptOutbox("ann", webTexts(web), null).put(item({ text: "hi" }));
  assert.deepEqual(await new KeptOutbox("ben", webTexts(web), null).load(), []);
});

test("an image's bytes come back, and go with it", async () => {
  const web = webStorage();
  const images = imageStore();
  const storage = new KeptOutbox("ann", webTexts(web), images);
  const all = [new Uint8Array([1, 2, 3]), new Uint8Array([4])];
  await storage.put(item({ type: "image", images: all }));
  assert.deepEqual((await storage.load())[0].images, all);
  await storage.remove("c1");
  assert.equal(await storage.has("c1"), false);
  assert.equal(images.held.size, 0);
});

test("an entry that is no message is removed instead of breaking the page", async () => {
  const web = webStorage();
  const storage = new KeptOutbox("ann", webTexts(web), null);
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
    const storage = outboxStorage("ann", webPlatform());
    assert.deepEqual(await storage.load(), []);
    await assert.rejects(storage.put(item({ text: "hi" })));
    await storage.remove("c1");
  });
}

test("a user whose name begins another's does not see the other's outbox", async () => {
  const web = webStorage();
  const lee = new KeptOutbox("https://chat.example Ann Lee", webTexts(web), null);
  await lee.put(item({ text: "for one room only" }));
  web.setItem(`${lee.prefix}broken`, "{");
  const ann = new KeptOutbox("https://chat.example Ann", webTexts(web), null);
  assert.deepEqual(await ann.load(), []);
  assert.equal(Object.keys(web).length, 2);
  assert.deepEqual(await lee.load(), [item({ text: "for one room only" })]);
});

test("an image's entry is there for other tabs only once its bytes are", async () => {
  const web = webStorage();
  const images = imageStore();
  const { promise, resolve } = deferred();
  const { set } = images;
  images.set = (key, bytes) => promise.then(() => set(key, bytes));
  const all = [new Uint8Array([1, 2, 3])];
  const writing = new KeptOutbox("ann", webTexts(web), images).put(item({ type: "image", images: all }));
  assert.deepEqual(await new KeptOutbox("ann", webTexts(web), images).load(), []);
  resolve(undefined);
  await writing;
  assert.deepEqual((await new KeptOutbox("ann", webTexts(web), images).load())[0].images, all);
});

test("of an image that cannot be kept nothing is", async () => {
  const web = webStorage();
  const images = imageStore();
  const storage = new KeptOutbox("ann", webTexts(web), images);
  const one = item({ type: "image", images: [new Uint8Array([1])] });
  const { set } = images;
  images.set = () => Promise.reject(new Error("quota"));
  await assert.rejects(storage.put(one));
  assert.deepEqual(Object.keys(web), []);
  images.set = set;
  Object.getPrototypeOf(web).setItem = () => {
    throw new Error("quota");
  };
  await assert.rejects(storage.put(one));
  assert.equal(images.held.size, 0);
});

test("a database that hangs is waited for once, not once an image", async () => {
  const web = webStorage();
  const images = imageStore();
  const storage = new KeptOutbox("ann", webTexts(web), images);
  for (const clientId of ["a", "b", "c"]) {
    await storage.put(item({ clientId, type: "image", images: [new Uint8Array([1])] }));
  }
  const { promise, reject } = deferred();
  let asked = 0;
  images.get = () => ((asked += 1), promise);
  const loading = storage.load();
  await settled();
  assert.equal(asked, 3);
  reject(new Error("timeout"));
  assert.deepEqual((await loading).map((one) => one.images), [undefined, undefined, undefined]);
});

test("the bytes that an older page kept of an image are those of one", async (t) => {
  const kept = new Uint8Array([1, 2, 3]);
  /** A database that answers once it was asked, as browsers do. */
  const later = (/** @type {any} */ request, /** @type {string} */ event, /** @type {any} */ result) => {
    queueMicrotask(() => {
      request.result = result;
      request[event]();
    });
    return request;
  };
  const transaction = () => {
    const running = /** @type {any} */ ({ objectStore: () => ({ get: () => ({ result: kept }) }) });
    return later(running, "oncomplete", undefined);
  };
  const all = /** @type {any} */ (globalThis);
  all.indexedDB = { open: () => later({}, "onsuccess", { transaction }) };
  t.after(() => delete all.indexedDB);
  assert.deepEqual(await new ImageStore().get("c1"), [kept]);
});
