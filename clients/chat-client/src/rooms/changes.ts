/** What the log's events other than `message` do to a room's state. */

import type { RoomState } from "./room-state.js";
import type { Message } from "../wire.js";

/**
 * Apply one event. A name this client does not know changes nothing, but its offset
 * has been counted, so an older client lives with a newer server.
 */
export function applyChange(state: RoomState, name: string, payload: any) {
  if (name === "member") applyMember(state, payload);
  else if (name in CHANGES) change(state, payload, CHANGES[name]);
  if (name === "pin" || name === "message_deleted") {
    state.pins = state.pins.filter((number) => number !== payload.message);
    if (payload.on) state.pins.push(payload.message);
  }
}

const CHANGES: Record<string, (message: Message, payload: any) => Message> = {
  message_edited: (message, { text, mentions, editedAt, edits }) => ({
    ...message,
    ...{ text, mentions, editedAt, edits },
  }),
  message_deleted: ({ offset, uid, message, room, user, at }, payload) => ({
    ...{ offset, uid, message, room, user, at },
    type: "deleted",
    deleted: { by: payload.by, reason: payload.reason, at: payload.at },
  }),
  reaction: (message, { key, count }) => ({
    ...message,
    reactions: counted({ ...message.reactions, [key]: count }),
  }),
};

const counted = (counts: Record<string, number>) =>
  Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));

function applyMember(state: RoomState, { user, joined, lastReadMessage, memberCount }: any) {
  if (state.reads) {
    // A new member starts at the room's last message, so nothing is unread by them.
    if (joined === false) state.reads.delete(user);
    else if (!state.reads.has(user)) {
      state.reads.set(user, lastReadMessage ?? state.lastMessage);
    }
    state.memberCount = state.reads.size;
  }
  if (typeof memberCount === "number") state.memberCount = memberCount;
}

/**
 * Replace a held message by its new version: what was handed out stays as it was. An
 * event that the version held knows already, by its `rev`, changes nothing.
 */
function change(state: RoomState, payload: any, make: (message: Message, payload: any) => Message) {
  const at = state.messages.findIndex((held) => held.message === payload.message);
  const held = state.messages[at];
  if (!held) {
    if (make === CHANGES.message_deleted) state.deletedUnheld(payload.message);
    return;
  }
  if (payload.offset <= (held.rev ?? 0)) return;
  if (held.type === "deleted" && make !== CHANGES.message_deleted) return;
  state.messages[at] = { ...make(held, payload), rev: payload.offset };
}

/** Take how a large room's message is reacted to: told at times, not as events of the log. */
export function applyReactions(
  state: RoomState,
  { message, counts }: { message: number; counts: Record<string, number> },
) {
  const at = state.messages.findIndex((held) => held.message === message);
  if (at >= 0 && state.messages[at].type !== "deleted") {
    state.messages[at] = { ...state.messages[at], reactions: counts };
  }
}
