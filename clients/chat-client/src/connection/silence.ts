/** The line under a connection, watched. */

import type { Manager } from "socket.io-client";
import { systemClock } from "../platform.js";

/**
 * Notices a line that is dead without a word. After a sleep timers go on where they stood,
 * so the engine's own would take most of a minute; the clock knows better.
 */
export class Silence {
  #heardAt = 0;
  /** Between two pings of the server, at most; its own word. */
  #longestMs = Infinity;

  constructor(
    readonly manager: Manager,
    readonly now: () => number = systemClock,
  ) {
    manager.on("ping", () => (this.#heardAt = this.now()));
    // The attempt's engine is made right after this event.
    manager.on("reconnect_attempt", () => queueMicrotask(() => this.watch()));
  }

  /** The manager has made another engine. */
  watch() {
    this.manager.engine.once("handshake", ({ pingInterval, pingTimeout }) => {
      this.#longestMs = pingInterval + pingTimeout;
      this.#heardAt = this.now();
    });
  }

  /** @returns A living server would have been heard. */
  get isTooLong(): boolean {
    return this.now() - this.#heardAt > this.#longestMs;
  }
}
