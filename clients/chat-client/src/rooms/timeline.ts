/** A room's messages as they are to be shown: with the gaps between them, and what is unsent. */

import type { OutboxItem } from "../outbox/outbox.js";
import type { HistoryAck, HistoryPayload, Message } from "../wire.js";
import type { RoomState } from "./room-state.js";

/** Messages a page, if nothing else is asked for. */
const PAGE_MESSAGES = 50;

/** In a room in which everything changes all the time a page is taken as it is. */
const PAGE_ATTEMPTS = 3;

/** Messages that are not held: those between two numbers, which are. */
export interface Gap {
  kind: "gap";
  after: number;
  before: number;
}

export type TimelineEntry =
  /** `isChanging`: an edit, a deletion or a reaction of the user's own is on its way. */
  | { kind: "message"; message: Message; isChanging: boolean }
  | Gap
  /** One on its way; the copy does not change with it. */
  | { kind: "unsent"; item: OutboxItem };

export interface TimelineWiring {
  /** Nothing, if the room is not attended. */
  state: () => RoomState | undefined;
  outbox: () => OutboxItem[];
  history: (query: Omit<HistoryPayload, "room">) => Promise<HistoryAck>;
  /** @returns The message with the user's own changes that are under way. */
  shown: (message: Message) => Message;
  changed: () => void;
}

/**
 * Holds, besides the newest messages, as many older ones again; those farthest from what
 * was asked for last are let go of first.
 */
export class Timeline {
  #entries: readonly TimelineEntry[] | null = null;
  #firstAvailable = 1;

  constructor(
    readonly room: string,
    private readonly wiring: TimelineWiring,
  ) {}

  /** Oldest first; the same array until something is different. */
  get entries(): readonly TimelineEntry[] {
    this.#entries ??= this.#build();
    return this.#entries;
  }

  /** The server keeps messages that are older than the first entry. */
  get hasOlder(): boolean {
    return (this.#firstHeld ?? 0) > this.#firstAvailable;
  }

  /** @internal Something is different. */
  touch(): void {
    this.#entries = null;
    this.wiring.changed();
  }

  /**
   * Fetch what is above the first entry.
   *
   * @returns How many messages are new here.
   * @throws {ChatRequestError}
   */
  loadOlder = async (limit: number = PAGE_MESSAGES): Promise<number> => {
    const before = this.#firstHeld;
    if (before === undefined || !this.hasOlder) return 0;
    const { added, page } = await this.#fetch({ before, limit });
    // None are there, whatever the lowest number is that the server keeps for others.
    if (page && !page.more) this.#firstAvailable = page.messages[0]?.message ?? before;
    this.touch();
    return added;
  };

  /**
   * Fetch a part of a gap.
   *
   * @param from The end of the gap that is read: `older`, or `newer`.
   * @returns How many messages are new here.
   * @throws {ChatRequestError}
   */
  fill = async (
    gap: Gap,
    from: "older" | "newer" = "newer",
    limit: number = PAGE_MESSAGES,
  ): Promise<number> => {
    const { after, before } = gap;
    const { added } = await this.#fetch(from === "older" ? { after, limit } : { before, limit });
    this.touch();
    return added;
  };

  /**
   * Have a message and those around it among the entries.
   *
   * @param to Its number, or a time: the first message that was sent then or later.
   * @returns The number of the message to show; 0 in an empty room.
   * @throws {ChatRequestError}
   */
  jumpTo = async (to: number | Date | "newest", limit: number = PAGE_MESSAGES): Promise<number> => {
    const last = this.wiring.state()?.lastMessage ?? 0;
    if (to === "newest" || last === 0) return last;
    if (typeof to === "number" && this.#held().some(({ message }) => message === to)) return to;
    const place = typeof to === "number" ? { around: to } : { at: to.getTime() };
    const { page } = await this.#fetch({ ...place, limit });
    this.touch();
    return page?.around ?? (typeof to === "number" ? to : last);
  };

  get #firstHeld(): number | undefined {
    return this.#held()[0]?.message;
  }

  /** Ascending by number, with holes. */
  #held(): Message[] {
    const state = this.wiring.state();
    if (!state) return [];
    const first = state.messages[0]?.message ?? Infinity;
    return [...state.older.filter(({ message }) => message < first), ...state.messages];
  }

  #build(): TimelineEntry[] {
    const entries: TimelineEntry[] = [];
    let last: number | undefined;
    for (const held of this.#held()) {
      if (last !== undefined && held.message > last + 1) {
        entries.push({ kind: "gap", after: last, before: held.message });
      }
      const message = this.wiring.shown(held);
      entries.push({ kind: "message", message, isChanging: message !== held });
      last = held.message;
    }
    for (const item of this.wiring.outbox()) entries.push({ kind: "unsent", item: { ...item } });
    return entries;
  }

  /** @returns No page if the room was made anew, or left, while it was on its way. */
  async #fetch(
    query: Omit<HistoryPayload, "room">,
  ): Promise<{ added: number; page: HistoryAck | null }> {
    const state = this.wiring.state();
    const older = state?.older;
    let page: HistoryAck;
    let changes: number | undefined;
    let attempts = 0;
    // An event that overtakes a page of before it would be lost on the page's messages.
    do {
      changes = state?.changes;
      page = await this.wiring.history(query);
    } while (state?.changes !== changes && ++attempts < PAGE_ATTEMPTS);
    if (!state || this.wiring.state() !== state || state.older !== older) {
      return { added: 0, page: null };
    }
    this.#firstAvailable = Math.max(this.#firstAvailable, page.firstAvailable);
    return { added: state.hold(page.messages), page };
  }
}
