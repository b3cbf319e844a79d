/** Who is typing: told seldom, believed briefly. */

import { systemClock } from "../platform.js";

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
  #idle: ReturnType<typeof setTimeout> | undefined;

  constructor(
    readonly send: (room: string, on: boolean) => void,
    readonly now: () => number = systemClock,
  ) {}

  set(room: string, on: boolean) {
    if (room !== this.#room) this.#stop();
    if (!on) return this.#stop();
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.#stop(), IDLE_MS);
    if (this.now() - this.#sentAt < REPEAT_MS) return;
    this.#room = room;
    this.#sentAt = this.now();
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
  #rooms = new Map<string, Map<string, ReturnType<typeof setTimeout>>>();

  constructor(readonly changed: (room: string) => void) {}

  set(room: string, user: string, on: boolean) {
    let users = this.#rooms.get(room);
    if (!users) this.#rooms.set(room, (users = new Map()));
    const was = users.get(user);
    if (was === undefined && !on) return;
    clearTimeout(was);
    const expire = () => this.set(room, user, false);
    if (on) users.set(user, setTimeout(expire, EXPIRY_MS));
    else users.delete(user);
    if ((was !== undefined) !== on) this.changed(room);
  }

  in(room: string): string[] {
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
