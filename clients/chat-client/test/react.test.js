import assert from "node:assert/strict";
import { test } from "node:test";
import { createElement } from "react";
import { act, create } from "react-test-renderer";
import { ChatroomClient } from "chatroom-client";
import { ChatProvider, useChat, useConnection, useDraft, useMembers, useRoom, useRooms, useTimeline, useTyping } from "chatroom-client/react";
import { joinAck, message } from "./kit.js";

/** @type {any} */ (globalThis).IS_REACT_ACT_ENVIRONMENT = true;
// The renderer says that it is deprecated, with every test.
console.error = () => undefined;

test("every hook shows what the client knows, and renders for nothing else", async (t) => {
  const chat = new ChatroomClient({ url: "http://127.0.0.1:1", auth: { user: "ann" } });
  t.after(() => chat.close());
  let isOnline = false;
  Object.defineProperty(chat.connection, "isOnline", { get: () => isOnline });
  const entry = { room: "42", name: "Answers", kind: "public", unread: 9, newest: null };
  chat.connection.request = /** @type {any} */ (
    async (/** @type {string} */ event, /** @type {any} */ payload, /** @type {any} */ { onOk } = {}) => {
      if (event === "sync") onOk?.({ rooms: payload.rooms.map(({ room }) => (room === "42" ? joinAck([message(1)]) : { room, ok: false, error: { code: "forbidden", message: "No." } })) });
      if (event === "rooms") return { rooms: [entry], more: false };
      return { users: [{ user: "ben", name: "Ben" }] };
    }
  );
  /** @type {any} */
  let seen;
  let renders = 0;
  function View(/** @type {{room: string}} */ { room }) {
    renders += 1;
    seen = {
      chat: useChat(), connection: useConnection(), rooms: useRooms(), room: useRoom(room), timeline: useTimeline(room),
      members: useMembers(room), typing: useTyping(room), draft: useDraft(room),
    };
    return null;
  }
  const page = (/** @type {string} */ room) => createElement(ChatProvider, { client: chat }, createElement(View, { room }));
  /** @type {any} */
  let rendered;
  await act(async () => void (rendered = create(page("42"))));
  assert.deepEqual([seen.room, seen.rooms, seen.timeline.entries], [{ view: null, error: null }, { rooms: null, error: null }, []]);
  assert.equal(seen.connection.state, "offline");

  await act(async () => {
    isOnline = true;
    chat.connection.state = "online";
    chat.connection.wiring.changed();
    chat.connection.wiring.connected();
    await chat.join("42");
  });
  assert.equal(seen.connection.state, "online");
  assert.deepEqual(seen.rooms.rooms, [{ room: "42", name: "Answers", kind: "public", unread: 1, newest: message(1) }]);
  assert.equal(seen.room.view.memberCount, 2);
  assert.deepEqual(seen.members, [{ user: "ann", name: "ann", isOnline: true }, { user: "ben", name: "Ben", isOnline: false }]);
  assert.deepEqual(seen.timeline.entries.map((/** @type {any} */ one) => one.message.text), ["text 1"]);

  const event = (/** @type {string} */ name, /** @type {any} */ payload) => act(async () => chat.connection.wiring.event(name, { room: "42", ...payload }));
  await event("typing", { user: "ben", on: true });
  assert.deepEqual(seen.typing[0], ["Ben"]);
  await event("message", message(2));
  assert.deepEqual([seen.typing[0], seen.room.view.unread, seen.timeline.entries.length], [[], 2, 2]);
  await event("presence", { user: "ben", online: true });
  assert.deepEqual(seen.members.map((/** @type {any} */ one) => one.isOnline), [true, true]);
  await act(async () => seen.draft[1]("written"));
  assert.equal(seen.draft[0], "written");

  const before = renders;
  await event("presence", { user: "ben", online: true });
  await act(async () => chat.drafts.set("another", "text"));
  assert.equal(renders, before);

  await act(async () => rendered.update(page("secret")));
  await act(async () => new Promise((done) => setTimeout(done, 5)));
  assert.equal(seen.room.error.code, "forbidden");
  await act(async () => rendered.update(page("42")));
  assert.deepEqual([seen.room.error, seen.room.view.unread], [null, 2]);

  await act(async () => rendered.unmount());
  const last = renders;
  await event("message", message(3));
  assert.equal(renders, last);
});
