import assert from "node:assert/strict";
import { test } from "node:test";
import { Emitter } from "../dist/emitter.js";
import { Silence } from "../dist/connection/silence.js";
import { fakeEngine } from "./fake-socket.js";

test("the server's own word, on any attempt, says how long it may be silent", async (t) => {
  t.mock.timers.enable({ apis: ["Date"] });
  const manager = Object.assign(new Emitter(), { engine: fakeEngine() });
  const silence = new Silence(/** @type {any} */ (manager));
  manager.emit("reconnect_attempt", 1);
  manager.engine = fakeEngine();
  await null;
  t.mock.timers.setTime(1_000_000);
  assert.equal(silence.isTooLong, false);
  manager.engine.emit("handshake", { pingInterval: 100_000, pingTimeout: 20_000 });
  t.mock.timers.setTime(1_120_000);
  assert.equal(silence.isTooLong, false);
  t.mock.timers.setTime(1_120_001);
  assert.equal(silence.isTooLong, true);
  manager.emit("ping", undefined);
  assert.equal(silence.isTooLong, false);
});
