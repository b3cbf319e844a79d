import assert from "node:assert/strict";
import { test } from "node:test";
import { MESSAGE_BYTES, MESSAGE_IMAGES } from "chatroom-client";
import { groupsOf } from "../src/page/sends.js";

/** @param {number[]} sizes */
const sizesOf = (sizes) => groupsOf(sizes.map((size) => new Uint8Array(size))).map((group) => group.map(({ byteLength }) => byteLength));

test("what was chosen together is one message", () => {
  assert.deepEqual(sizesOf([1, 2, 3]), [[1, 2, 3]]);
  assert.deepEqual(sizesOf([]), []);
});

test("what one message cannot hold is several, in order", () => {
  const all = Array.from({ length: MESSAGE_IMAGES + 2 }, (_, at) => at + 1);
  assert.deepEqual(sizesOf(all), [all.slice(0, MESSAGE_IMAGES), all.slice(MESSAGE_IMAGES)]);
  const most = MESSAGE_BYTES;
  assert.deepEqual(sizesOf([most, 1, most - 1, 1]), [[most], [1, most - 1], [1]]);
});
