// The app is started, writes without a network, is killed, and started again.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBase64, toBase64 } from "../dist/base64.js";
import { ChatroomClient } from "chatroom-client";
import { reactNativePlatform } from "chatroom-client/react-native";
import { settled } from "./kit.js";

/** What browsers have and React Native need not have. */
const GLOBALS = ["crypto", "navigator", "localStorage", "indexedDB", "atob", "btoa", "TextDecoder", "document", "window"];

/** A phone: its storage outlives the app; its modules answer later, as the real ones do. */
function phone(/** @type {any} */ t) {
  const all = /** @type {any} */ (globalThis);
  for (const name of GLOBALS) {
    const before = Object.getOwnPropertyDescriptor(all, name);
    if (!before) continue;
    Object.defineProperty(all, name, { value: undefined, configurable: true, writable: true });
    t.after(() => Object.defineProperty(all, name, before));
  }
  /** @type {Map<string, string>} */
  const held = new Map();
  const later = async (/** @type {any} */ value) => value;
  /** @type {Set<(state: any) => void>} */
  const nets = new Set();
  /** @type {Set<(state: string) => void>} */
  const apps = new Set();
  const modules = {
    AsyncStorage: {
      getItem: (/** @type {string} */ key) => later(held.get(key) ?? null),
      setItem: (/** @type {string} */ key, /** @type {string} */ value) => later(void held.set(key, value)),
      removeItem: (/** @type {string} */ key) => later(void held.delete(key)),
      getAllKeys: () => later([...held.keys()]),
    },
    AppState: {
      addEventListener: (/** @type {string} */ _name, /** @type {any} */ told) => {
        apps.add(told);
        return { remove: () => void apps.delete(told) };
      },
    },
    NetInfo: {
      addEventListener: (/** @type {any} */ told) => {
        nets.add(told);
        told({ isConnected: null });
        return () => void nets.delete(told);
      },
    },
  };
  const network = (/** @type {boolean} */ isConnected) => nets.forEach((told) => told({ isConnected }));
  return { modules, held, nets, apps, network };
}

/** Nobody listens there. */
function start(/** @type {any} */ t, /** @type {any} */ modules) {
  const chat = new ChatroomClient({
    url: "http://127.0.0.1:1",
    auth: { token: `h.${Buffer.from(JSON.stringify({ sub: "지민" })).toString("base64url")}.s` },
    platform: reactNativePlatform(modules),
  });
  t.after(() => chat.close());
  return chat;
}

test("what was written before the app was killed is there when it starts again, in order", async (t) => {
  const { modules, held, nets, apps } = phone(t);
  const first = start(t, modules);
  assert.equal(first.user, "지민");
  await first.connect();
  first.send("42", { text: "one" });
  first.send("42", { text: "two", images: [new Uint8Array([0, 255, 7]), new Uint8Array([1])] });
  const large = first.send("42", { image: new Uint8Array(2 ** 20 + 1) });
  await settled();
  assert.equal(large.isKept, false);
  first.close();
  assert.equal(nets.size + apps.size, 0);

  const second = start(t, modules);
  await second.connect();
  const [one, two, ...others] = second.outbox("42");
  assert.deepEqual([one.text, two.text, others], ["one", "two", []]);
  assert.deepEqual(two.images, [new Uint8Array([0, 255, 7]), new Uint8Array([1])]);
  assert.notEqual(one.clientId, two.clientId);
  for (const { clientId } of second.outbox("42")) second.discard(clientId);
  await settled();
  second.close();
  assert.deepEqual([...held.keys()], []);
});

test("the state is offline as soon as the phone says that it has no network", async (t) => {
  const { modules, network } = phone(t);
  const chat = start(t, modules);
  await chat.connect();
  network(false);
  assert.equal(chat.status.state, "offline");
  network(true);
  assert.equal(chat.status.state, "reconnecting");
});

test("what is being written is kept as soon as the app is looked at no more", async (t) => {
  const { modules, held, apps } = phone(t);
  const chat = start(t, modules);
  await chat.connect();
  chat.drafts.set("42", "half a sen");
  assert.equal(held.size, 0);
  apps.forEach((told) => told("background"));
  await settled();
  assert.deepEqual([...held.values()], ["half a sen"]);
});

test("bytes of any length pass through base64", () => {
  for (let length = 0; length < 20; length += 1) {
    const bytes = Uint8Array.from({ length }, (_, at) => at * 13 + 200);
    assert.deepEqual(fromBase64(toBase64(bytes)), bytes);
    assert.equal(toBase64(bytes), Buffer.from(bytes).toString("base64").replace(/=+$/, ""));
  }
  assert.throws(() => fromBase64("a b"), RangeError);
});
