import assert from "node:assert/strict";
import { test } from "node:test";
import { Incoming } from "../dist/rooms/incoming.js";
import { RoomState } from "../dist/rooms/room-state.js";
import { Rooms } from "../dist/rooms/rooms.js";
import { joinAck, message } from "./kit.js";

test("between a reload and the ack, marks of the new past are not mixed with those of the old", () => {
  const rooms = new Rooms();
  const state = new RoomState("42", "ann");
  rooms.add(state);
  /** @type {string[]} */
  const told = [];
  const nothing = () => {};
  const incoming = new Incoming(/** @type {any} */ ({
    user: "ann",
    rooms,
    attendance: { need: nothing, attends: () => false },
    outbox: { seen: nothing, forgetSent: nothing },
    readMarks: { known: nothing, want: nothing, forget: nothing },
    names: { seen() {}, async want() {} },
    emit: (/** @type {string} */ name) => told.push(name),
    statusChanged: nothing,
  }));
  incoming.joined(state, joinAck([message(1), message(2)]));
  incoming.event("reload", { room: "42" });
  told.length = 0;
  incoming.event("read", { room: "42", user: "ben", lastReadMessage: 3 });
  incoming.event("state", { room: "42", reads: { ben: 3 }, online: [] });
  incoming.event("presence", { room: "42", user: "cem", online: true });
  assert.deepEqual(told, []);
  incoming.joined(state, joinAck([message(1)]));
  assert.deepEqual([...(state.reads ?? [])], [["ann", 0], ["ben", 1]]);
  incoming.event("read", { room: "42", user: "ann", lastReadMessage: 1 });
  assert.equal(state.reads?.get("ann"), 1);
  told.length = 0;
  incoming.event("member_count", { room: "42", memberCount: 5000 });
  assert.deepEqual([state.memberCount, told], [5000, ["presence"]]);
});
