/** Where unsent messages wait out a restart. */

import type { ByteStorage, Platform, TextStorage } from "../platform.js";
import type { OutboxItem } from "./outbox.js";

export interface OutboxStorage {
  /** Everything that waits, in any order. */
  load: () => Promise<OutboxItem[]>;
  /** Writes or replaces; rejects if it cannot be kept. */
  put: (item: OutboxItem) => Promise<void>;
  remove: (clientId: string) => Promise<void>;
  /** False once another tab has settled it. */
  has: (clientId: string) => Promise<boolean>;
}

/** Where nothing outlives the program; each message says so. */
class NoOutboxStorage implements OutboxStorage {
  async load(): Promise<OutboxItem[]> {
    return [];
  }

  async put(): Promise<void> {
    throw new Error("Nothing is kept here.");
  }

  async remove(): Promise<void> {}

  async has(): Promise<boolean> {
    return false;
  }
}

/**
 * One text a message, so that tabs of one user do not overwrite each other's; the bytes of
 * images beside it.
 */
export class KeptOutbox implements OutboxStorage {
  readonly prefix: string;

  /** @param owner Whose outbox: server address and user id. */
  constructor(
    owner: string,
    readonly texts: TextStorage,
    readonly bytes: ByteStorage | null,
  ) {
    this.prefix = `chatroom.outbox ${owner} `;
  }

  async load(): Promise<OutboxItem[]> {
    const keys = (await this.texts.keys()).filter((key) => this.#isOwn(key));
    const found = await Promise.all(keys.map((key) => this.#read(key)));
    const items = found.filter((item) => item !== null);
    // All at once: a database that hangs costs its deadline once.
    await Promise.all(
      items.map(async (item) => {
        if (item.type !== "image") return;
        item.images = await this.bytes?.get(item.clientId).catch(() => undefined);
      }),
    );
    return items;
  }

  /** Not so for "Ann" if it is of "Ann Lee": a `clientId` has no space. */
  #isOwn(key: string): boolean {
    return key.slice(0, key.lastIndexOf(" ") + 1) === this.prefix;
  }

  /** @returns Null, and the entry is gone, if it is no message. */
  async #read(key: string): Promise<OutboxItem | null> {
    try {
      const item = JSON.parse((await this.texts.get(key)) ?? "");
      if (typeof item.clientId === "string" && typeof item.room === "string") return item;
    } catch {
      // Not JSON: falls through to be removed, for nobody could ever send it.
    }
    await this.texts.remove(key);
    return null;
  }

  async put({ images, ...item }: OutboxItem): Promise<void> {
    // The bytes never change: once is enough. They come first, for another tab may read
    // the entry as soon as it is there.
    const isNew = images && item.attempts === 0;
    if (isNew) {
      if (!this.bytes) throw new Error("Images are not kept here.");
      await this.bytes.set(item.clientId, images);
    }
    try {
      await this.texts.set(this.prefix + item.clientId, JSON.stringify(item));
    } catch (error) {
      if (isNew) await this.bytes?.remove(item.clientId);
      throw error;
    }
  }

  async remove(clientId: string): Promise<void> {
    const key = this.prefix + clientId;
    const hadImage = (await this.texts.get(key))?.includes('"type":"image"');
    await this.texts.remove(key);
    if (hadImage) await this.bytes?.remove(clientId);
  }

  async has(clientId: string): Promise<boolean> {
    return (await this.texts.get(this.prefix + clientId)) !== null;
  }
}

export function outboxStorage(owner: string, { texts, bytes }: Platform): OutboxStorage {
  return texts ? new KeptOutbox(owner, texts, bytes) : new NoOutboxStorage();
}
