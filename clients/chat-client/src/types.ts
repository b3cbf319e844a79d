/** Types of the client's surface; no code. */

/**
 * @typedef {object} Status
 * @property {import("./connection.js").ConnectionState} state
 * @property {boolean} isCatchingUp Online, and not yet up to date in every room.
 * @property {number} sending Messages on their way.
 * @property {number} failed Messages that the server refused; the user decides.
 * @property {{code: string, message: string} | null} trouble Why things are as they are,
 *   if there is something to say.
 *
 * @typedef {object} ClientOptions
 * @property {import("./outbox-storage.js").OutboxStorage} [storage] Where unsent messages
 *   are kept; the browser's own by default.
 * @property {number} [keepMessages] Messages held a room, at most.
 *
 * @typedef {import("./connection.js").ConnectionOptions & ClientOptions} Options
 */

export {};
