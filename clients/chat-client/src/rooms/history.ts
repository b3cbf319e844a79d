/** Messages older than those held. */

import type { RoomState } from "./room-state.js";
import type { Message } from "../wire.js";
import type { Connection } from "../connection/connection.js";

/**
 * @param state Gets the page.
 * @param limit Messages a page, at most 100.
 * @returns `full`: no more are held, to bound the memory.
 */
export async function fetchOlder(
  connection: Connection,
  state: RoomState,
  limit: number,
): Promise<{ added: number; more: boolean; full: boolean }> {
  const first = state.messages[0]?.message;
  if (state.isFull) return { added: 0, more: state.hasOlder, full: true };
  const before = first === undefined ? {} : { before: first };
  const page = await connection.request("history", { room: state.room, limit, ...before });
  // The room may have been made anew while the page was on its way.
  const added = first === state.messages[0]?.message ? state.applyHistory(page) : 0;
  return { added, more: state.hasOlder, full: state.isFull };
}

/** @returns The message as it is now. */
export async function fetchMessage(
  connection: Connection,
  room: string,
  message: number,
): Promise<Message | undefined> {
  const page = { room, before: message + 1, limit: 1 };
  const { messages } = await connection.request("history", page);
  return messages.find((one: Message) => one.message === message);
}
