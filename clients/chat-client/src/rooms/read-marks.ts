/** Read marks on their way to the server: few, the newest only, never backwards. */

/** Reading on moves the mark many times a second; the others need it twice. */
const INTERVAL_MS = 500;
/** After a temporary error. A mark is not urgent while the server has troubles. */
const RETRY_MS = 3_000;

export class ReadMarks {
  /** @type {Map<string, number>} The mark to be sent, a room. */
  #wanted = new Map();
  /** @type {Map<string, ReturnType<typeof setTimeout>>} */
  #timers = new Map();
  /** @type {Set<string>} */
  #inFlight = new Set();

  /**
   * @param {object} wiring
   * @param {(room: string, message: number) => Promise<any>} wiring.send
   * @param {(room: string) => boolean} wiring.isReady The room is attended: before, a mark
   *   may be of a past that was lost, and mean messages that were never read.
   * @param {number} [wiring.intervalMs]
   */
  constructor({ send, isReady, intervalMs = INTERVAL_MS }) {
    this.send = send;
    this.isReady = isReady;
    this.intervalMs = intervalMs;
  }

  /**
   * Have a mark sent: the first at once, those that follow at most every interval.
   *
   * @param {string} room
   * @param {number} message
   */
  want(room, message) {
    if (message <= (this.#wanted.get(room) ?? 0)) return;
    this.#wanted.set(room, message);
    if (!this.#timers.has(room)) void this.#flush(room);
  }

  /**
   * The server's mark is known to stand at `message`: nothing lower is worth sending.
   *
   * @param {string} room
   * @param {number} message
   */
  known(room, message) {
    if (message >= (this.#wanted.get(room) ?? 0)) this.#wanted.delete(room);
  }

  /**
   * The room is attended (again): send what could not be sent before.
   *
   * @param {string} room
   */
  resume(room) {
    if (!this.#timers.has(room)) void this.#flush(room);
  }

  /** @param {string} room */
  async #flush(room) {
    const message = this.#wanted.get(room);
    if (message === undefined || !this.isReady(room) || this.#inFlight.has(room)) return;
    this.#inFlight.add(room);
    let pauseMs = this.intervalMs;
    try {
      await this.send(room, message);
      this.known(room, message);
    } catch (error) {
      const { temporary, retryAfter = 0 } = /** @type {any} */ (error);
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

  /** @param {string} room */
  forget(room) {
    clearTimeout(this.#timers.get(room));
    this.#timers.delete(room);
    this.#wanted.delete(room);
  }

  close() {
    this.isReady = () => false;
    for (const room of [...this.#timers.keys()]) this.forget(room);
    this.#wanted.clear();
  }
}
