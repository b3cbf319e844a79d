// The page of the HTTP API shows each route, and asks the server by it.

import assert from "node:assert/strict";
import { person, run, urls } from "./kit.mjs";

await run(async (browser) => {
  const page = await person(browser);
  await page.goto(`${urls[0]}/api/docs`);
  await page.waitForSelector(".opblock");
  const described = await (await fetch(`${urls[0]}/api/openapi.json`)).json();
  const operations = Object.values(described.paths).flatMap((path) => Object.keys(path));
  assert.equal(await page.locator(".opblock").count(), operations.length);
  await page.click("#operations-me-get_me");
  await page.fill("#operations-me-get_me .parameters input", "ann");
  await page.click("#operations-me-get_me .execute");
  const answer = page.locator("#operations-me-get_me .live-responses-table .microlight").first();
  await answer.waitFor();
  assert.match(await answer.textContent(), /"user": "ann"/);
});
