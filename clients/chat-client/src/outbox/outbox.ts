/** Messages on their way: each is sent until its outcome is known, in order, once. */

import { ChatRequestError, type ErrorRecord } from "../connection/errors.js";
import { Pauses } from "./pauses.js";
import { ACK_TIMEOUT_MS } from "../connection/requests.js";
import type { OutboxStorage } from "./storage.js";
import type { SendAck, SendPayload } from "../wire.js";

/** Messages that may wait. Somebody who writes more than this offline is a program. */
export const MAX_ITEMS = 200;
/** Bytes that may wait, images included: browsers' storage has its limits. */
export const MAX_BYTES = 40 * 2 ** 20;
/** Images of one message. */
export const MESSAGE_IMAGES = 10;
/**
 * Bytes of a message's images together: what passes over every transport. A server ends
 * the connection over more than its `payloadBytes`, and the next one over the same again.
 */
export const MESSAGE_BYTES = 8 * 2 ** 20;
/**
 * The server remembers a `clientId` for 24 h after the first try; with a margin for
 * clocks, what was tried longer ago is not sent again without asking.
 */
const SAFE_REPEAT_MS = 23 * 3_600_000;
/** Errors after which the next connection is what is waited for. */
export const WOKEN_BY_CONNECTION = new Set(["offline", "interrupted"]);
/** Images take their time on a slow line: 8 MiB at 1 Mbit/s. */
const IMAGE_TIMEOUT_MS = 75_000;

/** What is written; `image`: one of the images, `images`: all. */
export interface Content {
  text?: string;
  image?: Uint8Array;
  images?: Uint8Array[];
  replyTo?: number;
  mentions?: string[];
}

/** A message that the server has not taken, or not told us of, yet. */
export interface OutboxItem {
  /** The same for every attempt. */
  clientId: string;
  room: string;
  /** When it was written, Unix ms; never before the one above it. */
  at: number;
  /** Among messages written in the same millisecond. */
  order: number;
  type: "text" | "image";
  text?: string;
  /** The files' bytes. */
  images?: Uint8Array[];
  replyTo?: number;
  mentions?: string[];
  /** `sent`: acknowledged, its broadcast not yet seen. */
  step: "waiting" | "sending" | "failed" | "sent";
  attempts: number;
  /** First attempt, Unix ms. */
  triedAt?: number;
  /** Of the last attempt. */
  error?: ErrorRecord;
  /** Its number, once acknowledged. */
  message?: number;
  /** It survives a reload. */
  isKept?: boolean;
}

export interface OutboxWiring {
  storage: OutboxStorage;
  send: (payload: SendPayload, timeoutMs: number) => Promise<SendAck>;
  /** The room is attended. */
  isReady: (room: string) => boolean;
  /** The server says it is not. */
  rejoin: (room: string) => void;
  /** No event of this offset is to come any more. */
  isPast: (room: string, offset: number) => boolean;
  changed: (item: OutboxItem) => void;
  newId: () => string;
  now: () => number;
}

export class Outbox {
  /** In the order in which they were written. */
  #items: OutboxItem[] = [];
  #pauses = new Pauses((room) => this.pump(room));
  readonly storage: OutboxStorage;
  readonly now: () => number;

  constructor(readonly wiring: OutboxWiring) {
    this.storage = wiring.storage;
    this.now = wiring.now;
  }

  /** Take in what an earlier page left behind. */
  async load() {
    const found = await this.storage.load();
    const known = new Set(this.#items.map(({ clientId }) => clientId));
    for (const item of found) {
      if (known.has(item.clientId)) continue;
      if (item.step !== "failed") item.step = "waiting";
      item.isKept = true;
      if (item.type === "image" && !item.images) {
        this.#refuse(item, new ChatRequestError("image_lost", "Its images are gone."));
      }
      this.#items.push(item);
    }
    this.#items.sort((a, b) => a.at - b.at || a.order - b.order);
    for (const item of found) this.wiring.changed(item);
  }

  /** @returns Rooms in which something waits to be sent. */
  get rooms(): string[] {
    const waiting = this.#items.filter(({ step }) => step !== "failed");
    return [...new Set(waiting.map(({ room }) => room))];
  }

  /** @returns Unsettled messages in the order they were written. */
  in(room: string): OutboxItem[] {
    return this.#items.filter((item) => item.room === room);
  }

  get counts(): { sending: number; failed: number } {
    const count = (...steps: string[]) =>
      this.#items.filter(({ step }) => steps.includes(step)).length;
    return { sending: count("waiting", "sending"), failed: count("failed") };
  }

  /** @throws {ChatRequestError} `outbox_full`, `too_large` */
  add(room: string, { image, ...written }: Content): OutboxItem {
    const content = image ? { ...written, images: [image] } : written;
    const { images = [] } = content;
    if (images.length > MESSAGE_IMAGES || (images.length > 1 && bytesOf(images) > MESSAGE_BYTES)) {
      throw new ChatRequestError("too_large", "One message cannot hold so many images.");
    }
    const bytes = this.#items.reduce((sum, item) => sum + sizeOf(item), sizeOf(content));
    if (this.#items.length >= MAX_ITEMS || bytes > MAX_BYTES) {
      throw new ChatRequestError("outbox_full", "Too many messages wait to be sent.");
    }
    // After a reload these two are all that tells the order, and clocks are put back.
    const last = this.in(room).at(-1);
    const item: OutboxItem = {
      clientId: this.wiring.newId(),
      room,
      at: Math.max(this.now(), last?.at ?? 0),
      order: (last?.order ?? 0) + 1,
      type: images.length > 0 ? "image" : "text",
      ...content,
      step: "waiting",
      attempts: 0,
    };
    this.#items.push(item);
    void this.#keep(item);
    this.wiring.changed(item);
    this.pump(room);
    return item;
  }

  async #keep(item: OutboxItem) {
    const { triedAt } = item;
    try {
      await this.storage.put(item);
      const isNews = !item.isKept;
      item.isKept = true;
      // Settled or tried while its bytes were being written.
      const isSettled = item.step === "sent" || !this.#items.includes(item);
      if (isSettled) await this.storage.remove(item.clientId);
      else if (item.triedAt !== triedAt) await this.storage.put(item);
      if (!isNews) return;
    } catch {
      // Full or forbidden: it is sent all the same, and `isKept` says that it would
      // not survive a reload. What an earlier write left would, and be sent again.
      item.isKept = false;
      await this.storage.remove(item.clientId).catch(() => undefined);
    }
    this.wiring.changed(item);
  }

  /** Send the room's next message, unless one is being sent or none can be. */
  pump(room: string) {
    if (this.#pauses.has(room) || !this.wiring.isReady(room)) return;
    const waiting = this.in(room).filter(({ step }) => step !== "failed" && step !== "sent");
    if (waiting.length > 0 && waiting[0].step === "waiting") void this.#attempt(waiting[0]);
  }

  /** The room is attended (again): no pause holds any longer. */
  resume(room: string) {
    this.#pauses.end(room);
    this.pump(room);
  }

  async #attempt(item: OutboxItem) {
    // Its turn, from now on: another attempt would be one too many.
    item.step = "sending";
    item.attempts += 1;
    if (item.isKept && !(await this.#isStillKept(item))) return;
    if (this.now() - (item.triedAt ?? this.now()) > SAFE_REPEAT_MS) {
      const error = new ChatRequestError("too_old", "It may have been sent long ago.");
      return this.#fail(item, error);
    }
    if (item.triedAt === undefined) {
      item.triedAt = this.now();
      if (item.isKept) void this.#keep(item);
    }
    this.wiring.changed(item);
    const { attempts } = item;
    try {
      const timeoutMs = item.images ? IMAGE_TIMEOUT_MS : ACK_TIMEOUT_MS;
      this.#acknowledged(item, await this.wiring.send(payloadOf(item), timeoutMs));
    } catch (error) {
      // Settled by its own broadcast, given up, or tried again: the lost ack means nothing.
      const isCurrent = item.step === "sending" && item.attempts === attempts;
      if (!isCurrent || !this.#items.includes(item)) return;
      this.#notAcknowledged(item, error as ChatRequestError);
    }
  }

  /**
   * @returns This attempt goes on. Not so if the message was settled meanwhile, or by another
   *   tab, or if the room cannot be sent to any more: its return wakes what waits.
   */
  async #isStillKept(item: OutboxItem): Promise<boolean> {
    const { attempts } = item;
    // A storage that fails is no reason not to send: a repeat is known as one.
    const isKept = await this.storage.has(item.clientId).catch(() => true);
    if (item.step !== "sending" || item.attempts !== attempts) return false;
    if (!this.#items.includes(item)) return false;
    if (isKept && this.wiring.isReady(item.room)) return true;
    item.step = "waiting";
    if (!isKept) this.#drop(item);
    return false;
  }

  #acknowledged(item: OutboxItem, ack: SendAck) {
    if (!this.#items.includes(item)) return;
    item.step = "sent";
    item.message = ack.message;
    delete item.error;
    this.#pauses.succeeded(item.room);
    void this.#forget(item);
    // One that the server had from an earlier attempt: no broadcast will come for it.
    if (this.wiring.isPast(item.room, ack.offset)) return this.#drop(item);
    this.wiring.changed(item);
    this.pump(item.room);
  }

  #notAcknowledged(item: OutboxItem, error: ChatRequestError) {
    if (error.code === "closed") return;
    if (!error.temporary && error.code !== "not_attending" && error.code !== "unauthorized") {
      this.#fail(item, error);
      return;
    }
    item.step = "waiting";
    item.error = error.toJSON();
    // Without a connection the next one wakes the outbox. `not_attending`: the rejoin.
    if (error.code === "not_attending") this.wiring.rejoin(item.room);
    else if (!WOKEN_BY_CONNECTION.has(error.code)) this.#pauses.begin(item.room, error.retryAfter);
    this.wiring.changed(item);
  }

  #fail(item: OutboxItem, error: ChatRequestError) {
    this.#refuse(item, error);
    if (item.isKept) void this.#keep(item);
    this.wiring.changed(item);
    this.pump(item.room);
  }

  #refuse(item: OutboxItem, error: ChatRequestError) {
    item.step = "failed";
    item.error = error.toJSON();
  }

  /**
   * The message was seen in the room: it is sent, whatever its ack said or says.
   *
   * @param message Its number.
   */
  seen(clientId: string, message: number) {
    const item = this.#items.find((one) => one.clientId === clientId);
    if (!item) return;
    if (item.step !== "sent") void this.#forget(item);
    item.step = "sent";
    item.message = message;
    delete item.error;
    this.#drop(item);
  }

  /** No broadcast is to be expected any more for what was acknowledged. */
  forgetSent(room: string) {
    for (const item of this.in(room)) if (item.step === "sent") this.#drop(item);
  }

  /**
   * The user is no member of a room any more, and sending would make them one again:
   * what waits is theirs to decide.
   */
  giveUp(room: string, error: ChatRequestError) {
    this.#pauses.end(room);
    for (const item of this.in(room)) {
      if (item.step === "waiting" || item.step === "sending") this.#fail(item, error);
    }
  }

  /** Try a failed message again. */
  retry(clientId: string) {
    const item = this.#items.find((one) => one.clientId === clientId);
    if (!item || item.step !== "failed" || item.error?.code === "image_lost") return;
    item.step = "waiting";
    delete item.error;
    delete item.triedAt;
    if (item.isKept) void this.#keep(item);
    this.wiring.changed(item);
    this.pump(item.room);
  }

  /**
   * Give a message up. One whose outcome is not known may have been sent.
   *
   * @returns It, to be edited and sent anew.
   */
  discard(clientId: string): OutboxItem | null {
    const item = this.#items.find((one) => one.clientId === clientId);
    if (!item || item.step === "sending" || item.step === "sent") return null;
    this.#drop(item);
    return item;
  }

  #drop(item: OutboxItem) {
    this.#items = this.#items.filter((one) => one !== item);
    if (item.step !== "sent") void this.#forget(item);
    this.wiring.changed(item);
    this.pump(item.room);
  }

  async #forget(item: OutboxItem) {
    if (!item.isKept) return;
    // Whatever keeps the entry alive: sent again, it is known as a duplicate.
    await this.storage.remove(item.clientId).catch(() => undefined);
  }

  close() {
    this.#pauses.close();
  }
}

function bytesOf(images: Uint8Array[]) {
  return images.reduce((sum, { byteLength }) => sum + byteLength, 0);
}

function sizeOf({ text, images = [] }: { text?: string; images?: Uint8Array[] }) {
  return (text?.length ?? 0) * 2 + bytesOf(images);
}

function payloadOf({
  clientId,
  room,
  type,
  text,
  images,
  replyTo,
  mentions,
}: OutboxItem): SendPayload {
  const shown = images?.length === 1 ? { image: images[0] } : { images };
  const all: SendPayload = { room, clientId, type, text, ...shown, replyTo, mentions };
  return Object.fromEntries(
    Object.entries(all).filter(([, value]) => value !== undefined),
  ) as unknown as SendPayload;
}
