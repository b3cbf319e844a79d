/** What was written and not sent yet, by room; it outlives the program. */

import type { Platform } from "./platform.js";

/** Somebody who writes is not waited for with every key. */
const PAUSE_MS = 400;

export class Drafts {
  #texts = new Map<string, string>();
  /** Rooms whose draft is not written down as it is now. */
  #unsaved = new Map<string, ReturnType<typeof setTimeout>>();
  readonly #prefix: string;

  /**
   * @param owner Whose drafts: server address and user id.
   * @param changed A draft is another one.
   */
  constructor(
    owner: string,
    private readonly storage: Platform["texts"],
    private readonly changed: (room: string) => void,
  ) {
    this.#prefix = `chatroom.draft ${owner} `;
  }

  /** @internal Take up those of before; what was written meanwhile stays. */
  async load(): Promise<void> {
    const keys = (await this.storage?.keys().catch(() => [])) ?? [];
    // A room's id has no space: not those of "Ann Lee" for "Ann".
    const own = keys.filter((key) => key.slice(0, key.lastIndexOf(" ") + 1) === this.#prefix);
    for (const key of own) {
      const text = await this.storage?.get(key).catch(() => null);
      const room = key.slice(this.#prefix.length);
      if (!text || this.#texts.has(room) || this.#unsaved.has(room)) continue;
      this.#texts.set(room, text);
      this.changed(room);
    }
  }

  /** @returns Nothing written: an empty text. */
  get(room: string): string {
    return this.#texts.get(room) ?? "";
  }

  /** @returns The rooms that have one. */
  get rooms(): string[] {
    return [...this.#texts.keys()];
  }

  /** Call it with every key. An empty text ends the draft, as sending it does. */
  set(room: string, text: string): void {
    if (text === this.get(room)) return;
    if (text) this.#texts.set(room, text);
    else this.#texts.delete(room);
    clearTimeout(this.#unsaved.get(room));
    this.#unsaved.set(
      room,
      setTimeout(() => void this.#save(room), PAUSE_MS),
    );
    this.changed(room);
  }

  /** Write down at once what is not yet: the program may end. */
  async flush(): Promise<void> {
    await Promise.all([...this.#unsaved.keys()].map((room) => this.#save(room)));
  }

  async #save(room: string): Promise<void> {
    clearTimeout(this.#unsaved.get(room));
    this.#unsaved.delete(room);
    const key = this.#prefix + room;
    const text = this.#texts.get(room);
    // Full or forbidden: it lasts as long as the program.
    await (text ? this.storage?.set(key, text) : this.storage?.remove(key))?.catch(() => undefined);
  }
}
