/**
 * What was written, on its way into the client's outbox. An image's file takes its time
 * to be read (from a cloud folder, on a slow phone); what was written after it in the
 * same room waits behind it.
 */

import { MESSAGE_BYTES, MESSAGE_IMAGES } from "chatroom-client";
import { sendable } from "./scale-down.js";

/**
 * @typedef {import("./message-element.js").PendingItem} PendingItem
 *
 * @typedef {object} Written
 * @property {string} room
 * @property {string} text
 * @property {File[]} files They are one message, or several where one cannot hold them.
 */

export class Sends {
  /** @type {Map<string, (Written & {item: PendingItem})[]>} By room. */
  #queues = new Map();
  #count = 0;

  /**
   * @param {object} wiring
   * @param {(room: string, content: {text?: string, images?: Uint8Array[]}) => void} wiring.send
   * @param {() => void} wiring.changed
   * @param {(rest: Written, error: Error) => void} wiring.failed `rest`: what was not sent.
   */
  constructor(wiring) {
    this.wiring = wiring;
  }

  /**
   * @param {string} room
   * @param {string} text
   * @param {File[]} files
   */
  add(room, text, files) {
    const queue = this.#queues.get(room) ?? [];
    queue.push({ room, text, files, item: this.#item(text, files) });
    this.wiring.changed();
    if (this.#queues.has(room)) return;
    this.#queues.set(room, queue);
    void this.#run(room, queue);
  }

  /**
   * @param {string} room
   * @returns {PendingItem[]} Nearly as they will be in the outbox.
   */
  in(room) {
    return (this.#queues.get(room) ?? []).map(({ item }) => item);
  }

  /**
   * @param {string} text
   * @param {File[]} files
   * @returns {PendingItem}
   */
  #item(text, files) {
    return {
      clientId: `reading-${(this.#count += 1)}`,
      type: files.length > 0 ? "image" : "text",
      step: "reading",
      at: Date.now(),
      text,
      images: files.length > 0 ? files : undefined,
    };
  }

  /**
   * @param {string} room
   * @param {Written[]} queue
   */
  async #run(room, queue) {
    while (queue.length > 0) {
      await this.#send(queue[0]);
      queue.shift();
      this.wiring.changed();
    }
    this.#queues.delete(room);
  }

  /** @param {Written} written */
  async #send({ room, text, files }) {
    let sent = 0;
    try {
      const images = [];
      // One after the other: a large photo takes 200 MB while it is made smaller.
      for (const file of files) images.push(await sendable(file));
      if (images.length === 0) this.wiring.send(room, { text });
      for (const group of groupsOf(images)) {
        this.wiring.send(room, sent === 0 && text ? { images: group, text } : { images: group });
        sent += group.length;
      }
    } catch (error) {
      // The text is with the first images.
      const rest = { room, text: sent === 0 ? text : "", files: files.slice(sent) };
      this.wiring.failed(rest, /** @type {Error} */ (error));
    }
  }
}

/**
 * Images in their order, in as few messages as hold them.
 *
 * @param {Uint8Array[]} images
 */
export function groupsOf(images) {
  /** @type {Uint8Array[][]} */
  const groups = [];
  let bytes = Infinity;
  for (const image of images) {
    bytes += image.byteLength;
    const last = groups.at(-1);
    if (last && bytes <= MESSAGE_BYTES && last.length < MESSAGE_IMAGES) last.push(image);
    else {
      groups.push([image]);
      bytes = image.byteLength;
    }
  }
  return groups;
}
