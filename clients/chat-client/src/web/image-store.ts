/** Bytes of unsent images, kept over a reload in IndexedDB. */

const DATABASE = "chatroom-outbox";
const STORE = "images";
/** A browser may hold an open request for ever (another tab upgrades, a broken
 * profile); the outbox then goes on without. */
const DEADLINE_MS = 5_000;

class Timeout extends Error {}

/**
 * @template T
 * @param {(done: (value: T) => void, failed: (reason: unknown) => void) => void} start
 * @returns {Promise<T>}
 */
function withDeadline(start) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Timeout("IndexedDB: timeout")), DEADLINE_MS);
    const end = (/** @type {(value: any) => void} */ then) => (/** @type {any} */ value) => {
      clearTimeout(timer);
      then(value);
    };
    start(end(resolve), end(reject));
  });
}

export class ImageStore {
  /** @type {Promise<IDBDatabase> | null} */
  #database = null;

  /** @returns {Promise<IDBDatabase>} */
  #open() {
    this.#database ??= withDeadline((done, failed) => {
      const opening = indexedDB.open(DATABASE, 1);
      opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
      opening.onsuccess = () => done(opening.result);
      opening.onerror = () => failed(opening.error);
      opening.onblocked = () => failed(new Error("IndexedDB: blocked"));
    });
    return this.#database;
  }

  /**
   * @param {IDBTransactionMode} mode
   * @param {(store: IDBObjectStore) => IDBRequest} ask
   * @returns {Promise<any>} Resolved when the transaction is complete.
   */
  async #run(mode, ask) {
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

  /**
   * @param {string} key
   * @param {Uint8Array[]} images Of one message.
   */
  async put(key, images) {
    await this.#run("readwrite", (store) => store.put(images, key));
  }

  /**
   * @param {string} key
   * @returns {Promise<Uint8Array[] | Uint8Array | undefined>} A page of before kept one alone.
   */
  get(key) {
    return this.#run("readonly", (store) => store.get(key));
  }

  /** @param {string} key */
  async remove(key) {
    await this.#run("readwrite", (store) => store.delete(key));
  }
}

/**
 * @param {IDBDatabase} database
 * @param {IDBTransactionMode} mode
 * @param {(store: IDBObjectStore) => IDBRequest} ask
 * @returns {Promise<any>}
 */
function runIn(database, mode, ask) {
  return withDeadline((done, failed) => {
    const transaction = database.transaction(STORE, mode);
    const asked = ask(transaction.objectStore(STORE));
    transaction.oncomplete = () => done(asked.result);
    transaction.onabort = () => failed(transaction.error);
  });
}
