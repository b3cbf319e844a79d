import assert from "node:assert/strict";
import { test } from "node:test";
import { Attendance } from "../dist/rooms/attendance.js";
import { ChatRequestError } from "../dist/connection/errors.js";
import { RoomState } from "../dist/rooms/room-state.js";
import { joinAck, message, settled } from "./kit.js";

/** Attendance wired to a server that answers when the test says so. */
function kit(/** @type {any} */ t) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  /** @type {{rooms: any[], timeoutMs: number, answer: (answers: any[]) => Promise<void>, fail: (error: any) => Promise<void>}[]} */
  const asked = [];
  /** @type {number[]} */
  const shown = [];
  /** @type {[string, string][]} */
  const refused = [];
  const world = { isOnline: true };
  const attendance = new Attendance({
    isOnline: () => world.isOnline,
    request: (_event, payload, { timeoutMs, onOk }) =>
      new Promise((resolve, reject) => {
        asked.push({
          timeoutMs,
          rooms: /** @type {any} */ (payload).rooms,
          answer: (rooms) => {
            onOk({ rooms });
            resolve(undefined);
            return settled();
          },
          fail: (error) => {
            reject(error);
            return settled();
          },
        });
      }),
    onJoined: (state, ack) => {
      const { applied } = state.applyJoin(ack);
      shown.push(...applied.map(([, one]) => one.message));
    },
    onRefused: (room, error) => refused.push([room, error.code]),
    onEvent: (_state, _name, one) => shown.push(one.message),
  });
  const state = new RoomState("42", "ann");
  const tick = async (ms = 0) => {
    t.mock.timers.tick(ms);
    await settled();
  };
  return { attendance, asked, shown, refused, state, tick, world };
}

test("all wanted rooms are asked for in one request, with their cursors", async (t) => {
  const { attendance, asked, state, tick } = kit(t);
  state.applyJoin(joinAck([message(1)]));
  attendance.add(state);
  attendance.add(new RoomState("43", "ann"));
  await tick();
  assert.deepEqual(asked[0].rooms, [{ room: "42", cursor: "1:u1" }, { room: "43" }]);
  assert.equal(asked.length, 1);
});

test("a hole is filled by one sync, and the event that showed it comes once", async (t) => {
  const { attendance, asked, shown, state, tick } = kit(t);
  attendance.add(state);
  await tick();
  await asked[0].answer([joinAck([message(1)])]);
  attendance.event("message", message(3));
  attendance.event("message", message(4));
  await tick();
  assert.deepEqual(asked[1].rooms, [{ room: "42", cursor: "1:u1" }]);
  const missed = [message(2), message(3), message(4)];
  await asked[1].answer([joinAck(missed, { recovered: true })]);
  attendance.event("message", message(5));
  assert.deepEqual(shown, [2, 3, 4, 5]);
  assert.equal(attendance.attends("42"), true);
});

test("what one answer does not hold is asked for at once, from where it ends", async (t) => {
  const { attendance, asked, shown, state, tick } = kit(t);
  state.applyJoin(joinAck([message(1)]));
  attendance.add(state);
  await tick();
  const part = { ...joinAck([message(2)], { recovered: true }), more: true };
  await asked[0].answer([part]);
  assert.equal(attendance.attends("42"), false);
  await tick();
  assert.deepEqual(asked[1].rooms, [{ room: "42", cursor: "2:u2" }]);
  await asked[1].answer([joinAck([message(3)], { recovered: true })]);
  assert.deepEqual(shown, [2, 3]);
  assert.equal(attendance.attends("42"), true);
});

test("an event of a past that was lost is not put into the one that is there", async (t) => {
  const { attendance, asked, shown, state, tick } = kit(t);
  attendance.add(state);
  await tick();
  await asked[0].answer([joinAck([message(1)])]);
  // 2 and 3 were lost with the server's newest data; 3 was on its way here.
  attendance.event("message", message(3, { uid: "lost" }));
  await tick();
  await asked[1].answer([joinAck([message(2)], { recovered: true })]);
  attendance.event("message", message(3, { uid: "new" }));
  assert.deepEqual(shown, [2, 3]);
  assert.equal(state.cursorText, "3:new");
});

test("a room is asked for again when a reload comes during its sync", async (t) => {
  const { attendance, asked, state, tick } = kit(t);
  attendance.add(state);
  await tick();
  attendance.need("42");
  await asked[0].answer([joinAck([message(1)])]);
  assert.equal(attendance.attends("42"), false);
  await tick();
  assert.equal(asked.length, 2);
});

test("a new connection asks for everything, and late answers of the old one are void", async (t) => {
  const { attendance, asked, state, tick } = kit(t);
  attendance.add(state);
  await tick();
  attendance.disconnected();
  attendance.connected();
  await tick();
  assert.equal(asked.length, 2);
  await asked[0].answer([joinAck([message(1)])]);
  assert.equal(state.cursor, null);
  await asked[1].answer([joinAck([message(1)])]);
  assert.equal(attendance.attends("42"), true);
});

test("a temporary failure is tried again, later each time", async (t) => {
  const { attendance, asked, state, tick } = kit(t);
  attendance.add(state);
  await tick();
  await asked[0].fail(new ChatRequestError("timeout", "", { temporary: true }));
  await tick(100);
  assert.equal(asked.length, 1);
  await tick(500);
  assert.equal(asked.length, 2);
  const error = { code: "unavailable", message: "", temporary: true, retryAfter: 2_000 };
  await asked[1].answer([{ ok: false, room: "42", error }]);
  await tick(1_999);
  assert.equal(asked.length, 2);
  await tick(1);
  assert.equal(asked.length, 3);
});

test("what is too large for a slow line is given more time, and asked for in smaller parts", async (t) => {
  const { attendance, asked, state, tick } = kit(t);
  const rooms = Array.from({ length: 30 }, (_, at) => `r${at}`);
  for (const room of rooms) attendance.add(new RoomState(room, "ann"));
  const timeout = new ChatRequestError("timeout", "", { temporary: true });
  await tick();
  await asked[0].fail(timeout);
  await tick(30_000);
  await asked[1].fail(timeout);
  // The line was taken for dead meanwhile: the next one is as slow.
  attendance.disconnected();
  attendance.connected();
  await tick();
  const seen = () => asked.map((one) => [one.timeoutMs, one.rooms.length]);
  assert.deepEqual(seen(), [[10_000, 30], [20_000, 25], [40_000, 12]]);
  while (!attendance.isComplete) {
    await asked.at(-1)?.answer((asked.at(-1)?.rooms ?? []).map(({ room }) => joinAck([], { room })));
    await tick();
  }
  attendance.add(state);
  await tick();
  assert.deepEqual(seen().slice(3), [[40_000, 12], [40_000, 6], [10_000, 1]]);
});

test("a room that is denied is given up; the others are there", async (t) => {
  const { attendance, asked, refused, state, tick } = kit(t);
  attendance.add(state);
  attendance.add(new RoomState("secret", "ann"));
  await tick();
  const error = { code: "forbidden", message: "No.", temporary: false };
  await asked[0].answer([joinAck([message(1)]), { ok: false, room: "secret", error }]);
  assert.deepEqual(refused, [["secret", "forbidden"]]);
  assert.equal(attendance.attends("42"), true);
  assert.equal(attendance.isComplete, true);
});

test("nothing is asked without a connection", async (t) => {
  const { attendance, asked, state, tick, world } = kit(t);
  world.isOnline = false;
  attendance.add(state);
  await tick(60_000);
  assert.equal(asked.length, 0);
});
