/** The smallest event emitter that does the job: `on` returns its own undo. */

export class Emitter<Events = Record<string, any>> {
  #listeners = new Map<keyof Events, Set<(payload: any) => void>>();

  /**
   * Call `listener` with every `name` event from now on.
   *
   * @returns Ends it.
   */
  on<Name extends keyof Events>(name: Name, listener: (payload: Events[Name]) => void): () => void {
    let listeners = this.#listeners.get(name);
    if (!listeners) this.#listeners.set(name, (listeners = new Set()));
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  /**
   * Call the listeners of `name` in the order in which they were added. One that
   * throws keeps neither the others nor the caller from their work: its error is
   * reported on its own.
   */
  emit<Name extends keyof Events>(name: Name, payload: Events[Name]): void {
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
