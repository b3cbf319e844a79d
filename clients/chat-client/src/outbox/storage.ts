/** Where unsent messages wait out a reload. Any object with these four methods does. */

import { ImageStore } from "../web/image-store.js";
import type { OutboxItem } from "./outbox.js";

export interface OutboxStorage {
  /** Everything that waits, in any order. */
  load: () => Promise<OutboxItem[]>;
  /** Writes or replaces; rejects if it cannot be kept. */
  put: (item: OutboxItem) => Promise<void>;
  remove: (clientId: string) => Promise<void>;
  /** False once another tab has settled it. */
  has: (clientId: string) => boolean;
}

/** Keeps what it was given as long as the object is there: for servers and tests. */
export class MemoryOutboxStorage {
  #items: Map<string, OutboxItem> = new Map();

  async load() {
    return [...this.#items.values()].map((item) => ({ ...item }));
  }

  async put(item: OutboxItem) {
    this.#items.set(item.clientId, { ...item });
  }

  async remove(clientId: string) {
    this.#items.delete(clientId);
  }

  has(clientId: string) {
    return this.#items.has(clientId);
  }
}

/** Where nothing outlives the page; each message says so. */
class NoOutboxStorage {
  async load(): Promise<OutboxItem[]> {
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
  prefix;
  web;
  images;
  /** @param owner Whose outbox: server address and user id. */
  constructor(
    owner: string,
    { web = localStorage, images = new ImageStore() }: { web?: Storage; images?: ImageStore } = {},
  ) {
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

  /** @returns Not so for "Ann" if it is of "Ann Lee": a `clientId` has no space. */
  #isOwn(key: string): boolean {
    return key.slice(0, key.lastIndexOf(" ") + 1) === this.prefix;
  }

  /** @returns Null, and the entry is gone, if it is no message. */
  #parse(key: string): OutboxItem | null {
    try {
      const item = JSON.parse(this.web.getItem(key) ?? "");
      if (typeof item.clientId === "string" && typeof item.room === "string") return item;
    } catch {
      // Not JSON: falls through to be removed, for nobody could ever send it.
    }
    this.web.removeItem(key);
    return null;
  }

  async put({ images, ...item }: OutboxItem) {
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

  async remove(clientId: string) {
    const key = this.prefix + clientId;
    const hadImage = this.web.getItem(key)?.includes('"type":"image"');
    this.web.removeItem(key);
    if (hadImage) await this.images.remove(clientId);
  }

  has(clientId: string) {
    return this.web.getItem(this.prefix + clientId) !== null;
  }
}

/** @returns What this environment offers. */
export function defaultStorage(owner: string): OutboxStorage {
  try {
    // In an Android WebView it is null, unless the app wants it.
    if (localStorage !== null) return new WebOutboxStorage(owner);
  } catch {
    // There is none here (Node), or the browser refuses it (blocked site data).
  }
  return new NoOutboxStorage();
}
