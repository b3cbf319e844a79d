/** Read marks on their way to the server: few, the newest only, never backwards. */

import type { ChatRequestError } from "../connection/errors.js";

/** Reading on moves the mark many times a second; the others need it twice. */
const INTERVAL_MS = 500;
/** After a temporary error. A mark is not urgent while the server has troubles. */
const RETRY_MS = 3_000;

export interface ReadMarksWiring {
  send: (room: string, message: number) => Promise<unknown>;
  /**
   * The room is attended: before, a mark may be of a past that was lost, and mean messages
   * that were never read.
   */
  isReady: (room: string) => boolean;
  intervalMs?: number;
}

export class ReadMarks {
  /** The mark to be sent, a room. */
  #wanted = new Map<string, number>();
  #timers = new Map<string, ReturnType<typeof setTimeout>>();
  #inFlight = new Set<string>();
  #isClosed = false;

  constructor(readonly wiring: ReadMarksWiring) {}

  /** Have a mark sent: the first at once, those that follow at most every interval. */
  want(room: string, message: number) {
    if (message <= (this.#wanted.get(room) ?? 0)) return;
    this.#wanted.set(room, message);
    if (!this.#timers.has(room)) void this.#flush(room);
  }

  /** The server's mark is known to stand at `message`: nothing lower is worth sending. */
  known(room: string, message: number) {
    if (message >= (this.#wanted.get(room) ?? 0)) this.#wanted.delete(room);
  }

  /** The room is attended (again): send what could not be sent before. */
  resume(room: string) {
    if (!this.#timers.has(room)) void this.#flush(room);
  }

  async #flush(room: string) {
    const message = this.#wanted.get(room);
    if (
      message === undefined ||
      this.#isClosed ||
      !this.wiring.isReady(room) ||
      this.#inFlight.has(room)
    )
      return;
    this.#inFlight.add(room);
    let pauseMs = this.wiring.intervalMs ?? INTERVAL_MS;
    try {
      await this.wiring.send(room, message);
      this.known(room, message);
    } catch (error) {
      const { temporary, retryAfter = 0 } = error as ChatRequestError;
      pauseMs = Math.max(RETRY_MS, retryAfter);
      if (!temporary) this.known(room, message);
    } finally {
      this.#inFlight.delete(room);
    }
    this.#timers.set(
      room,
      setTimeout(() => {
        this.#timers.delete(room);
        void this.#flush(room);
      }, pauseMs),
    );
  }

  forget(room: string) {
    clearTimeout(this.#timers.get(room));
    this.#timers.delete(room);
    this.#wanted.delete(room);
  }

  close() {
    this.#isClosed = true;
    for (const room of [...this.#timers.keys()]) this.forget(room);
    this.#wanted.clear();
  }
}
