import assert from "node:assert/strict";
import { test } from "node:test";
import { kit } from "./fake-socket.js";

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

/** A page's surroundings. */
function page(/** @type {any} */ t) {
  const all = /** @type {any} */ (globalThis);
  const window = new EventTarget();
  const document = Object.assign(new EventTarget(), { hidden: false });
  all.addEventListener = window.addEventListener.bind(window);
  all.document = document;
  t.after(() => {
    delete all.addEventListener;
    delete all.document;
  });
  return {
    show: (/** @type {boolean} */ isShown) => {
      document.hidden = !isShown;
      document.dispatchEvent(new Event("visibilitychange"));
    },
    hear: (/** @type {string} */ name) => window.dispatchEvent(new Event(name)),
  };
}

/** The clock goes on, the timers do not. */
const sleep = (/** @type {any} */ t, /** @type {number} */ ms) => t.mock.timers.setTime(Date.now() + ms);

for (const [what, wake] of /** @type {[string, (seen: any) => void][]} */ ([
  ["looked at", (seen) => seen.show(true)],
  ["restored", (seen) => seen.hear("pageshow")],
  ["told of a network", (seen) => seen.hear("online")],
])) {
  test(`a page that is ${what} after a sleep leaves its dead line at once`, (t) => {
    const seen = page(t);
    const { connection, socket, states } = kit(t);
    connection.connect();
    socket.come();
    seen.show(false);
    sleep(t, 46_000);
    assert.equal(socket.connects, 1);
    wake(seen);
    assert.equal(socket.connects, 2);
    assert.equal(states.at(-1), "reconnecting");
    socket.come();
    wake(seen);
    assert.equal(socket.connects, 2);
  });
}

test("a page that is looked at again keeps a line on which the server was heard", (t) => {
  const seen = page(t);
  const { connection, socket } = kit(t);
  connection.connect();
  socket.come();
  sleep(t, 30_000);
  socket.io.emit("ping", undefined);
  sleep(t, 44_000);
  seen.show(true);
  assert.equal(socket.connects, 1);
  assert.equal(connection.state, "online");
});

test("what was said to a dead line is not said again before the rooms are attended", (t) => {
  const { connection, socket } = kit(t);
  connection.connect();
  socket.come();
  // socket.io-client noticed the silence and holds it back for the next connection.
  socket.sendBuffer.push({ data: ["send"] });
  socket.end("ping timeout");
  assert.deepEqual(socket.sendBuffer, []);
});

test("the state is told before what an earlier page left is read", (t) => {
  const { connection, socket, states } = kit(t);
  connection.prepare();
  connection.connect();
  assert.deepEqual(states, ["connecting"]);
  assert.equal(socket.connects, 1);
});
