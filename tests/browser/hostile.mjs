// Texts and names that would like to be markup or scripts stay texts and names.

import assert from "node:assert/strict";
import { enter, person, run, say, shows, urls } from "./kit.mjs";

const TEXTS = [
  "<img src=x onerror=\"globalThis.hacked=1\">",
  "<script>globalThis.hacked=1</script>",
  "<svg/onload=globalThis.hacked=1>",
  "javascript:globalThis.hacked=1",
  "{{constructor.constructor('globalThis.hacked=1')()}}",
  "\u202egnp.exe \u0301\u0301\u0301 &lt;b&gt; </p></div>",
  "https://example.org/\"><img/src=x/onerror=globalThis.hacked=1>",
  "see http://example.org/?a=<b>&c=d, http://user:pw@example.org/ and data:text/html,<script>x</script>",
  "a".repeat(4000),
];

await run(async (browser) => {
  const name = `<b onmouseover=hacked=1>${"Mallory".repeat(14)}</b>`;
  const mallory = await person(browser);
  await enter(mallory, { name });
  const ann = await person(browser);
  await enter(ann, { url: urls[1], name: "Ann" });
  for (const text of TEXTS) await say(mallory, text);
  await shows(ann, TEXTS);
  assert.equal(await ann.$eval(".author", (one) => one.textContent), name);
  for (const page of [ann, mallory]) {
    const found = await page.evaluate(() => ({
      hacked: globalThis.hacked,
      markup: document.querySelectorAll(".messages script, .messages b, .messages .text img, .messages .text svg, .people b").length,
      links: [...document.querySelectorAll(".messages a")].map((one) => [one.protocol, one.rel]),
      overflows: [".people", ".scroller", ".sidebar", "html"].filter((one) => {
        const { scrollWidth, clientWidth } = document.querySelector(one);
        return scrollWidth > clientWidth;
      }),
    }));
    assert.equal(found.hacked, undefined);
    assert.equal(found.markup, 0);
    assert.deepEqual(found.overflows, []);
    assert.equal(found.links.length, 2);
    for (const link of found.links) assert.ok(["http:", "https:"].includes(link[0]) && link[1].includes("noopener"));
  }

  // The policy itself: what a text could not do, a script in the page cannot either.
  const policy = (await (await fetch(urls[0])).headers.get("content-security-policy")) ?? "";
  assert.ok(policy.includes("script-src 'self'") && !policy.includes("unsafe"), policy);
});
