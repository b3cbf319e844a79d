// Compiled, never run: what the types allow an application, and what they refuse.

import { ChatRequestError, ChatroomClient, MemoryTexts, plainPlatform } from "chatroom-client";
import type { Broadcasts, Gap, Message, Platform, Requests, TimelineEntry } from "chatroom-client";
import { useConnection, useDraft, useMembers, useRoom, useRooms, useTimeline, useTyping } from "chatroom-client/react";
import { reactNativePlatform, type ReactNativeModules } from "chatroom-client/react-native";
import { webPlatform } from "chatroom-client/web";

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

export async function application(modules: ReactNativeModules, token: string) {
  const kept: Platform = { ...plainPlatform(), texts: new MemoryTexts() };
  const platform = [webPlatform(), reactNativePlatform(modules), kept][0];
  const chat = new ChatroomClient({ auth: { token }, platform, getToken: async () => null });
  const end = chat.on("message", ({ room, message: { user, text = "", message } }) => show(user, room + text, message));
  chat.on("changed", (change) => change.name === "reaction" && show(change.payload.user, change.payload.key, change.payload.message));
  chat.on("status", ({ state, trouble }) => state === "offline" && trouble?.code);
  // @ts-expect-error: there is no such event.
  chat.on("massage", () => undefined);
  await chat.connect();
  const room = await chat.join("42").catch((error: ChatRequestError) => error.retryAfter);
  if (typeof room !== "object") return room;
  // @ts-expect-error: a text is one.
  chat.send("42", { text: 42 });
  const { step, isKept } = chat.send("42", { text: "hi", replyTo: room.lastMessage });
  await chat.react("42", 7, "👍", true);
  end();
  return { step, isKept, unread: room.unread, own: chat.outbox("42").length };
}

export function Conversation({ room }: { room: string }) {
  const { entries, jumpTo, fill, loadOlder, hasOlder } = useTimeline(room);
  const lines = entries.map((entry: TimelineEntry) => {
    if (entry.kind === "gap") return fill(entry satisfies Gap, "older");
    // @ts-expect-error: what is unsent has no number yet.
    if (entry.kind === "unsent") return entry.message;
    return show(entry.message.user, entry.message.text ?? "", entry.message.message);
  });
  const [text, setText] = useDraft(room);
  const [names, typing] = useTyping(room);
  typing(text !== "" && names.length === 0);
  setText("");
  const known = [useRooms().rooms?.[0].newest, useRoom(room).view?.unread, useMembers(room)[0]?.name, useConnection().sending];
  return { lines, known, jump: () => jumpTo(new Date(0)), more: hasOlder ? loadOlder : null };
}
