/** The smallest event emitter that does the job: `on` returns its own undo. */

export class Emitter {
  /** @type {Map<string, Set<(payload: any) => void>>} */
  #listeners = new Map();

  /**
   * Call `listener` with every `name` event from now on.
   *
   * @param {string} name
   * @param {(payload: any) => void} listener
   * @returns {() => void} Ends it.
   */
  on(name, listener) {
    let listeners = this.#listeners.get(name);
    if (!listeners) this.#listeners.set(name, (listeners = new Set()));
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  /**
   * Call the listeners of `name` in the order in which they were added. One that
   * throws keeps neither the others nor the caller from their work: its error is
   * reported on its own.
   *
   * @param {string} name
   * @param {any} [payload]
   */
  emit(name, payload) {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) {
      try {
        listener(payload);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
