/** Who is typing: told seldom, believed briefly. */

/** While somebody types, the others are told this often. */
const REPEAT_MS = 3_000;
/** Without a key pressed for this long, nobody is typing any more. */
const IDLE_MS = 4_000;
/** A "typing" that is not repeated ends by itself: its "off" may have been lost. */
const EXPIRY_MS = 2 * REPEAT_MS;

/** This client's own typing, announced in one room after the other. */
export class TypingNotice {
  #room = "";
  #sentAt = -Infinity;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #idle;

  /** @param {(room: string, on: boolean) => void} send */
  constructor(send) {
    this.send = send;
  }

  /**
   * @param {string} room
   * @param {boolean} on
   */
  set(room, on) {
    if (room !== this.#room) this.#stop();
    if (!on) return this.#stop();
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.#stop(), IDLE_MS);
    if (Date.now() - this.#sentAt < REPEAT_MS) return;
    this.#room = room;
    this.#sentAt = Date.now();
    this.send(room, true);
  }

  #stop() {
    clearTimeout(this.#idle);
    if (this.#room) this.send(this.#room, false);
    this.#room = "";
    this.#sentAt = -Infinity;
  }

  close() {
    clearTimeout(this.#idle);
    this.#room = "";
  }
}

/** Who else is typing, by room. */
export class TypingUsers {
  /** @type {Map<string, Map<string, ReturnType<typeof setTimeout>>>} */
  #rooms = new Map();

  /** @param {(room: string) => void} changed */
  constructor(changed) {
    this.changed = changed;
  }

  /**
   * @param {string} room
   * @param {string} user
   * @param {boolean} on
   */
  set(room, user, on) {
    let users = this.#rooms.get(room);
    if (!users) this.#rooms.set(room, (users = new Map()));
    const was = users.get(user);
    if (was === undefined && !on) return;
    clearTimeout(was);
    if (on) users.set(user, setTimeout(() => this.set(room, user, false), EXPIRY_MS));
    else users.delete(user);
    if ((was !== undefined) !== on) this.changed(room);
  }

  /**
   * @param {string} room
   * @returns {string[]}
   */
  in(room) {
    return [...(this.#rooms.get(room)?.keys() ?? [])];
  }

  /** The connection is gone, and with it what was known. */
  clear() {
    for (const [room, users] of this.#rooms) {
      for (const timer of users.values()) clearTimeout(timer);
      const changed = users.size > 0;
      users.clear();
      if (changed) this.changed(room);
    }
    this.#rooms.clear();
  }
}
