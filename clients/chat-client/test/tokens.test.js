import assert from "node:assert/strict";
import { test } from "node:test";
import { ChatRequestError } from "../dist/connection/errors.js";
import { TokenRenewal } from "../dist/connection/token-renewal.js";
import { kit } from "./fake-socket.js";
import { settled } from "./kit.js";

const unauthorized = { code: "unauthorized", message: "No.", temporary: false };
const expired = { ...unauthorized, reason: "token_expired" };

/** A token that ends so many seconds after the mocked clock's beginning. */
function tokenUntil(/** @type {number} */ exp, name = "s") {
  const claims = Buffer.from(JSON.stringify({ sub: "ann", exp })).toString("base64url");
  return `h.${claims}.${name}`;
}

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

test("a hook that breaks is asked again: nobody has said no", async (t) => {
  let asked = 0;
  const getToken = async () => {
    asked += 1;
    if (asked < 3) throw new TypeError("Failed to fetch");
    return "new";
  };
  const { connection, socket } = kit(t, { getToken });
  connection.connect();
  socket.refuse(expired);
  await settled();
  assert.equal(asked, 1);
  t.mock.timers.tick(500);
  await settled();
  t.mock.timers.tick(1_000);
  await settled();
  assert.equal(asked, 3);
  socket.come();
  assert.equal(socket.presented, "new");
  assert.equal(connection.state, "online");
});

test("a hook that says null is not asked again", async (t) => {
  let asked = 0;
  const { connection, socket } = kit(t, { getToken: async () => void (asked += 1) ?? null });
  connection.connect();
  socket.refuse(expired);
  await settled();
  t.mock.timers.tick(600_000);
  await settled();
  assert.equal(asked, 1);
  assert.equal(connection.state, "unauthorized");
});

test("a replacement that expired before it arrived is replaced, with pauses", async (t) => {
  let asked = 0;
  const { connection, socket } = kit(t, { getToken: async () => `token ${(asked += 1)}` });
  connection.connect();
  for (let refusal = 1; refusal <= 6; refusal += 1) {
    socket.refuse(expired);
    await settled();
    assert.equal(asked, refusal === 1 ? 1 : refusal - 1);
    t.mock.timers.tick(20_000);
    await settled();
    assert.equal(asked, refusal);
  }
  socket.come();
  assert.equal(connection.state, "online");
});

test("a replacement that is refused long after it was fetched is replaced", async (t) => {
  let asked = 0;
  const { connection, socket } = kit(t, { getToken: async () => `token ${(asked += 1)}` });
  connection.connect();
  socket.refuse(unauthorized);
  await settled();
  t.mock.timers.tick(3_600_000);
  socket.refuse(unauthorized);
  t.mock.timers.tick(1_000);
  await settled();
  assert.equal(asked, 2);
});

test("a token that was set during the handshake is presented instead of asking", async (t) => {
  let asked = 0;
  const { connection, socket } = kit(t, { getToken: async () => `token ${(asked += 1)}` });
  connection.connect();
  socket.present();
  await connection.setToken("new");
  socket.present = () => {};
  socket.refuse(expired);
  assert.equal(socket.connects, 2);
  assert.equal(asked, 0);
});

test("a token that was set while the handshake ran is told to the session", (t) => {
  const { connection, socket } = kit(t);
  connection.connect();
  socket.present();
  void connection.setToken("new");
  socket.present = () => {};
  socket.come();
  assert.deepEqual(socket.sent, [["refresh", { token: "new" }]]);
});

test("a session whose refresh failed goes on with that token when it expires", async (t) => {
  // As applications do: the hook gives the token that is at hand.
  const { connection, socket } = kit(t, { getToken: async () => "new" });
  connection.connect();
  socket.come();
  socket.answer = { ok: false, error: { code: "rate_limited", message: "", temporary: true } };
  await assert.rejects(connection.setToken("new"), { code: "rate_limited" });
  socket.hear("token_expired", { code: "unauthorized" });
  await settled();
  socket.end("io server disconnect");
  socket.come();
  assert.equal(socket.presented, "new");
  assert.equal(connection.state, "online");
});

test("tokens that live shortly are renewed after half their life, not all the time", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  /** @type {number[]} */
  const asked = [];
  const now = () => Date.now() / 1_000;
  const renewal = new TokenRenewal(
    async () => {
      asked.push(now());
      return tokenUntil(now() + 60);
    },
    (token) => renewal.plan(token),
  );
  renewal.plan(tokenUntil(60));
  for (let second = 0; second < 120; second += 1) {
    t.mock.timers.tick(1_000);
    await settled();
  }
  assert.deepEqual(asked, [30, 60, 90, 120]);
  renewal.close();
});

test("a device whose clock is wrong does not ask all the time", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"], now: 10 * 3_600_000 });
  let asked = 0;
  const renewal = new TokenRenewal(
    // By this clock every token has expired.
    async () => tokenUntil(3_600, `${(asked += 1)}`),
    (token) => renewal.plan(token),
  );
  renewal.plan(tokenUntil(3_600));
  for (let second = 0; second < 3_600; second += 1) {
    t.mock.timers.tick(1_000);
    await settled();
  }
  assert.ok(asked > 5 && asked < 20, `asked ${asked} times in an hour`);
  renewal.close();
});

test("an application that keeps its token for long is asked again before it expires", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const held = tokenUntil(600);
  /** @type {string[]} */
  const used = [];
  const renewal = new TokenRenewal(
    async () => (Date.now() < 580_000 ? held : "new"),
    (token) => used.push(token),
  );
  renewal.plan(held);
  for (let second = 0; second < 600; second += 1) {
    t.mock.timers.tick(1_000);
    await settled();
  }
  assert.deepEqual(used, ["new"]);
});

test("what was asked for before another token was set is not used", async () => {
  /** @type {(token: string) => void} */
  let answer = () => {};
  /** @type {string[]} */
  const used = [];
  const getToken = () => new Promise((/** @type {(token: string) => void} */ resolve) => (answer = resolve));
  const renewal = new TokenRenewal(getToken, (token) => used.push(token));
  renewal.refused("old", new ChatRequestError("unauthorized", "No."));
  renewal.plan("set by hand");
  answer("late");
  await settled();
  assert.deepEqual(used, []);
});
