/** Hooks for React and React Native: the client's state, read where it is shown. */

import { createContext, createElement, useCallback, useContext, useEffect, useRef } from "react";
import { useState, useSyncExternalStore, type ReactElement, type ReactNode } from "react";
import type { ChatroomClient } from "./client.js";
import type { ChatRequestError } from "./connection/errors.js";
import type { Timeline } from "./rooms/timeline.js";
import type { Events, Status } from "./types.js";
import type { Message, RoomEntry } from "./wire.js";

const Chat = createContext<ChatroomClient | null>(null);

/** Gives `client` to the hooks below; connecting and closing it stay with who made it. */
export function ChatProvider(props: {
  client: ChatroomClient;
  children?: ReactNode;
}): ReactElement {
  return createElement(Chat.Provider, { value: props.client }, props.children);
}

/** @throws {Error} There is no `ChatProvider` above. */
export function useChat(): ChatroomClient {
  const client = useContext(Chat);
  if (!client) throw new Error("There is no ChatProvider above this component.");
  return client;
}

/** How the client stands: `state`, `isCatchingUp`, `sending`, `failed`, `trouble`. */
export function useConnection(): Status {
  const chat = useChat();
  return useStore(chat, ["status"], null, () => chat.status);
}

/** A room of the user's list. */
export type ListedRoom = Pick<RoomEntry, "room" | "name" | "kind" | "unread"> & {
  newest: Message | null;
};

const NO_ROOMS: ListedRoom[] = [];

/**
 * All rooms of the user, as they were at the last connect; those that are attended are told
 * of as they are now.
 *
 * @returns `rooms` is null until they are known; `error` says why they are not.
 */
export function useRooms(): { rooms: ListedRoom[] | null; error: ChatRequestError | null } {
  const chat = useChat();
  const { state } = useConnection();
  const [found, setFound] = useState<{ rooms: RoomEntry[] | null; error: ChatRequestError | null }>(
    { rooms: null, error: null },
  );
  useEffect(() => {
    if (state !== "online") return undefined;
    let isWanted = true;
    chat.rooms().then(
      (rooms) => isWanted && setFound({ rooms, error: null }),
      (error: ChatRequestError) => isWanted && setFound(({ rooms }) => ({ rooms, error })),
    );
    return () => {
      isWanted = false;
    };
  }, [chat, state]);
  const rooms = useStore(chat, ["message", "changed", "replaced", "reads"], null, () =>
    (found.rooms ?? NO_ROOMS).map((entry): ListedRoom => {
      const now = chat.room(entry.room);
      const { room, name, kind, unread, newest } = entry;
      if (!now?.cursor) return { room, name, kind, unread, newest };
      return { room, name, kind, unread: now.unread, newest: now.messages.at(-1) ?? newest };
    }),
  );
  return { rooms: found.rooms && rooms, error: found.error };
}

/** A room as it is now. */
export interface RoomView {
  room: string;
  unread: number;
  lastMessage: number;
  lastReadMessage: number;
  memberCount: number;
  onlineCount: number;
  pins: readonly number[];
}

/**
 * A room, attended from now on; it stays so when the component is gone, until `leave`.
 *
 * @returns `view` is null until it is there; `error` says why it cannot be attended.
 */
export function useRoom(room: string): { view: RoomView | null; error: ChatRequestError | null } {
  const chat = useChat();
  const [refusal, setRefusal] = useState<{ room: string; error: ChatRequestError } | null>(null);
  useEffect(() => {
    const refused = (error: ChatRequestError) => setRefusal({ room, error });
    const end = chat.on("refused", (event) => event.room === room && refused(event.error));
    setRefusal(null);
    // Left by the application itself: nothing to say.
    chat.join(room).catch((error) => error.code !== "closed" && refused(error));
    return end;
  }, [chat, room]);
  const view = useStore(chat, ["message", "changed", "replaced", "reads", "presence"], room, () => {
    const state = chat.room(room);
    if (!state?.cursor) return null;
    const { unread, lastMessage, lastReadMessage, memberCount, onlineCount, pins } = state;
    return { room, unread, lastMessage, lastReadMessage, memberCount, onlineCount, pins };
  });
  return { view, error: refusal?.room === room ? refusal.error : null };
}

/** A room's messages, gaps and what is unsent, with the ways to have more of them. */
export type TimelineView = Pick<Timeline, "entries" | "hasOlder" | "loadOlder" | "fill" | "jumpTo">;

/** What is to be shown of a room; `useRoom` (or `join`) attends it. */
export function useTimeline(room: string): TimelineView {
  const chat = useChat();
  const timeline = chat.timeline(room);
  return useStore(chat, ["timeline"], room, () => ({
    entries: timeline.entries,
    hasOlder: timeline.hasOlder,
    loadOlder: timeline.loadOlder,
    fill: timeline.fill,
    jumpTo: timeline.jumpTo,
  }));
}

/** Somebody in a room. */
export interface MemberView {
  user: string;
  name: string;
  isOnline: boolean;
}

/**
 * Who is in a room, those who are here first, by name. In a room too large to tell them all
 * the list is empty: see the counts of `useRoom`.
 */
export function useMembers(room: string): readonly MemberView[] {
  const chat = useChat();
  return useStore(chat, ["presence", "reads", "names", "replaced"], room, () => {
    const { reads, online } = chat.room(room) ?? {};
    const users = new Set([...(online ?? []), ...(reads?.keys() ?? [])]);
    const members = [...users].map((user): MemberView => {
      return { user, name: chat.nameOf(user), isOnline: online?.has(user) ?? false };
    });
    const rank = ({ isOnline }: MemberView) => (isOnline ? 0 : 1);
    return members.sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
  });
}

/** @returns The names of the others who are typing, and what tells that the user is. */
export function useTyping(room: string): [names: readonly string[], typing: (on: boolean) => void] {
  const chat = useChat();
  const names = useStore(chat, ["typing", "names"], room, () =>
    chat.typing(room).map((user) => chat.nameOf(user)),
  );
  const typing = useCallback((on: boolean) => chat.setTyping(room, on), [chat, room]);
  return [names, typing];
}

/** @returns What was written in a room and not sent yet, and what sets it. */
export function useDraft(room: string): [text: string, set: (text: string) => void] {
  const chat = useChat();
  const text = useStore(chat, ["drafts"], room, () => chat.drafts.get(room));
  const set = useCallback((written: string) => chat.drafts.set(room, written), [chat, room]);
  return [text, set];
}

/**
 * Read the client's state, again with each of these events; the same value again means that
 * nothing is to be rendered.
 *
 * @param room Events of other rooms change nothing; null: of any.
 */
function useStore<T>(
  chat: ChatroomClient,
  names: readonly (keyof Events)[],
  room: string | null,
  read: () => T,
): T {
  const last = useRef<{ value: T } | null>(null);
  const events = names.join();
  const subscribe = useCallback(
    (changed: () => void) => {
      const heard = (event: object) => {
        if (room === null || !("room" in event) || event.room === room) changed();
      };
      const ends = (events.split(",") as (keyof Events)[]).map((name) => chat.on(name, heard));
      return () => ends.forEach((end) => end());
    },
    [chat, events, room],
  );
  const snapshot = () => {
    const value = read();
    if (!last.current || !isSame(last.current.value, value)) last.current = { value };
    return last.current.value;
  };
  return useSyncExternalStore(subscribe, snapshot, snapshot);
}

/** The same to look at: plain objects and arrays by their members, all else by identity. */
function isSame(a: unknown, b: unknown, depth = 2): boolean {
  if (Object.is(a, b)) return true;
  if (depth === 0 || typeof a !== "object" || typeof b !== "object" || !a || !b) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => isSame((a as any)[key], (b as any)[key], depth - 1))
  );
}
