/** What users are called: as events said, or as the server says when it is asked. */

/** Users of one request, as the server allows. */
const ASKED_TOGETHER = 100;
/** Names kept; the first known are forgotten first. */
const MOST = 10_000;

export class Names {
  /** @type {Map<string, string>} */
  #names = new Map();
  /** @type {Set<string>} Users that were asked for over this connection. */
  #asked = new Set();

  /**
   * @param {object} parts
   * @param {(room: string, users: string[]) => Promise<{users: {user: string, name?: string}[]}>} parts.ask
   * @param {() => void} parts.changed Somebody is called otherwise now.
   */
  constructor({ ask, changed }) {
    this.ask = ask;
    this.changed = changed;
  }

  /**
   * @param {string} user
   * @returns {string} Their name, or the id of who has none.
   */
  of(user) {
    return this.#names.get(user) ?? user;
  }

  /** @param {{user?: string, name?: string}} event Anything with a user, and perhaps a name. */
  seen({ user, name }) {
    if (user && name) this.#set([{ user, name }]);
  }

  /**
   * Learn what people are called who have not said anything yet.
   *
   * @param {string} room Whose members they are.
   * @param {Iterable<string>} users
   */
  async want(room, users) {
    const unknown = [...users].filter((user) => !this.#names.has(user) && !this.#asked.has(user));
    const some = unknown.slice(0, ASKED_TOGETHER);
    if (some.length === 0) return;
    for (const user of some) this.#asked.add(user);
    try {
      this.#set((await this.ask(room, some)).users);
    } catch {
      // They are shown by id, and asked for when the room is joined again.
      for (const user of some) this.#asked.delete(user);
    }
  }

  /** Names may have changed meanwhile. */
  disconnected() {
    this.#asked.clear();
  }

  /** @param {{user: string, name?: string}[]} found */
  #set(found) {
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
    if (isNew) this.changed();
  }
}
