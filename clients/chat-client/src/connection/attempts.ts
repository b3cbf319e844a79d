/** Attempts to reach the server: how long each may take, and the waits between them. */

import type { Manager, Socket } from "socket.io-client";

/** Ordinary waits. */
export const RECONNECT_MS = { first: 500, longest: 5_000 };
/**
 * For a transport to open, and then for the namespace, in which the server checks a token.
 * An attempt whose packets were swallowed must end soon; on a slow line each that ran out
 * of time is given twice as much.
 */
export const DEADLINE_MS = { first: 4_000, longest: 20_000 };

export class Attempts {
  /** In a row that ran out of time. */
  #overdue = 0;
  #isAnnounced = false;
  #handshake: ReturnType<typeof setTimeout> | undefined;
  readonly manager: Manager;

  /**
   * @param socket The manager makes the attempts.
   * @param overdue One ran out of time in the handshake.
   */
  constructor(
    readonly socket: Socket,
    readonly overdue: () => void,
  ) {
    this.manager = socket.io;
    this.#listen();
  }

  #listen() {
    const { manager } = this;
    manager.on("open", () => this.#awaitHandshake());
    manager.on("error", (error) => {
      this.#overdue = error.message === "timeout" ? this.#overdue + 1 : 0;
    });
    manager.on("close", () => clearTimeout(this.#handshake));
    manager.on("reconnect_attempt", () => {
      manager.timeout(this.#deadlineMs);
      if (!this.#isAnnounced) return;
      this.#isAnnounced = false;
      this.#wait(RECONNECT_MS.first, RECONNECT_MS.longest, 0.5);
    });
  }

  get #deadlineMs() {
    return Math.min(DEADLINE_MS.first * 2 ** this.#overdue, DEADLINE_MS.longest);
  }

  #awaitHandshake() {
    clearTimeout(this.#handshake);
    this.#handshake = setTimeout(() => {
      if (this.socket.connected) return;
      this.#overdue += 1;
      this.overdue();
      // Not `engine.close()`: it waits for what is on its way, with a lost POST for ever.
      this.manager.engine.transport.close();
    }, this.#deadlineMs);
  }

  /** The socket is connected. */
  succeeded() {
    clearTimeout(this.#handshake);
    this.#overdue = 0;
  }

  /** The server says when to come back; its word counts for the next attempt. */
  announce(delayMs: number) {
    this.#isAnnounced = true;
    this.#wait(Math.max(delayMs, 1), Math.max(delayMs, 1), 0);
  }

  /** @returns The next one comes when the server said. */
  get isAnnounced(): boolean {
    return this.#isAnnounced;
  }

  #wait(firstMs: number, longestMs: number, jitter: number) {
    this.manager.randomizationFactor(jitter);
    this.manager.reconnectionDelayMax(longestMs);
    this.manager.reconnectionDelay(firstMs);
  }

  close() {
    clearTimeout(this.#handshake);
  }
}
