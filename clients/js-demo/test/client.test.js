import assert from "node:assert/strict";
import { test } from "node:test";
import { ChatroomClient, MemoryOutboxStorage } from "../src/chatroom-client.js";
import { deferred } from "./kit.js";

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
  const storage = new MemoryOutboxStorage();
  const { promise, resolve } = deferred();
  storage.load = () => promise;
  const chat = new ChatroomClient({ ...nowhere, storage });
  const connecting = chat.connect();
  assert.equal(chat.status.state, "connecting");
  chat.close();
  resolve([]);
  await connecting;
  assert.equal(chat.status.state, "closed");
  assert.equal(chat.connection.socket.active, false);
});
