/** Bytes of unsent images, kept over a reload in IndexedDB. */

import type { ByteStorage } from "../platform.js";

const DATABASE = "chatroom-outbox";
const STORE = "images";
/**
 * A browser may hold an open request for ever (another tab upgrades, a broken
 * profile); the outbox then goes on without.
 */
const DEADLINE_MS = 5_000;

class Timeout extends Error {}

function withDeadline<T>(
  start: (done: (value: T) => void, failed: (reason: unknown) => void) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Timeout("IndexedDB: timeout")), DEADLINE_MS);
    const end = (then: (value: any) => void) => (value: any) => {
      clearTimeout(timer);
      then(value);
    };
    start(end(resolve), end(reject));
  });
}

export class ImageStore implements ByteStorage {
  #database: Promise<IDBDatabase> | null = null;

  #open(): Promise<IDBDatabase> {
    this.#database ??= withDeadline((done, failed) => {
      const opening = indexedDB.open(DATABASE, 1);
      opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
      opening.onsuccess = () => done(opening.result);
      opening.onerror = () => failed(opening.error);
      opening.onblocked = () => failed(new Error("IndexedDB: blocked"));
    });
    return this.#database;
  }

  /** @returns Resolved when the transaction is complete. */
  async #run(mode: IDBTransactionMode, ask: (store: IDBObjectStore) => IDBRequest): Promise<any> {
    const database = this.#open();
    try {
      return await runIn(await database, mode, ask);
    } catch (error) {
      if (this.#database === database) this.#database = null;
      database.then((one) => one.close()).catch(() => undefined);
      if (error instanceof Timeout) throw error;
      // The browser has closed it, for memory or as its user cleared the site's data.
      return runIn(await this.#open(), mode, ask);
    }
  }

  /** @param images Of one message. */
  async set(key: string, images: Uint8Array[]): Promise<void> {
    await this.#run("readwrite", (store) => store.put(images, key));
  }

  async get(key: string): Promise<Uint8Array[] | undefined> {
    const found: Uint8Array[] | Uint8Array | undefined = await this.#run("readonly", (store) =>
      store.get(key),
    );
    // A page of before kept one alone.
    return found && (Array.isArray(found) ? found : [found]);
  }

  async remove(key: string): Promise<void> {
    await this.#run("readwrite", (store) => store.delete(key));
  }
}

function runIn(
  database: IDBDatabase,
  mode: IDBTransactionMode,
  ask: (store: IDBObjectStore) => IDBRequest,
): Promise<any> {
  return withDeadline((done, failed) => {
    const transaction = database.transaction(STORE, mode);
    const asked = ask(transaction.objectStore(STORE));
    transaction.oncomplete = () => done(asked.result);
    transaction.onabort = () => failed(transaction.error);
  });
}
