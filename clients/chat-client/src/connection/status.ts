/** How the client stands: the connection, what is unsent, and what is in the way. */

import { ChatRequestError } from "./errors.js";
import { WOKEN_BY_CONNECTION, type OutboxItem, type Outbox } from "../outbox/outbox.js";
import type { Status } from "../types.js";
import type { Connection } from "./connection.js";
import type { Attendance } from "../rooms/attendance.js";

const SERVICE_AWAY = new ChatRequestError("unavailable", "The server cannot serve now.", {
  temporary: true,
});

export class StatusView {
  /** The latest word of the server on sending. */
  #trouble: OutboxItem["error"];
  /** Whether the node has what it needs to serve. */
  #isServed = true;

  constructor(
    readonly parts: {
      connection: Connection;
      attendance: Attendance;
      outbox: Outbox;
    },
  ) {}

  get now(): Status {
    const { connection, attendance, outbox } = this.parts;
    const { state, error } = connection;
    const isCatchingUp = state === "online" && !attendance.isComplete;
    const { sending, failed } = outbox.counts;
    const away = state === "online" && !this.#isServed && SERVICE_AWAY;
    const trouble = (error ?? (sending > 0 && this.#trouble)) || away || null;
    return { state, isCatchingUp, sending, failed, trouble };
  }

  /** @param isServed The node's word. Of another node nothing is known yet. */
  served(isServed: boolean) {
    this.#isServed = isServed;
  }

  /**
   * @param item It has taken a step. Trouble is shown until one is sent, or none is to be.
   */
  outboxChanged({ step, error }: OutboxItem) {
    if (step === "sent" || this.parts.outbox.counts.sending === 0) this.#trouble = undefined;
    else if (step === "waiting" && error && !WOKEN_BY_CONNECTION.has(error.code)) {
      this.#trouble = error;
    }
  }
}
