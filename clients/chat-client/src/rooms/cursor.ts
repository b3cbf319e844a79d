/**
 * A cursor is `<offset>:<uid>` of the last event handled in a room. The uid lets the
 * server see whether this client's past is its log's past. An empty room's is `0:`.
 */

export type Cursor = { offset: number; uid: string };

/** @returns Null for anything that is not a cursor. */
export function parseCursor(text: unknown): Cursor | null {
  const match = typeof text === "string" && /^(\d{1,16}):(.*)$/.exec(text);
  return match ? { offset: Number(match[1]), uid: match[2] } : null;
}

export function formatCursor({ offset, uid }: Cursor) {
  return `${offset}:${uid}`;
}
