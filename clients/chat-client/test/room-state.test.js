import assert from "node:assert/strict";
import { test } from "node:test";
import { formatCursor, parseCursor } from "../dist/rooms/cursor.js";
import { RoomState } from "../dist/rooms/room-state.js";
import { joinAck, message } from "./kit.js";

function joined(count = 3, keep = 100) {
  const state = new RoomState("42", "ann", keep);
  const messages = Array.from({ length: count }, (_, at) => message(at + 1));
  state.applyJoin(joinAck(messages));
  return state;
}

const numbers = (/** @type {RoomState} */ state) => state.messages.map((one) => one.message);

test("a cursor survives its text form, and what is none is null", () => {
  assert.deepEqual(parseCursor("57:k3:x"), { offset: 57, uid: "k3:x" });
  assert.equal(formatCursor({ offset: 0, uid: "" }), "0:");
  assert.deepEqual(parseCursor("0:"), { offset: 0, uid: "" });
  for (const text of ["", "57", "x:y", "-1:a", undefined, 7]) assert.equal(parseCursor(text), null);
});

test("an event at or below the cursor is known, whatever it says", () => {
  const state = joined(3);
  assert.equal(state.applyEvent("message", message(3)), "known");
  assert.equal(state.applyEvent("message", message(2, { uid: "other" })), "known");
  assert.deepEqual(numbers(state), [1, 2, 3]);
});

test("the next event is applied and moves the cursor", () => {
  const state = joined(3);
  assert.equal(state.applyEvent("message", message(4)), "applied");
  assert.equal(state.cursorText, "4:u4");
  assert.deepEqual(numbers(state), [1, 2, 3, 4]);
});

test("an event beyond the next one is a hole and changes nothing", () => {
  const state = joined(3);
  assert.equal(state.applyEvent("message", message(5)), "hole");
  assert.equal(state.cursorText, "3:u3");
  assert.deepEqual(numbers(state), [1, 2, 3]);
});

test("an event of an unknown name counts by its offset", () => {
  const state = joined(3);
  assert.equal(state.applyEvent("reacted", { offset: 4, uid: "u4", room: "42" }), "applied");
  assert.equal(state.applyEvent("message", message(5, { message: 4 })), "applied");
  assert.deepEqual(numbers(state), [1, 2, 3, 4]);
});

test("a recovered join adds what was missed, and only that", () => {
  const state = joined(3);
  const ack = joinAck([message(3), message(4), message(5)], { recovered: true });
  const { replaced, applied } = state.applyJoin(ack);
  assert.equal(replaced, false);
  assert.deepEqual(applied.map(([, one]) => one.message), [4, 5]);
  assert.equal(state.cursorText, "5:u5");
});

test("a join that is not recovered replaces all messages and the mark", () => {
  const state = joined(3);
  state.applyRead("ann", 3);
  const other = message(1, { uid: "z1", text: "another past" });
  const { replaced } = state.applyJoin(joinAck([other]));
  assert.equal(replaced, true);
  assert.deepEqual(state.messages, [other]);
  assert.equal(state.lastReadMessage, 0);
  assert.equal(state.unread, 1);
});

test("read marks never go back, and the number of those who have not read follows", () => {
  const state = joined(3);
  assert.equal(state.unreadBy(2), 1);
  assert.equal(state.applyRead("ann", 2), true);
  assert.equal(state.applyRead("ann", 1), false);
  assert.equal(state.lastReadMessage, 2);
  assert.equal(state.unreadBy(2), 0);
  assert.equal(state.unreadBy(3), 1);
  assert.equal(state.unread, 1);
});

test("who writes a message has read it", () => {
  const state = joined(3);
  state.applyEvent("message", message(4, { user: "ann" }));
  assert.equal(state.unread, 0);
  assert.equal(state.reads?.get("ann"), 4);
});

test("somebody new in the room has nothing unread", () => {
  const state = joined(3);
  state.applyPresence({ user: "cem", online: true });
  assert.equal(state.reads?.get("cem"), 3);
  assert.equal(state.memberCount, 3);
  assert.deepEqual([...(state.online ?? [])], ["ann", "cem"]);
});

test("a large room tells counts, and no number at the messages", () => {
  const state = new RoomState("42", "ann");
  const large = { reads: null, online: null, onlineCount: 900, memberCount: 5000 };
  state.applyJoin(joinAck([message(1)], large));
  state.applyPresence({ onlineCount: 901 });
  assert.equal(state.onlineCount, 901);
  assert.equal(state.unreadBy(1), null);
  assert.equal(state.applyRead("ann", 1), true);
});

test("a room that has grown large forgets names and marks that are told no more", () => {
  const state = joined(3);
  state.applyPresence({ onlineCount: 201 });
  assert.equal(state.online, null);
  assert.equal(state.unreadBy(3), null);
  assert.deepEqual([state.onlineCount, state.memberCount], [201, 201]);
  state.applyPresence({ user: "cem", online: false });
  assert.equal(state.onlineCount, 200);
  state.applyPresence({ user: "cem", online: true });
  assert.equal(state.onlineCount, 201);
});

test("what was read on another device during a gap is known by the state that follows", () => {
  const state = joined(3);
  state.applyStanding({ reads: { ann: 2, ben: 3 }, online: ["ann"] });
  assert.equal(state.unread, 1);
  state.applyStanding({ reads: { ann: 1, ben: 3 }, online: ["ann"] });
  assert.equal(state.unread, 1);
});

test("no more messages are held than allowed; older ones come back as history", () => {
  const state = joined(3, 4);
  for (const number of [4, 5, 6]) state.applyEvent("message", message(number));
  assert.deepEqual(numbers(state), [3, 4, 5, 6]);
  assert.equal(state.hasOlder, true);
  assert.equal(state.isFull, true);
});

test("a page of history goes before what is held, without doubles", () => {
  const state = new RoomState("42", "ann");
  state.applyJoin(joinAck([message(8), message(9)]));
  const page = { messages: [message(6), message(7), message(8)], more: true, firstAvailable: 5 };
  assert.equal(state.applyHistory(page), 2);
  assert.deepEqual(numbers(state), [6, 7, 8, 9]);
  assert.equal(state.hasOlder, true);
  state.applyHistory({ messages: [message(5)], more: false, firstAvailable: 5 });
  assert.equal(state.hasOlder, false);
  assert.equal(state.olderAreGone, true);
});

/** @param {number} offset @param {object} payload */
const of = (offset, payload) => ({ offset, uid: `u${offset}`, room: "42", message: 2, at: offset, ...payload });

test("an edit makes a new version and a deletion takes the content", () => {
  const state = joined(3);
  const before = state.messages[1];
  const edit = { user: "ben", text: "better", mentions: ["ann"], editedAt: 4, edits: 1 };
  state.applyEvent("message_edited", of(4, edit));
  assert.deepEqual(state.messages[1], { ...before, text: "better", mentions: ["ann"], editedAt: 4, edits: 1, rev: 4 });
  assert.equal(before.text, "text 2");
  state.applyEvent("message_deleted", of(5, { by: "cem" }));
  const { text, clientId, type, deleted, rev } = state.messages[1];
  assert.deepEqual([text, clientId, type, deleted?.by, rev], [undefined, undefined, "deleted", "cem", 5]);
  state.applyEvent("reaction", of(6, { user: "ann", key: "x", on: true, count: 1 }));
  assert.equal(state.messages[1].reactions, undefined, "nothing changes what was deleted");
});

test("reactions come as whole counts, and leave with the last one", () => {
  const state = joined(3);
  for (const [offset, key, count] of /** @type {[number, string, number][]} */ ([[4, "x", 1], [5, "y", 1], [6, "x", 2], [7, "y", 0]])) {
    state.applyEvent("reaction", of(offset, { user: "ann", key, on: count > 0, count }));
  }
  assert.deepEqual(state.messages[1].reactions, { x: 2 });
});

test("a change that a page of history knows already changes nothing", () => {
  const state = new RoomState("42", "ann");
  state.applyJoin(joinAck([message(3)]));
  const newer = message(2, { text: "newest", edits: 2, rev: 5 });
  state.applyHistory({ messages: [message(1), newer], more: false });
  state.applyEvent("message_edited", of(4, { user: "ben", text: "older", edits: 1 }));
  assert.deepEqual(state.messages[1], newer);
  state.applyEvent("message_edited", of(5, { user: "ben", text: "newest", edits: 2 }));
  assert.deepEqual(state.messages[1], newer);
  state.applyEvent("message_edited", of(6, { user: "ben", text: "last", edits: 3 }));
  assert.equal(state.messages[1].text, "last");
});

test("what was deleted is not unread, held or not, once each", () => {
  const state = new RoomState("42", "ann");
  state.applyJoin(joinAck([message(5, { type: "deleted" }), message(6)], { lastReadMessage: 1, unread: 3 }));
  assert.equal(state.unread, 3);
  state.applyEvent("message_deleted", of(7, { by: "ben", message: 6 }));
  assert.equal(state.unread, 2);
  state.applyEvent("message_deleted", of(8, { by: "ben", message: 6 }));
  state.applyEvent("message_deleted", of(9, { by: "ben", message: 4 }));
  assert.equal(state.unread, 1);
  const page = [message(2), message(3, { type: "deleted" }), message(4, { type: "deleted" })];
  state.applyHistory({ messages: page, more: false });
  assert.equal(state.unread, 1);
  state.applyRead("ann", 6);
  assert.equal(state.unread, 0);
});

test("pins are told by the join and by events; a deletion takes one off", () => {
  const state = new RoomState("42", "ann");
  state.applyJoin(joinAck([message(3)], { pins: [3, 1] }));
  state.applyEvent("pin", of(4, { on: true, by: "ben" }));
  state.applyEvent("pin", of(5, { message: 3, on: false, by: "ben" }));
  assert.deepEqual(state.pins, [1, 2]);
  state.applyEvent("message_deleted", of(6, { by: "ben" }));
  assert.deepEqual(state.pins, [1]);
});
