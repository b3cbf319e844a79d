/** What the tests share: messages, acks, and a way to let promises run. */

/** Enough turns of the microtask queue for any chain of promises in the module. */
export async function settled() {
  for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
}

/** @param {number} number @param {object} [more] */
export function message(number, more = {}) {
  return {
    offset: number,
    uid: `u${number}`,
    message: number,
    room: "42",
    user: "ben",
    type: "text",
    text: `text ${number}`,
    clientId: `c${number}`,
    at: 1_000 + number,
    ...more,
  };
}

/** @param {any[]} messages @param {object} [more] */
export function joinAck(messages, more = {}) {
  const last = messages.at(-1);
  return {
    ok: true,
    room: "42",
    cursor: last ? `${last.offset}:${last.uid}` : "0:",
    recovered: false,
    events: messages.map((one) => ["message", one]),
    lastMessage: last?.message ?? 0,
    lastReadMessage: 0,
    unread: last?.message ?? 0,
    reads: { ann: 0, ben: last?.message ?? 0 },
    online: ["ann"],
    onlineCount: 1,
    memberCount: 2,
    ...more,
  };
}

/** A promise with its handles outside. */
export function deferred() {
  let resolve = (/** @type {any} */ _value) => {};
  let reject = (/** @type {any} */ _error) => {};
  const promise = new Promise((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

/** Keeps unsent messages as long as the object is there, as another start would find them. */
export class MemoryOutboxStorage {
  /** @type {Map<string, any>} */
  #items = new Map();

  async load() {
    return [...this.#items.values()].map((item) => ({ ...item }));
  }

  async put(/** @type {any} */ item) {
    this.#items.set(item.clientId, { ...item });
  }

  async remove(/** @type {string} */ clientId) {
    this.#items.delete(clientId);
  }

  async has(/** @type {string} */ clientId) {
    return this.#items.has(clientId);
  }
}
