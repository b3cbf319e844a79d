/** Where unsent messages wait out a reload. Any object with these four methods does. */

import { ImageStore } from "./image-store.js";

/**
 * @typedef {import("./outbox.js").OutboxItem} OutboxItem
 * @typedef {object} OutboxStorage
 * @property {() => Promise<OutboxItem[]>} load Everything that waits, in any order.
 * @property {(item: OutboxItem) => Promise<void>} put Writes or replaces; rejects if it
 *   cannot be kept.
 * @property {(clientId: string) => Promise<void>} remove
 * @property {(clientId: string) => boolean} has False once another tab has settled it.
 */

/** Keeps what it was given as long as the object is there: for servers and tests. */
export class MemoryOutboxStorage {
  /** @type {Map<string, OutboxItem>} */
  #items = new Map();

  async load() {
    return [...this.#items.values()].map((item) => ({ ...item }));
  }

  /** @param {OutboxItem} item */
  async put(item) {
    this.#items.set(item.clientId, { ...item });
  }

  /** @param {string} clientId */
  async remove(clientId) {
    this.#items.delete(clientId);
  }

  /** @param {string} clientId */
  has(clientId) {
    return this.#items.has(clientId);
  }
}

/** Where nothing outlives the page; each message says so. */
class NoOutboxStorage {
  /** @returns {Promise<OutboxItem[]>} */
  async load() {
    return [];
  }

  async put() {
    throw new Error("Nothing is kept here.");
  }

  async remove() {}

  has() {
    return false;
  }
}

/**
 * Texts in `localStorage`, one key a message, so that they are safe the moment `put` is
 * called and tabs of one user do not overwrite each other's; image bytes in IndexedDB.
 */
export class WebOutboxStorage {
  /**
   * @param {string} owner Whose outbox: server address and user id.
   * @param {{web?: Storage, images?: ImageStore}} [parts]
   */
  constructor(owner, { web = localStorage, images = new ImageStore() } = {}) {
    this.prefix = `chatroom.outbox ${owner} `;
    this.web = web;
    this.images = images;
  }

  async load() {
    const keys = Object.keys(this.web).filter((key) => this.#isOwn(key));
    const items = keys.map((key) => this.#parse(key)).filter((item) => item !== null);
    const images = items.filter(({ type }) => type === "image");
    // All at once: a database that hangs costs its deadline once.
    await Promise.all(
      images.map(async (item) => {
        const found = await this.images.get(item.clientId).catch(() => undefined);
        item.images = found && (Array.isArray(found) ? found : [found]);
      }),
    );
    return items;
  }

  /**
   * @param {string} key
   * @returns {boolean} Not so for "Ann" if it is of "Ann Lee": a `clientId` has no space.
   */
  #isOwn(key) {
    return key.slice(0, key.lastIndexOf(" ") + 1) === this.prefix;
  }

  /**
   * @param {string} key
   * @returns {OutboxItem | null} Null, and the entry is gone, if it is no message.
   */
  #parse(key) {
    try {
      const item = JSON.parse(this.web.getItem(key) ?? "");
      if (typeof item.clientId === "string" && typeof item.room === "string") return item;
    } catch {
      // Not JSON: falls through to be removed, for nobody could ever send it.
    }
    this.web.removeItem(key);
    return null;
  }

  /** @param {OutboxItem} item */
  async put({ images, ...item }) {
    // The bytes never change: once is enough. They come first, for another tab may read
    // the entry as soon as it is there.
    const isNew = images && item.attempts === 0;
    if (isNew) await this.images.put(item.clientId, images);
    try {
      this.web.setItem(this.prefix + item.clientId, JSON.stringify(item));
    } catch (error) {
      if (isNew) await this.images.remove(item.clientId);
      throw error;
    }
  }

  /** @param {string} clientId */
  async remove(clientId) {
    const key = this.prefix + clientId;
    const hadImage = this.web.getItem(key)?.includes('"type":"image"');
    this.web.removeItem(key);
    if (hadImage) await this.images.remove(clientId);
  }

  /** @param {string} clientId */
  has(clientId) {
    return this.web.getItem(this.prefix + clientId) !== null;
  }
}

/**
 * @param {string} owner
 * @returns {OutboxStorage} What this environment offers.
 */
export function defaultStorage(owner) {
  try {
    // In an Android WebView it is null, unless the app wants it.
    if (localStorage !== null) return new WebOutboxStorage(owner);
  } catch {
    // There is none here (Node), or the browser refuses it (blocked site data).
  }
  return new NoOutboxStorage();
}
