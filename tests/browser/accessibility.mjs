// axe finds nothing serious: by day and by night, on a desk and on a phone.

import { accessible, enter, online, person, picture, run, say, shows, urls } from "./kit.mjs";

await run(async (browser) => {
  const ben = await person(browser);
  await enter(ben, { url: urls[1], name: "Ben" });
  await say(ben, "Hello, see https://example.org/ for more");
  await ben.setInputFiles('input[type="file"]', { name: "a.png", mimeType: "image/png", buffer: await picture(ben) });
  await say(ben, "An image");
  await shows(ben, ["Hello, see https://example.org/ for more", "An image"]);

  for (const colorScheme of ["light", "dark"]) {
    const desk = await person(browser, { colorScheme });
    await desk.goto(urls[0]);
    await desk.waitForSelector("#name");
    await accessible(desk, `${colorScheme}, sign in`);
    await desk.fill("#name", `Ann ${colorScheme}`);
    await desk.click("text=Enter");
    await online(desk);
    await desk.waitForSelector(".image-button img");
    await desk.fill("#composer-text", "x".repeat(3600));
    await desk.setInputFiles('input[type="file"]', { name: "a.png", mimeType: "image/png", buffer: await picture(desk) });
    await accessible(desk, `${colorScheme}, room`);
    await desk.click(".image-button");
    await accessible(desk, `${colorScheme}, image`);
    await desk.keyboard.press("Escape");
    await desk.context().setOffline(true);
    await desk.waitForSelector('.status[data-tone="bad"]');
    await say(desk, "waits");
    await desk.waitForSelector(".pending");
    await accessible(desk, `${colorScheme}, offline`);
    await desk.close();

    const phone = await person(browser, { colorScheme, viewport: { width: 390, height: 844 }, hasTouch: true });
    await enter(phone, { name: `Cem ${colorScheme}` });
    await phone.waitForSelector(".image-button img");
    await accessible(phone, `${colorScheme}, phone`);
    await phone.click('[aria-label="People"]');
    await accessible(phone, `${colorScheme}, phone, people`);
    await phone.click('[aria-label="People"]');
    await phone.click('[aria-label="Back to the rooms"]');
    await phone.waitForSelector(".room");
    await accessible(phone, `${colorScheme}, phone, rooms`);
    await phone.close();
  }
}, { allowsNoNetwork: true });
