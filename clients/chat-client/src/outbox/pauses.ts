/** Rooms that wait after a temporary error, longer each time. */

import { backoffMs } from "../connection/backoff.js";

export class Pauses {
  #timers = new Map<string, ReturnType<typeof setTimeout>>();
  /** Temporary errors in a row. */
  #failures = new Map<string, number>();

  constructor(readonly over: (room: string) => void) {}

  has(room: string) {
    return this.#timers.has(room);
  }

  /** @param retryAfter The server's word, in ms. */
  begin(room: string, retryAfter?: number) {
    const failures = (this.#failures.get(room) ?? 0) + 1;
    this.#failures.set(room, failures);
    const end = () => {
      this.#timers.delete(room);
      this.over(room);
    };
    this.#timers.set(room, setTimeout(end, backoffMs(failures, { retryAfter })));
  }

  /** The next pause is a first one. */
  succeeded(room: string) {
    this.#failures.delete(room);
  }

  end(room: string) {
    clearTimeout(this.#timers.get(room));
    this.#timers.delete(room);
    this.#failures.delete(room);
  }

  close() {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}
