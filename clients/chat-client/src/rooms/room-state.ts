/** One room as this client knows it. Pure: no socket, no timer, no DOM. */

import { formatCursor, parseCursor, type Cursor } from "./cursor.js";
import { applyChange } from "./changes.js";
import type { HistoryAck, JoinAck, Message, Presence, RoomState as WireState } from "../wire.js";

type Page = Pick<HistoryAck, "messages" | "more"> & Partial<HistoryAck>;
type Standing = Pick<WireState, "reads" | "online"> & Partial<WireState>;

/** Messages kept a room. Older ones come back through `history`. */
export const KEEP_MESSAGES = 1_000;

export class RoomState {
  cursor: Cursor | null = null;
  /** Ascending by number. */
  messages: Message[] = [];
  /**
   * Messages below those that a timeline has asked for; ascending, with holes. Replaced,
   * not emptied, when the room is made anew.
   */
  older: Message[] = [];
  /** Events that have changed messages so far. */
  changes = 0;
  /** Older messages than the first held exist on the server. */
  hasOlder = false;
  /** Why no older ones can be shown: they were trimmed away by the server. */
  olderAreGone = false;
  /** Numbers of the pinned messages, in the order of their pins. */
  pins: number[] = [];
  lastMessage = 0;
  lastReadMessage = 0;
  /** Messages above the mark that are not held and count for nothing: deleted ones. */
  goneUnheld = 0;
  /** How far each member has read; null in a room too large for it. */
  reads: Map<string, number> | null = null;
  /** Who is here now; null in a room too large for it. */
  online: Set<string> | null = null;
  onlineCount = 0;
  memberCount = 0;

  /**
   * @param user This client's own user id.
   * @param keep Messages kept at most.
   */
  constructor(
    readonly room: string,
    readonly user: string | null,
    readonly keep: number = KEEP_MESSAGES,
  ) {}

  /** Messages above the own mark that are not deleted. */
  get unread() {
    const { above, unheld } = this.#aboveMark();
    const there = above.filter(({ type }) => type !== "deleted");
    return there.length + Math.max(0, unheld - this.goneUnheld);
  }

  /** The held messages above the own mark, and how many there are that are not held. */
  #aboveMark() {
    let at = this.messages.length;
    while (at > 0 && this.messages[at - 1].message > this.lastReadMessage) at -= 1;
    const above = this.messages.slice(at);
    const all = Math.max(0, this.lastMessage - this.lastReadMessage);
    return { above, unheld: Math.max(0, all - above.length) };
  }

  /** @internal @param message One that is not held was deleted. */
  deletedUnheld(message: number) {
    if (message > this.lastReadMessage) this.goneUnheld += 1;
  }

  /** @returns What to resume from. */
  get cursorText(): string | undefined {
    return this.cursor ? formatCursor(this.cursor) : undefined;
  }

  /** @internal Forget where we are, so that the next join takes the room as it is. */
  forgetCursor() {
    this.cursor = null;
  }

  /**
   * @internal
   * Take the ack of `join`, or a room's part of the ack of `sync`.
   *
   * @returns `replaced`: what was held is not the room's past any more, and `messages` was
   *   made anew.
   */
  applyJoin(ack: JoinAck): { replaced: boolean; applied: [string, any][] } {
    const applied: [string, any][] = [];
    if (ack.recovered) {
      for (const [name, payload] of ack.events) {
        if (this.applyEvent(name, payload) === "applied") applied.push([name, payload]);
      }
    } else {
      this.messages = ack.events.map((event) => event[1] as Message);
      this.older = [];
      this.cursor = parseCursor(ack.cursor);
      this.hasOlder = this.messages.length > 0 && this.messages[0].message > 1;
      this.olderAreGone = false;
    }
    this.lastMessage = Math.max(ack.recovered ? this.lastMessage : 0, ack.lastMessage);
    this.lastReadMessage = ack.lastReadMessage;
    this.pins = [...(ack.pins ?? [])];
    this.#countGone(ack);
    this.applyStanding(ack);
    return { replaced: !ack.recovered, applied };
  }

  #countGone({
    lastMessage,
    lastReadMessage,
    unread,
  }: {
    lastMessage: number;
    lastReadMessage: number;
    unread: number;
  }) {
    const { above } = this.#aboveMark();
    const held = above.filter(({ type }) => type === "deleted").length;
    this.goneUnheld = Math.max(0, lastMessage - lastReadMessage - unread - held);
  }

  /**
   * @internal
   * Take who is here and how far each has read: from an ack, or after a gap in what
   * the server itself heard.
   */
  applyStanding({ reads, online, onlineCount, memberCount }: Standing) {
    this.reads = reads ? new Map(Object.entries(reads)) : null;
    this.online = online ? new Set(online) : null;
    this.onlineCount = onlineCount ?? this.online?.size ?? 0;
    this.memberCount = memberCount ?? this.reads?.size ?? 0;
    // After a gap: another device of the user may have read on meanwhile.
    this.raiseLastRead(this.reads?.get(this.user ?? "") ?? 0);
  }

  /**
   * @internal
   * Take one event of the room's log.
   *
   * @returns `known`: handled before. `hole`: events between the cursor and this one are
   *   missing, and nothing was changed.
   */
  applyEvent(name: string, payload: any): "applied" | "known" | "hole" {
    const top = this.cursor?.offset ?? 0;
    if (payload.offset <= top) return "known";
    if (!this.cursor || payload.offset !== top + 1) return "hole";
    this.cursor = { offset: payload.offset, uid: payload.uid };
    if (name === "message") this.#append(payload);
    else {
      this.changes += 1;
      applyChange(this, name, payload);
    }
    return "applied";
  }

  #append(message: Message) {
    this.messages.push(message);
    if (this.messages.length > this.keep) {
      this.messages.splice(0, this.messages.length - this.keep);
      this.hasOlder = true;
      this.olderAreGone = false;
    }
    this.lastMessage = Math.max(this.lastMessage, message.message);
    this.applyRead(message.user, message.message);
  }

  /**
   * @internal
   * Put a page of older messages before those held.
   *
   * @returns How many were new.
   */
  applyHistory({ messages, more, firstAvailable = 1 }: Page): number {
    const first = this.messages[0]?.message ?? Infinity;
    const older = messages.filter(({ message }) => message < first);
    this.messages.unshift(...older);
    const gone = older.filter(
      (one) => one.type === "deleted" && one.message > this.lastReadMessage,
    );
    this.goneUnheld = Math.max(0, this.goneUnheld - gone.length);
    this.hasOlder = more && older.length > 0;
    this.olderAreGone = !this.hasOlder && firstAvailable > 1;
    return older.length;
  }

  /**
   * @internal
   * Hold messages below those that are held anyway: as many again, those next to these.
   *
   * @returns How many were new.
   */
  hold(page: Message[]): number {
    const first = this.messages[0]?.message ?? Infinity;
    const known = new Map(this.older.map((one) => [one.message, one]));
    let added = 0;
    for (const one of page) {
      const held = known.get(one.message);
      if (!held && one.message < first) added += 1;
      // What the page did not know yet has come as events meanwhile.
      if (!held || (held.rev ?? 0) < (one.rev ?? 0)) known.set(one.message, one);
    }
    const all = [...known.values()]
      .filter(({ message }) => message < first)
      .sort((a, b) => a.message - b.message);
    const centre = page[page.length >> 1]?.message ?? 0;
    const distance = (one?: Message) => Math.abs((one?.message ?? centre) - centre);
    while (all.length > this.keep) {
      if (distance(all[0]) > distance(all.at(-1))) all.shift();
      else all.pop();
    }
    this.older.splice(0, this.older.length, ...all);
    return added;
  }

  /** @returns No more older messages can be held. */
  get isFull(): boolean {
    return this.messages.length >= this.keep;
  }

  /** @internal @returns The mark rose; one that would go back is ignored. */
  applyRead(user: string, message: number): boolean {
    const rose = user === this.user && this.raiseLastRead(message);
    if (!this.reads || message <= (this.reads.get(user) ?? -1)) return rose;
    this.reads.set(user, message);
    return true;
  }

  /** @internal @returns It rose. */
  raiseLastRead(message: number): boolean {
    if (!(message > this.lastReadMessage)) return false;
    this.lastReadMessage = message;
    return true;
  }

  /** @internal */
  applyPresence({ user, online, onlineCount }: Omit<Presence, "room">) {
    if (user === undefined) this.#applyCount(onlineCount ?? this.onlineCount);
    else if (this.online) {
      if (online) this.online.add(user);
      else this.online.delete(user);
      this.onlineCount = this.online.size;
    }
    // A large room has become smaller: those who stayed are not known by name.
    else this.onlineCount = Math.max(0, this.onlineCount + (online ? 1 : -1));
    // Somebody new: a member's mark starts at the room's last message.
    if (online && user !== undefined && this.reads && !this.reads.has(user)) {
      this.reads.set(user, this.lastMessage);
      this.memberCount = this.reads.size;
    }
  }

  /** The room is large, by now at least: who comes, goes or reads is told no more. */
  #applyCount(onlineCount: number) {
    this.online = null;
    this.reads = null;
    this.onlineCount = onlineCount;
    this.memberCount = Math.max(this.memberCount, onlineCount);
  }

  /**
   * How many members have not read a message yet.
   *
   * @returns Null where the room is too large to know.
   */
  unreadBy(message: number): number | null {
    if (!this.reads) return null;
    let count = 0;
    for (const read of this.reads.values()) if (read < message) count += 1;
    return count;
  }
}
