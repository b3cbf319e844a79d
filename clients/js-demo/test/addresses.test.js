// Links lead where their words say, and end where people end them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { addressesIn } from "../src/page/addresses.js";

const words = (/** @type {string} */ text) => addressesIn(text).map((one) => one.words);

const ENDINGS = [
  ["https://www.example.com에서 봐요", "https://www.example.com"],
  ["https://example.com:8443에서", "https://example.com:8443"],
  ["http://localhost:5000/#room=a입니다", "http://localhost:5000/#room=a"],
  ["https://example.com/a/b입니다.", "https://example.com/a/b"],
  ["https://example.com/page。よろしく", "https://example.com/page"],
  ["https://example.com。よろしく", "https://example.com"],
  ["https://example.com/pageを見て", "https://example.com/page"],
  ["https://example.com/?q=1是", "https://example.com/?q=1"],
  ["https://en.wikipedia.org/wiki/Mercury_(planet)", "https://en.wikipedia.org/wiki/Mercury_(planet)"],
  ["(https://en.wikipedia.org/wiki/Mercury_(planet))", "https://en.wikipedia.org/wiki/Mercury_(planet)"],
  ["https://en.wikipedia.org/wiki/Mercury_(planet)입니다", "https://en.wikipedia.org/wiki/Mercury_(planet)"],
  ["(see https://example.com/a).", "https://example.com/a"],
  ["[docs](https://example.com/a)more", "https://example.com/a"],
  ["{https://example.com/a[0]}", "https://example.com/a[0]"],
  ["“https://example.com/a”", "https://example.com/a"],
  ["‘https://example.com/a’", "https://example.com/a"],
  ["«https://example.com/a»", "https://example.com/a"],
  ["「https://example.com/a」と", "https://example.com/a"],
  ["（https://example.com/a）", "https://example.com/a"],
  ['"https://example.com/a"', "https://example.com/a"],
  ["'https://example.com/a's", "https://example.com/a"],
  ["<https://example.com/a>", "https://example.com/a"],
  ["`https://example.com/a`", "https://example.com/a"],
  ["https://example.com/a…", "https://example.com/a"],
  ["https://example.com/a?!,", "https://example.com/a"],
  ["https://example.com/a\u200b다", "https://example.com/a"],
  ["https://example.com/a\u202egnp", "https://example.com/a"],
  ["https://example.com, https://example.com.", "https://example.com"],
  ["https://ko.wikipedia.org/wiki/대한민국", "https://ko.wikipedia.org/wiki/대한민국"],
  ["https://de.wikipedia.org/wiki/Zürich", "https://de.wikipedia.org/wiki/Zürich"],
  ["https://example.com/Kerr–Newman?q=검색#절", "https://example.com/Kerr–Newman?q=검색#절"],
  ["HTTP://EXAMPLE.com/A", "HTTP://EXAMPLE.com/A"],
  ["http://[::1]:5000/a", "http://[::1]:5000/a"],
  ["https://en.wikipedia.org/wiki/Moore's_law", "https://en.wikipedia.org/wiki/Moore's_law"],
  ["https://example.com/", "https://example.com/"],
];

for (const [text, expected] of ENDINGS) {
  test(`the address in ${JSON.stringify(text)}`, () => {
    const [first] = addressesIn(text);
    assert.equal(first?.words, expected);
    assert.equal(first.at, text.indexOf(expected));
    assert.equal(first.href, new URL(expected).href);
  });
}

for (const text of [
  "https://www.google.com@evil.example/",
  "https://www.google.com:443@evil.example/",
  "https://www.google.com%2eevil.example/",
  "https://www.google.com\\@evil.example",
  "https://www.goo\u200bgle.com",
  "https://www.goo\u00adgle.com",
  "https://www.ex\u0430mple.com/", // Cyrillic
  "https://\u0430pple.com/",
  "https://b\u00fccher.example/",
  "https://www.b\u00fccher.example/",
  "https://www.example.com한국.example",
  "https://www.example。evil.example",
  "http://2130706433/",
  "http://0x7f.1/",
  "https://example.com:99999/",
  "https://",
  "javascript:alert(1)",
  "data:text/html,x",
]) {
  test(`no link: ${JSON.stringify(text)}`, () => assert.deepEqual(words(text), []));
}

test("several addresses, each with its place", () => {
  const text = "a https://a.example/b에서 (http://c.example/d) https://e.example";
  const found = addressesIn(text);
  assert.deepEqual(found.map((one) => one.words), ["https://a.example/b", "http://c.example/d", "https://e.example"]);
  for (const { at, words: own } of found) assert.equal(text.slice(at, at + own.length), own);
});

test("a long text costs no time, whatever it repeats", () => {
  for (const piece of ["https://", "https://a.", "https://a.b/(", "https://a.b한", "https://a.b/\u00e9한.", "https://a:1", "-_", "https://a-"]) {
    const text = piece.repeat(4000 / piece.length);
    const from = performance.now();
    addressesIn(text);
    addressesIn("https://" + piece.slice(8).repeat(2000));
    assert.ok(performance.now() - from < 200, piece);
  }
});
