/** What users are called: as events said, or as the server says when it is asked. */

import type { Profile } from "../wire.js";

/** Users of one request, as the server allows. */
const ASKED_TOGETHER = 100;
/** Names kept; the first known are forgotten first. */
const MOST = 10_000;

export class Names {
  #names = new Map<string, string>();
  /** Users that were asked for over this connection. */
  #asked = new Set<string>();

  constructor(
    readonly wiring: {
      ask: (room: string, users: string[]) => Promise<{ users: Profile[] }>;
      /** Somebody is called otherwise now. */
      changed: () => void;
    },
  ) {}

  /** @returns Their name, or the id of who has none. */
  of(user: string): string {
    return this.#names.get(user) ?? user;
  }

  /** @param event Anything with a user, and perhaps a name. */
  seen({ user, name }: { user?: string; name?: string }) {
    if (user && name) this.#set([{ user, name }]);
  }

  /**
   * Learn what people are called who have not said anything yet.
   *
   * @param room Whose members they are.
   */
  async want(room: string, users: Iterable<string>) {
    const unknown = [...users].filter((user) => !this.#names.has(user) && !this.#asked.has(user));
    const some = unknown.slice(0, ASKED_TOGETHER);
    if (some.length === 0) return;
    for (const user of some) this.#asked.add(user);
    try {
      this.#set((await this.wiring.ask(room, some)).users);
    } catch {
      // They are shown by id, and asked for when the room is joined again.
      for (const user of some) this.#asked.delete(user);
    }
  }

  /** Names may have changed meanwhile. */
  disconnected() {
    this.#asked.clear();
  }

  #set(found: Profile[]) {
    let isNew = false;
    for (const { user, name } of found) {
      if (!name || this.#names.get(user) === name) continue;
      this.#names.delete(user);
      this.#names.set(user, name);
      isNew = true;
    }
    for (const [oldest] of this.#names) {
      if (this.#names.size <= MOST) break;
      this.#names.delete(oldest);
    }
    if (isNew) this.wiring.changed();
  }
}
