/** Messages older than those held. */

/** @typedef {import("./room-state.js").Message} Message */

/**
 * @param {import("./connection.js").Connection} connection
 * @param {import("./room-state.js").RoomState} state Gets the page.
 * @param {number} limit Messages a page, at most 100.
 * @returns {Promise<{added: number, more: boolean, full: boolean}>} `full`: no more are
 *   held, to bound the memory.
 */
export async function fetchOlder(connection, state, limit) {
  const first = state.messages[0]?.message;
  if (state.isFull) return { added: 0, more: state.hasOlder, full: true };
  const before = first === undefined ? {} : { before: first };
  const page = await connection.request("history", { room: state.room, limit, ...before });
  // The room may have been made anew while the page was on its way.
  const added = first === state.messages[0]?.message ? state.applyHistory(page) : 0;
  return { added, more: state.hasOlder, full: state.isFull };
}

/**
 * @param {import("./connection.js").Connection} connection
 * @param {string} room
 * @param {number} message
 * @returns {Promise<Message | undefined>} The message as it is now.
 */
export async function fetchMessage(connection, room, message) {
  const page = { room, before: message + 1, limit: 1 };
  const { messages } = await connection.request("history", page);
  return messages.find((/** @type {Message} */ one) => one.message === message);
}
