import assert from "node:assert/strict";
import { test } from "node:test";
import { Connection } from "../src/chatroom/connection.js";
import { Emitter } from "../src/chatroom/emitter.js";
import { newClientId, readClaims } from "../src/chatroom/ids.js";
import { settled } from "./kit.js";

/** A socket that does what the test says; the real one is used in tests/client. */
function fakeSocket() {
  const emitter = new Emitter();
  const manager = new Emitter();
  /** @type {any} */
  const settings = {};
  const setter = (/** @type {string} */ name) => (/** @type {any} */ value) => void (settings[name] = value);
  const io = Object.assign(manager, {
    reconnectionDelay: setter("delay"),
    reconnectionDelayMax: setter("delayMax"),
    randomizationFactor: setter("jitter"),
    timeout: setter("timeout"),
    engine: { close: () => void (settings.closes = (settings.closes ?? 0) + 1) },
  });
  /** @type {any} */
  const socket = {
    io, settings, connected: false, active: false, connects: 0, sent: [],
    on: (/** @type {string} */ name, /** @type {any} */ listener) => emitter.on(name, listener),
    onAny() {},
    connect() {
      this.connects += 1;
      this.active = true;
    },
    disconnect() {},
    timeout: () => ({
      emit: (/** @type {string} */ name, /** @type {any} */ payload, /** @type {any} */ ack) => {
        socket.sent.push([name, payload]);
        ack(null, { ok: true });
      },
    }),
    come() {
      this.connected = this.active = true;
      emitter.emit("connect");
    },
    end(/** @type {string} */ reason) {
      this.connected = false;
      this.active = !reason.startsWith("io ");
      emitter.emit("disconnect", reason);
    },
    refuse(/** @type {any} */ data) {
      this.active = data === undefined;
      emitter.emit("connect_error", Object.assign(new Error("refused"), { data }));
    },
    hear: (/** @type {string} */ name, /** @type {any} */ payload) => emitter.emit(name, payload),
  };
  return socket;
}

function kit(/** @type {any} */ t, /** @type {object} */ options = {}) {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const socket = fakeSocket();
  /** @type {string[]} */
  const states = [];
  const wiring = { changed: () => states.push(connection.state), connected() {}, disconnected() {}, event() {} };
  const connect = /** @type {any} */ (() => socket);
  /** @type {Connection} */
  const connection = new Connection({ auth: { token: "old" }, ...options }, wiring, connect);
  return { connection, socket, states };
}

const unauthorized = { code: "unauthorized", message: "No.", temporary: false };

test("the states tell what happens", (t) => {
  const { connection, socket, states } = kit(t);
  connection.connect();
  socket.come();
  socket.end("transport close");
  socket.come();
  assert.deepEqual(states, ["connecting", "online", "reconnecting", "online"]);
});

test("an attempt that is swallowed ends soon; a slow line is given more time each time", (t) => {
  const { connection, socket } = kit(t);
  connection.connect();
  const deadlines = [];
  for (let attempt = 1; attempt <= 5; attempt += 1) {
    socket.io.emit("error", new Error("timeout"));
    socket.io.emit("reconnect_attempt", attempt);
    deadlines.push(socket.settings.timeout);
  }
  assert.deepEqual(deadlines, [8_000, 16_000, 20_000, 20_000, 20_000]);
  socket.come();
  socket.end("transport close");
  socket.io.emit("reconnect_attempt", 1);
  assert.equal(socket.settings.timeout, 4_000);
});

test("a transport whose namespace is never accepted is given up", (t) => {
  const { connection, socket } = kit(t);
  connection.connect();
  socket.io.emit("open");
  t.mock.timers.tick(3_999);
  assert.equal(socket.settings.closes, undefined);
  t.mock.timers.tick(1);
  assert.equal(socket.settings.closes, 1);
  socket.io.emit("open");
  t.mock.timers.tick(7_999);
  assert.equal(socket.settings.closes, 1);
  socket.come();
  t.mock.timers.tick(1);
  assert.equal(socket.settings.closes, 1);
});

test("a token that is refused ends the attempts until there is another", async (t) => {
  const { connection, socket } = kit(t);
  connection.connect();
  socket.refuse(unauthorized);
  t.mock.timers.tick(600_000);
  await settled();
  assert.equal(connection.state, "unauthorized");
  assert.equal(socket.connects, 1);
  await connection.setToken("new");
  assert.equal(socket.connects, 2);
  assert.deepEqual(connection.auth, { token: "new" });
});

test("the application is asked for a token once; a second refusal ends it", async (t) => {
  /** @type {string[]} */
  const reasons = [];
  const getToken = async (/** @type {string} */ reason) => `token ${reasons.push(reason)}`;
  const { connection, socket } = kit(t, { getToken });
  connection.connect();
  socket.refuse(unauthorized);
  await settled();
  assert.equal(socket.connects, 2);
  socket.refuse(unauthorized);
  await settled();
  assert.deepEqual(reasons, ["refused"]);
  assert.equal(connection.state, "unauthorized");
});

test("a refusal that is temporary is tried again, not before the server said", (t) => {
  const { connection, socket } = kit(t);
  connection.connect();
  socket.refuse({ code: "unavailable", message: "", temporary: true, retryAfter: 3_000 });
  assert.equal(connection.state, "reconnecting");
  t.mock.timers.tick(2_999);
  assert.equal(socket.connects, 1);
  t.mock.timers.tick(1);
  assert.equal(socket.connects, 2);
});

test("a session that expires goes on with a new token once the server has closed it", async (t) => {
  const { connection, socket } = kit(t, { getToken: async () => "new" });
  connection.connect();
  socket.come();
  socket.hear("token_expired", { code: "unauthorized" });
  await settled();
  socket.end("io server disconnect");
  assert.equal(socket.connects, 2);
  socket.come();
  assert.equal(connection.state, "online");
});

test("a token is renewed before it expires, on the live session", async (t) => {
  const claims = Buffer.from(JSON.stringify({ sub: "ann", exp: 600 })).toString("base64url");
  const { connection, socket } = kit(t, { auth: { token: `h.${claims}.s` }, getToken: async () => "new" });
  connection.connect();
  socket.come();
  t.mock.timers.tick(539_000);
  await settled();
  assert.deepEqual(socket.sent, []);
  t.mock.timers.tick(1_000);
  await settled();
  assert.deepEqual(socket.sent, [["refresh", { token: "new" }]]);
  connection.close();
});

test("after closing the next attempt waits as long as the server asked, the later ones do not", (t) => {
  const { connection, socket } = kit(t);
  connection.connect();
  socket.come();
  socket.hear("closing", { reason: "drain", retryAfter: 7_000 });
  assert.deepEqual(socket.settings, { delay: 7_000, delayMax: 7_000, jitter: 0 });
  socket.io.emit("reconnect_attempt");
  assert.deepEqual(socket.settings, { delay: 500, delayMax: 5_000, jitter: 0.5, timeout: 4_000 });
});

test("whoever is removed does not come back by itself", (t) => {
  const { connection, socket } = kit(t);
  connection.connect();
  socket.come();
  socket.hear("kicked", { reason: "banned" });
  socket.end("io server disconnect");
  t.mock.timers.tick(600_000);
  assert.equal(connection.state, "kicked");
  assert.equal(socket.connects, 1);
});

test("a clientId is one that the server takes, also without a secure context", (t) => {
  t.mock.method(crypto, "randomUUID", undefined);
  const id = newClientId();
  assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.notEqual(id, newClientId());
});

test("claims are read from a token, and from anything else none", () => {
  const claims = Buffer.from(JSON.stringify({ sub: "Jürgen" })).toString("base64url");
  assert.deepEqual(readClaims(`h.${claims}.s`), { sub: "Jürgen" });
  for (const token of ["", "a.b.c", "x"]) assert.deepEqual(readClaims(token), {});
});
