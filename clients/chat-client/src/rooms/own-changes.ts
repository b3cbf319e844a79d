/** The user's own edits, deletions and reactions, shown before the server has answered. */

import type { Message } from "../wire.js";

type Make = (message: Message) => Message;

interface OwnChange {
  room: string;
  message: number;
  make: Make;
  /** Of its event, once acknowledged; 0: of an event that has no place in the log. */
  offset?: number;
}

/** What acks of changes say. */
interface Ack {
  duplicate: boolean;
  offset?: number;
}

export class OwnChanges {
  #changes: OwnChange[] = [];

  /** @param changed A room's messages are to be shown otherwise. */
  constructor(readonly changed: (room: string) => void) {}

  /**
   * Show a change while it is asked for, and until its event is there. If it is refused it
   * is shown no more.
   *
   * @param isPast Whether an event of the room's log was there before its ack.
   */
  async during(
    room: string,
    message: number,
    make: Make,
    ask: Promise<Ack>,
    isPast: (offset: number) => boolean,
  ): Promise<void> {
    const change: OwnChange = { room, message, make };
    this.#changes.push(change);
    this.changed(room);
    let isOver = true;
    try {
      const { duplicate, offset = 0 } = await ask;
      change.offset = offset;
      isOver = duplicate || (offset > 0 && isPast(offset));
    } finally {
      if (isOver) this.#end((one) => one === change);
    }
  }

  /** @returns The very same message, if none of its changes is under way. */
  shown(held: Message): Message {
    return this.#changes
      .filter(({ room, message }) => room === held.room && message === held.message)
      .reduce((message, { make }) => make(message), held);
  }

  /** An event has changed a message: what is acknowledged up to it is the truth by now. */
  event(room: string, message: number, offset: number = Infinity): void {
    this.#end(
      (one) =>
        one.room === room &&
        one.message === message &&
        one.offset !== undefined &&
        one.offset <= offset,
    );
  }

  /** The room was made anew, or left. */
  forget(room: string): void {
    this.#end((one) => one.room === room);
  }

  #end(isOver: (change: OwnChange) => boolean): void {
    const ended = this.#changes.filter(isOver);
    this.#changes = this.#changes.filter((one) => !isOver(one));
    for (const room of new Set(ended.map((one) => one.room))) this.changed(room);
  }
}

/** @param now Unix ms; the server's own time comes with the event. */
export function edited(words: { text: string; mentions?: string[] }, now: number): Make {
  return (held) => ({ ...held, ...words, editedAt: now, edits: (held.edits ?? 0) + 1 });
}

/** Nothing of it is left but its place. */
export function deleted(by: string | undefined, now: number): Make {
  return ({ offset, uid, room, message, user, at }) => ({
    ...{ offset, uid, room, message, user, at },
    type: "deleted",
    deleted: { by, at: now },
  });
}

export function reacted(key: string, on: boolean): Make {
  return (held) => {
    const { [key]: before = 0, ...others } = held.reactions ?? {};
    const count = before + (on ? 1 : -1);
    return { ...held, reactions: count > 0 ? { ...others, [key]: count } : others };
  };
}
