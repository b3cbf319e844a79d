import assert from "node:assert/strict";
import { test } from "node:test";
import { newClientId, readClaims } from "../dist/connection/ids.js";

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
