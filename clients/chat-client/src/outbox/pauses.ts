/** Rooms that wait after a temporary error, longer each time. */

import { backoffMs } from "./backoff.js";

export class Pauses {
  /** @type {Map<string, ReturnType<typeof setTimeout>>} */
  #timers = new Map();
  /** @type {Map<string, number>} Temporary errors in a row. */
  #failures = new Map();

  /** @param {(room: string) => void} over */
  constructor(over) {
    this.over = over;
  }

  /** @param {string} room */
  has(room) {
    return this.#timers.has(room);
  }

  /**
   * @param {string} room
   * @param {number} [retryAfter] The server's word, in ms.
   */
  begin(room, retryAfter) {
    const failures = (this.#failures.get(room) ?? 0) + 1;
    this.#failures.set(room, failures);
    const end = () => {
      this.#timers.delete(room);
      this.over(room);
    };
    this.#timers.set(room, setTimeout(end, backoffMs(failures, { retryAfter })));
  }

  /**
   * The next pause is a first one.
   *
   * @param {string} room
   */
  succeeded(room) {
    this.#failures.delete(room);
  }

  /** @param {string} room */
  end(room) {
    clearTimeout(this.#timers.get(room));
    this.#timers.delete(room);
    this.#failures.delete(room);
  }

  close() {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}
