import assert from "node:assert/strict";
import { test } from "node:test";
import { ChatroomClient, MemoryTexts, plainPlatform } from "chatroom-client";
import { deferred, joinAck, message, settled } from "./kit.js";

/** Nobody listens there. */
const nowhere = { url: "http://127.0.0.1:1", auth: { user: "ann" } };

test("a join that waits when the client is closed is refused, and so is a later one", async () => {
  const chat = new ChatroomClient(nowhere);
  const joined = chat.join("42");
  chat.close();
  await assert.rejects(joined, { code: "closed" });
  await assert.rejects(chat.join("42"), { code: "closed" });
  await assert.rejects(chat.join("43"), { code: "closed" });
});

test("the state is told while the storage is being read, and closing then is final", async () => {
  const texts = new MemoryTexts();
  const { promise, resolve } = deferred();
  texts.keys = () => promise;
  const chat = new ChatroomClient({ ...nowhere, platform: { ...plainPlatform(), texts } });
  const connecting = chat.connect();
  assert.equal(chat.status.state, "connecting");
  chat.close();
  resolve([]);
  await connecting;
  assert.equal(chat.status.state, "closed");
  assert.equal(chat.connection.socket.active, false);
});

/** A client whose connection is there when the test says so; it answers `sync`. */
function kit(/** @type {any} */ t) {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const chat = new ChatroomClient(nowhere);
  t.after(() => chat.close());
  /** @type {any[]} */
  const asked = [];
  const world = { isOnline: false, ack: joinAck([]) };
  Object.defineProperty(chat.connection, "isOnline", { get: () => world.isOnline });
  chat.connection.request = async (event, payload, { onOk } = {}) => {
    asked.push([event, payload]);
    if (event === "sync") onOk?.({ rooms: [world.ack] });
  };
  const connect = async (/** @type {any} */ ack) => {
    world.isOnline = true;
    world.ack = ack;
    chat.connection.wiring.connected();
    await tick(0);
  };
  const disconnect = () => {
    world.isOnline = false;
    chat.connection.wiring.disconnected();
  };
  const tick = async (/** @type {number} */ ms) => {
    t.mock.timers.tick(ms);
    await settled();
  };
  const marks = () => asked.filter(([event]) => event === "mark_read").map(([, { message }]) => message);
  return { chat, connect, disconnect, marks, tick };
}

test("what was read while away is told once the room is there again", async (t) => {
  const { chat, connect, disconnect, marks, tick } = kit(t);
  void chat.join("42");
  await connect(joinAck([message(1), message(2)]));
  disconnect();
  chat.markRead("42", 2);
  await connect(joinAck([], { recovered: true, lastMessage: 2, lastReadMessage: 0 }));
  await tick(5_000);
  assert.deepEqual(marks(), [2]);
});

test("what was read in a past that was lost marks nothing in the one that is there", async (t) => {
  const { chat, connect, disconnect, marks, tick } = kit(t);
  void chat.join("42");
  await connect(joinAck([message(1), message(2), message(3)]));
  disconnect();
  chat.markRead("42", 3);
  await connect(joinAck([message(1), message(2, { uid: "new" }), message(3, { uid: "new" })]));
  await tick(5_000);
  assert.deepEqual(marks(), []);
  assert.equal(chat.room("42")?.unread, 3);
});
