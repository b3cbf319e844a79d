/** The messages that the server has, as a list: by day, the new ones below a line. */

import { el } from "./dom.js";
import { dayKey, dayOf, timeOf } from "./format.js";
import { dividerElement, messageElement } from "./message-element.js";

/** Messages of one author within this time stand together. */
const RUN_MS = 5 * 60_000;

/**
 * @typedef {import("./message-element.js").Message} Message
 * @typedef {import("./message-element.js").MadeMessage & {message: Message}} Shown
 */

export class MessageList {
  /** @type {Map<number, Shown>} By number, from old to new. */
  #shown = new Map();
  /** Up to here everything was read when the room was opened; new ones have a line. */
  readBefore = Infinity;

  /**
   * @param {string | null} user
   * @param {import("./message-element.js").Actions} actions
   */
  constructor(user, actions) {
    this.user = user;
    this.actions = actions;
    this.element = el("ol", { class: "messages", role: "list" });
  }

  get isEmpty() {
    return this.#shown.size === 0;
  }

  /** @returns {HTMLElement | null} The line above the first new message. */
  get newLine() {
    return this.element.querySelector(".divider.new");
  }

  clear() {
    this.#shown.clear();
    this.element.replaceChildren();
  }

  /**
   * Show what a room holds now: it has lost messages above, or got some at either end.
   *
   * @param {Message[]} messages All of them, ascending.
   * @returns {Message[]} Those that have come below.
   */
  update(messages) {
    const isTrimmed = this.#trim(messages[0]?.message ?? Infinity);
    const [first] = this.#shown.values();
    const last = [...this.#shown.values()].at(-1)?.message;
    const older = first ? messages.filter(({ message }) => message < first.message.message) : [];
    const newer = last ? messages.filter(({ message }) => message > last.message) : messages;
    if (first && (isTrimmed || older.length > 0)) this.#prepend(older, first.message);
    if (newer.length > 0) this.element.append(this.#made(newer, last));
    return newer;
  }

  /** @param {number} first The oldest that is still shown. */
  #trim(first) {
    const size = this.#shown.size;
    for (const [number, { element }] of this.#shown) {
      if (number >= first) break;
      this.#shown.delete(number);
      element.remove();
    }
    if (this.isEmpty) this.element.replaceChildren();
    return this.#shown.size < size;
  }

  /** @param {Message[]} messages @param {Message} next The one that follows them. */
  #prepend(messages, next) {
    // What stands above the first message depends on the one before it.
    while (this.element.firstElementChild?.classList.contains("divider")) {
      this.element.firstElementChild.remove();
    }
    const newer = [...this.#shown];
    this.#shown.clear();
    const made = this.#made(messages);
    made.append(...this.#dividers(next, messages.at(-1)));
    this.element.prepend(made);
    for (const [number, shown] of newer) this.#shown.set(number, shown);
  }

  /** @param {Message[]} messages @param {Message} [previous] */
  #made(messages, previous) {
    const fragment = document.createDocumentFragment();
    for (const message of messages) {
      fragment.append(...this.#dividers(message, previous), this.#make(message, previous));
      previous = message;
    }
    return fragment;
  }

  /** @param {Message} message @param {Message} [previous] */
  #dividers(message, previous) {
    const isNewDay = !previous || dayKey(previous.at) !== dayKey(message.at);
    const day = isNewDay ? [dividerElement(dayOf(message.at))] : [];
    return this.#isFirstNew(message, previous) ? [...day, dividerElement("New", "new")] : day;
  }

  /** @param {Message} message @param {Message} [previous] */
  #isFirstNew({ message, user }, previous) {
    const isNew = message > this.readBefore && user !== this.user;
    return isNew && (previous === undefined || previous.message <= this.readBefore);
  }

  /** @param {Message} message @param {Message} [previous] */
  #make(message, previous) {
    const isFollowing = isRun(message, previous) && !this.#isFirstNew(message, previous);
    if (isFollowing && timeOf(message.at) === timeOf(/** @type {Message} */ (previous).at)) {
      // One time for what was said in one minute: the last one's.
      this.#shown.get(/** @type {Message} */ (previous).message)?.element.classList.add("same-minute");
    }
    const place = { isOwn: message.user === this.user, isFollowing };
    const made = messageElement(message, place, this.actions);
    this.#shown.set(message.message, { message, ...made });
    return made.element;
  }

  /** @param {Message} message One that was edited or deleted. */
  redraw(message) {
    const shown = this.#shown.get(message.message);
    if (!shown) return;
    const isFollowing = shown.element.classList.contains("following");
    const place = { isOwn: message.user === this.user, isFollowing };
    const made = messageElement(message, place, this.actions);
    made.element.classList.toggle("same-minute", shown.element.classList.contains("same-minute"));
    shown.element.replaceWith(made.element);
    this.#shown.set(message.message, { message, ...made });
  }

  /** @param {Map<string, number> | null | undefined} marks How far each member has read. */
  updateReads(marks) {
    const sorted = marks ? [...marks.values()].sort((a, b) => a - b) : null;
    let lower = 0;
    for (const [number, { setUnreadBy }] of this.#shown) {
      while (sorted && lower < sorted.length && sorted[lower] < number) lower += 1;
      setUnreadBy(sorted && lower);
    }
  }

  /** Images that could not be had may be there now. */
  retryImages() {
    for (const { retryImages } of this.#shown.values()) retryImages();
  }

  /**
   * @param {number} y In the window.
   * @returns {HTMLElement | undefined} The first message that ends below it.
   */
  messageAt(y) {
    for (const { element } of this.#shown.values()) {
      if (element.getBoundingClientRect().bottom > y) return element;
    }
  }
}

/** @param {Message} message @param {Message} [previous] */
function isRun({ user, at }, previous) {
  if (previous === undefined || previous.user !== user) return false;
  return at - previous.at < RUN_MS && dayKey(previous.at) === dayKey(at);
}
