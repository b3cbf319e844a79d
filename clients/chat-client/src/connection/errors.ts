/** What can go wrong with a request, in one class with stable codes. */

/** What is known of an error besides its code and its sentence. */
export interface ErrorDetails {
  temporary?: boolean;
  fields?: Record<string, string[]>;
  retryAfter?: number;
  reason?: string;
}

/** An error as it is kept with an unsent message. */
export interface ErrorRecord {
  code: string;
  message: string;
  temporary: boolean;
  fields?: Record<string, string[]>;
}

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
  override readonly name = "ChatRequestError";
  /** The same request may succeed later. */
  readonly temporary: boolean;
  /** What is wrong with which field of the request. */
  readonly fields?: Record<string, string[]>;
  /** Milliseconds before which a retry makes no sense. */
  readonly retryAfter?: number;
  /** With `unauthorized`: what is wrong with the token. */
  readonly reason?: string;

  constructor(
    readonly code: string,
    message: string,
    { temporary = false, fields, retryAfter, reason }: ErrorDetails = {},
  ) {
    super(message);
    this.temporary = temporary;
    this.fields = fields;
    this.retryAfter = retryAfter;
    this.reason = reason;
  }

  /** @param wire The `error` object of an ack, or a `connect_error`'s data. */
  static fromWire(wire: unknown): ChatRequestError {
    const said = (wire ?? {}) as Record<string, any>;
    return new ChatRequestError(
      typeof said.code === "string" ? said.code : "internal",
      typeof said.message === "string" ? said.message : "The server refused.",
      {
        temporary: said.temporary === true,
        fields: said.fields,
        reason: said.reason,
        retryAfter:
          typeof said.retryAfter === "number" && said.retryAfter >= 0 ? said.retryAfter : undefined,
      },
    );
  }

  /** What is kept in the outbox's storage. */
  toJSON(): ErrorRecord {
    const { code, message, temporary, fields } = this;
    return { code, message, temporary, ...(fields ? { fields } : {}) };
  }
}
