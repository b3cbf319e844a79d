// Compiled, never run: what the types of the protocol allow, and what they refuse.

import type { Broadcasts, Message, Requests } from "../src/wire.js";

declare function request<Name extends keyof Requests>(
  name: Name,
  payload: Requests[Name]["payload"],
): Promise<Requests[Name]["ack"]>;
declare function on<Name extends keyof Broadcasts>(name: Name, listener: (payload: Broadcasts[Name]) => void): void;

export async function chat() {
  on("message", ({ text, user, name, message }) => show(name ?? user, text ?? "", message));
  on("hello", ({ limits, expiresAt }) => limits.textCharacters + (expiresAt ?? 0));
  const joined = await request("join", { room: "42" });
  if (!joined.ok) return joined.error.code === "forbidden" ? joined.error.until : undefined;
  for (const event of joined.events) if (event[0] === "message") show(event[1].user, "", event[1].message);
  await request("send", { room: "42", clientId: "1", type: "text", text: "hi", data: { any: [1] } });
  await request("history", { room: "42", around: 7 });
  await request("send", { room: "42", clientId: "2", type: "image", images: [new Uint8Array(1)] });
  const page = await request("media", { room: "42", before: 7 });
  if (page.ok) for (const { image, images } of page.messages) show("", images?.[1].url ?? image?.url ?? "", 1);
  // @ts-expect-error: a room has an id.
  await request("leave", {});
  // @ts-expect-error: there is no such type.
  await request("send", { room: "42", clientId: "1", type: "video" });
  // @ts-expect-error: null in a large room.
  return joined.online.length;
}

function show(user: string, text: string, number: Message["message"]) {
  return `${number} ${user}: ${text}`;
}
