/** What can go wrong with a request, in one class with stable codes. */

/**
 * Codes that the module makes itself; all others come from the server.
 *
 * - `offline`: not connected, nothing was sent (temporary)
 * - `interrupted`: sent, the connection ended before the answer; the outcome is not
 *   known (temporary)
 * - `timeout`: sent, no answer in time; the outcome is not known (temporary)
 * - `closed`: the client object was closed
 * - `ended`: the user left the room for good
 * - `outbox_full`: too much is waiting to be sent
 * - `too_old`: waited longer than the server remembers a `clientId`, so sending it
 *   again might show it twice
 * - `image_lost`: the images' bytes did not survive the reload
 */
export class ChatRequestError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {{temporary?: boolean, fields?: Record<string, string[]>, retryAfter?: number, reason?: string}} [more]
   */
  constructor(code, message, { temporary = false, fields, retryAfter, reason } = {}) {
    super(message);
    this.name = "ChatRequestError";
    this.code = code;
    /** The same request may succeed later. */
    this.temporary = temporary;
    this.fields = fields;
    /** Milliseconds before which a retry makes no sense. */
    this.retryAfter = retryAfter;
    /** With `unauthorized`: what is wrong with the token. */
    this.reason = reason;
  }

  /**
   * @param {unknown} wire The `error` object of an ack, or a `connect_error`'s data.
   * @returns {ChatRequestError}
   */
  static fromWire(wire) {
    const said = /** @type {Record<string, any>} */ (wire ?? {});
    return new ChatRequestError(
      typeof said.code === "string" ? said.code : "internal",
      typeof said.message === "string" ? said.message : "The server refused.",
      {
        temporary: said.temporary === true,
        fields: said.fields,
        reason: said.reason,
        retryAfter:
          typeof said.retryAfter === "number" && said.retryAfter >= 0
            ? said.retryAfter
            : undefined,
      },
    );
  }

  /** What is kept in the outbox's storage. */
  toJSON() {
    const { code, message, temporary, fields } = this;
    return { code, message, temporary, ...(fields ? { fields } : {}) };
  }
}
