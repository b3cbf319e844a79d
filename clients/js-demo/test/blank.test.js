// Texts that show nothing are not sent; all others are.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isBlank } from "../src/page/blank.js";

for (const text of ["", " \n\t", "\u2800", "\u200b\u200d", "\u3164", "\u00ad", "\u115f\u1160\uffa0", "\ufe0f", "\u202e\u2069", "\u034f\u180e", "\u{e0041}\u{e0100}", "\u2800 \u00a0\n\u200b", "\u{1d159}", "\ufffb"]) {
  test(`blank: ${JSON.stringify(text)}`, () => assert.ok(isBlank(text)));
}

for (const text of ["a", ".", "가", "ㅋ", "😀", "❤\ufe0f", "👨\u200d👩", "\u200e(", "\u0301", "\ue000", "\u2801", "\u0600"]) {
  test(`not blank: ${JSON.stringify(text)}`, () => assert.ok(!isBlank(text)));
}
