/** How the client stands: the connection, what is unsent, and what is in the way. */

import { ChatRequestError } from "./errors.js";
import { WOKEN_BY_CONNECTION } from "./outbox.js";

const SERVICE_AWAY = new ChatRequestError("unavailable", "The server cannot serve now.", {
  temporary: true,
});

/**
 * @typedef {import("./types.js").Status} Status
 * @typedef {import("./outbox.js").OutboxItem} OutboxItem
 */

export class StatusView {
  /** @type {OutboxItem["error"]} The latest word of the server on sending. */
  #trouble;
  /** Whether the node has what it needs to serve. */
  #isServed = true;

  /**
   * @param {object} parts
   * @param {import("./connection.js").Connection} parts.connection
   * @param {import("./attendance.js").Attendance} parts.attendance
   * @param {import("./outbox.js").Outbox} parts.outbox
   */
  constructor(parts) {
    this.parts = parts;
  }

  /** @returns {Status} */
  get now() {
    const { connection, attendance, outbox } = this.parts;
    const { state, error } = connection;
    const isCatchingUp = state === "online" && !attendance.isComplete;
    const { sending, failed } = outbox.counts;
    const away = state === "online" && !this.#isServed && SERVICE_AWAY;
    const trouble = (error ?? (sending > 0 && this.#trouble)) || away || null;
    return { state, isCatchingUp, sending, failed, trouble };
  }

  /** @param {boolean} isServed The node's word. Of another node nothing is known yet. */
  served(isServed) {
    this.#isServed = isServed;
  }

  /**
   * @param {OutboxItem} item It has taken a step. Trouble is shown until one is sent, or
   *   none is to be.
   */
  outboxChanged({ step, error }) {
    if (step === "sent" || this.parts.outbox.counts.sending === 0) this.#trouble = undefined;
    else if (step === "waiting" && error && !WOKEN_BY_CONNECTION.has(error.code)) {
      this.#trouble = error;
    }
  }
}
