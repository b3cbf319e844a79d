import assert from "node:assert/strict";
import { test } from "node:test";
import { newClientId, readClaims } from "../dist/connection/ids.js";
import { plainPlatform } from "../dist/platform.js";

test("a clientId is one that the server takes, also where there is no crypto", (t) => {
  const { randomBytes } = plainPlatform();
  const id = newClientId(randomBytes);
  t.mock.method(crypto, "getRandomValues", undefined);
  assert.match(newClientId(randomBytes), /^[0-9a-f-]{36}$/);
  assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.notEqual(id, newClientId(randomBytes));
});

test("claims are read from a token, and from anything else none", () => {
  const claims = Buffer.from(JSON.stringify({ sub: "Jürgen" })).toString("base64url");
  assert.deepEqual(readClaims(`h.${claims}.s`), { sub: "Jürgen" });
  for (const token of ["", "a.b.c", "x"]) assert.deepEqual(readClaims(token), {});
});
