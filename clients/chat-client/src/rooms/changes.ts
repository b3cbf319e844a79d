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

type Make = (message: Message, payload: any) => Message;

const CHANGES: Record<string, Make> = {
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

/** Change a message where it is held. */
function change(state: RoomState, payload: any, make: Make) {
  const isHeld = replace(state.messages, payload.message, (held) => changed(held, payload, make));
  if (!isHeld && make === CHANGES.message_deleted) state.deletedUnheld(payload.message);
  replace(state.older, payload.message, (held) => changed(held, payload, make));
}

/** An event that the version held knows already, by its `rev`, changes nothing. */
function changed(held: Message, payload: any, make: Make): Message {
  if (payload.offset <= (held.rev ?? 0)) return held;
  if (held.type === "deleted" && make !== CHANGES.message_deleted) return held;
  return { ...make(held, payload), rev: payload.offset };
}

/**
 * Replace a held message by its new version: what was handed out stays as it was.
 *
 * @returns It is held.
 */
function replace(messages: Message[], number: number, make: (held: Message) => Message): boolean {
  const at = messages.findIndex((held) => held.message === number);
  if (at >= 0) messages[at] = make(messages[at]);
  return at >= 0;
}

/** Take how a large room's message is reacted to: told at times, not as events of the log. */
export function applyReactions(
  state: RoomState,
  { message, counts }: { message: number; counts: Record<string, number> },
): void {
  for (const messages of [state.messages, state.older]) {
    replace(messages, message, (held) =>
      held.type === "deleted" ? held : { ...held, reactions: counts },
    );
  }
}
