/**
 * A cursor is `<offset>:<uid>` of the last event handled in a room. The uid lets the
 * server see whether this client's past is its log's past. An empty room's is `0:`.
 */

/** @typedef {{offset: number, uid: string}} Cursor */

/**
 * @param {unknown} text
 * @returns {Cursor | null} Null for anything that is not a cursor.
 */
export function parseCursor(text) {
  const match = typeof text === "string" && /^(\d{1,16}):(.*)$/.exec(text);
  return match ? { offset: Number(match[1]), uid: match[2] } : null;
}

/** @param {Cursor} cursor */
export function formatCursor({ offset, uid }) {
  return `${offset}:${uid}`;
}
