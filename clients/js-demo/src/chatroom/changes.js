/** What the log's events other than `message` do to a room's state. */

/** @typedef {import("./room-state.js").RoomState} RoomState */

/**
 * Apply one event. A name this client does not know changes nothing, but its offset
 * has been counted, so an older client lives with a newer server.
 *
 * @param {RoomState} state
 * @param {string} name
 * @param {any} payload
 */
export function applyChange(state, name, payload) {
  if (name === "member") applyMember(state, payload);
  else if (name === "edited") change(state, payload, { text: payload.text, edited: true });
  else if (name === "deleted") {
    change(state, payload, { text: undefined, image: undefined, deleted: true });
  }
}

/**
 * @param {RoomState} state
 * @param {any} payload
 */
function applyMember(state, { user, joined, lastReadMessage, memberCount }) {
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
 * Replace a held message by its new version: what was handed out stays as it was.
 *
 * @param {RoomState} state
 * @param {{message: number}} target
 * @param {Record<string, unknown>} changed
 */
function change(state, { message }, changed) {
  const at = state.messages.findIndex((held) => held.message === message);
  if (at >= 0) state.messages[at] = { ...state.messages[at], ...changed };
}
