/** A room's messages: old ones above, new ones below, pending ones last. */

import { el, oncePerFrame } from "./dom.js";
import { dayKey, dayOf, timeOf } from "./format.js";
import { dividerElement, jumpButton, messageElement, pendingElement } from "./message-element.js";

/** Messages of one author within this time stand together. */
const RUN_MS = 5 * 60_000;
/** Within this distance of the bottom one reads the newest. */
const BOTTOM_PX = 60;
/** Older messages are asked for this far before the top is reached. */
const TOP_PX = 300;

/** @typedef {import("./message-element.js").Message} Message */

export class MessagesView {
  /** @type {import("../chatroom/room-state.js").RoomState | null} */
  #state = null;
  /** @type {Map<number, {message: Message, element: HTMLElement, setUnreadBy: (count: number | null) => void}>} */
  #shown = new Map();
  /** @type {Map<string, string>} Object URLs of pending images. */
  #urls = new Map();
  #isLoading = false;
  #below = 0;
  /** @type {number} What was read when the room was opened: the line for new ones. */
  #readBefore = Infinity;

  /**
   * @param {object} wiring
   * @param {string | null} wiring.user
   * @param {import("./message-element.js").Actions} wiring.actions
   * @param {(room: string) => Promise<{added: number, more: boolean, full: boolean}>} wiring.older
   * @param {() => void} wiring.reachedBottom
   */
  constructor(wiring) {
    this.wiring = wiring;
    this.top = el("p", { class: "history-end" });
    this.list = el("ol", { class: "messages", role: "list" });
    this.pending = el("ol", { class: "messages pending-list", role: "list", "aria-label": "Not sent yet" });
    this.typing = el("p", { class: "typing", "aria-live": "off" });
    this.scroller = el(
      "div",
      { class: "scroller", tabindex: "0", role: "region", "aria-label": "Messages", on: { scroll: () => this.#scrolled() } },
      this.top,
      this.list,
      this.pending,
    );
    this.jump = jumpButton("Go to the newest message", () => this.toBottom());
    this.element = el("div", { class: "messages-pane" }, this.scroller, this.typing, this.jump);
    this.updateReads = oncePerFrame(() => this.#updateReads());
    // Images and the keyboard of a phone change sizes: whoever was at the end stays.
    new ResizeObserver(() => this.#wasAtBottom && this.toBottom()).observe(this.scroller);
  }

  #wasAtBottom = true;

  /** @returns {boolean} The room's messages were shown before. */
  get hasShown() {
    return this.#shown.size > 0;
  }

  get isAtBottom() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    return scrollHeight - scrollTop - clientHeight < BOTTOM_PX;
  }

  /**
   * Show a room from the line between read and new on.
   *
   * @param {import("../chatroom/room-state.js").RoomState | null} state
   * @param {boolean} [isReplaced] The same room, made anew.
   */
  show(state, isReplaced = false) {
    this.#state = state;
    if (!isReplaced) this.#readBefore = state?.unread ? state.lastReadMessage : Infinity;
    this.#shown.clear();
    this.list.replaceChildren();
    this.#below = 0;
    if (state) this.#insert(state.messages, null);
    this.#updateTop();
    this.#updateReads();
    this.renderPending([]);
    const line = this.list.querySelector(".divider.new");
    this.toBottom();
    // Not scrollIntoView: on a phone that would move the page as well.
    if (line && !isReplaced) this.scroller.scrollTop = line.offsetTop - this.scroller.clientHeight / 3;
    this.#scrolled();
  }

  /** @param {Message} message One that has come now. */
  append(message) {
    const isOwn = message.user === this.wiring.user;
    const stay = isOwn || (this.isAtBottom && !document.hidden) || this.#wasAtBottom;
    this.#insert([message], null);
    this.#trim();
    if (stay) this.toBottom();
    else this.#below += 1;
    this.#updateJump();
    this.updateReads();
  }

  /** @param {Message[]} messages @param {number | null} before Number of the message that follows them. */
  #insert(messages, before) {
    const fragment = document.createDocumentFragment();
    let previous = before === null ? [...this.#shown.values()].at(-1)?.message : undefined;
    for (const message of messages) {
      this.#insertDividers(fragment, message, previous);
      fragment.append(this.#make(message, previous));
      previous = message;
    }
    const anchor = before === null ? null : this.list.firstChild;
    this.list.insertBefore(fragment, anchor);
  }

  /** @param {DocumentFragment} into @param {Message} message @param {Message} [previous] */
  #insertDividers(into, message, previous) {
    if (!previous || dayKey(previous.at) !== dayKey(message.at)) {
      into.append(dividerElement(dayOf(message.at)));
    }
    if (this.#isFirstNew(message, previous)) into.append(dividerElement("New", "new"));
  }

  /** @param {Message} message @param {Message} [previous] */
  #isFirstNew({ message, user }, previous) {
    const isNew = message > this.#readBefore && user !== this.wiring.user;
    return isNew && (previous === undefined || previous.message <= this.#readBefore);
  }

  /** @param {Message} message @param {Message} [previous] */
  #make(message, previous) {
    const isFollowing = isRun(message, previous) && !this.#isFirstNew(message, previous);
    if (isFollowing && timeOf(message.at) === timeOf(/** @type {Message} */ (previous).at)) {
      // One time for what was said in one minute: the last one's.
      this.#shown.get(/** @type {Message} */ (previous).message)?.element.classList.add("same-minute");
    }
    const place = { isOwn: message.user === this.wiring.user, isFollowing };
    const made = messageElement(message, place, this.wiring.actions);
    this.#shown.set(message.message, { message, ...made });
    return made.element;
  }

  /** @param {number} number A message that was edited or deleted. */
  redraw(number) {
    const shown = this.#shown.get(number);
    const message = this.#state?.messages.find((one) => one.message === number);
    if (!shown || !message) return;
    const isFollowing = shown.element.classList.contains("following");
    const place = { isOwn: message.user === this.wiring.user, isFollowing };
    const made = messageElement(message, place, this.wiring.actions);
    made.element.classList.toggle("same-minute", shown.element.classList.contains("same-minute"));
    shown.element.replaceWith(made.element);
    this.#shown.set(number, { message, ...made });
    this.updateReads();
  }

  /** What the room does not hold any more is not shown any more. */
  #trim() {
    const first = this.#state?.messages[0]?.message ?? 0;
    for (const [number, { element }] of this.#shown) {
      if (number >= first) break;
      this.#shown.delete(number);
      element.remove();
    }
    while (this.list.firstElementChild?.nextElementSibling?.classList.contains("divider")) {
      this.list.firstElementChild.remove();
    }
    this.#updateTop();
  }

  /** @param {import("../chatroom-client.js").OutboxItem[]} items */
  renderPending(items) {
    const stay = this.#wasAtBottom;
    const focused = /** @type {HTMLElement | null} */ (document.activeElement)?.closest(".pending")?.getAttribute("data-client-id");
    const newest = this.#state?.messages.at(-1)?.user;
    const elements = items.map((item, at) =>
      pendingElement(item, this.#urlOf(item), at > 0 || newest === this.wiring.user, this.wiring.actions),
    );
    this.pending.replaceChildren(...elements);
    this.pending.hidden = items.length === 0;
    if (focused) this.pending.querySelector(`[data-client-id="${focused}"] button`)?.focus();
    const ids = new Set(items.map(({ clientId }) => clientId));
    for (const [clientId, url] of this.#urls) {
      if (ids.has(clientId)) continue;
      URL.revokeObjectURL(url);
      this.#urls.delete(clientId);
    }
    if (stay) this.toBottom();
  }

  /** @param {import("../chatroom-client.js").OutboxItem} item */
  #urlOf({ clientId, image }) {
    if (!image) return null;
    let url = this.#urls.get(clientId);
    if (!url) this.#urls.set(clientId, (url = URL.createObjectURL(new Blob([/** @type {any} */ (image)]))));
    return url;
  }

  /** @param {string[]} users */
  renderTyping(users) {
    const names = users.length > 3 ? `${users.length} people` : users.join(", ").replace(/, ([^,]*)$/, " and $1");
    const verb = users.length === 1 ? "is" : "are";
    this.typing.textContent = users.length > 0 ? `${names} ${verb} typing…` : "";
  }

  #updateReads() {
    const marks = this.#state?.reads;
    const sorted = marks ? [...marks.values()].sort((a, b) => a - b) : null;
    let lower = 0;
    for (const [number, { setUnreadBy }] of this.#shown) {
      while (sorted && lower < sorted.length && sorted[lower] < number) lower += 1;
      setUnreadBy(sorted && lower);
    }
  }

  toBottom() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.#below = 0;
    this.#wasAtBottom = true;
    this.#updateJump();
  }

  #scrolled() {
    this.#wasAtBottom = this.isAtBottom;
    if (this.#wasAtBottom) {
      this.#below = 0;
      this.wiring.reachedBottom();
    }
    this.#updateJump();
    if (this.scroller.scrollTop < TOP_PX) void this.#loadOlder();
  }

  #updateJump() {
    this.jump.hidden = this.isAtBottom;
    this.jump.lastChild.textContent = this.#below > 0 ? `${this.#below} new` : "";
  }

  async #loadOlder() {
    const state = this.#state;
    if (!state?.hasOlder || this.#isLoading || state.isFull) return;
    this.#isLoading = true;
    this.top.textContent = "Loading older messages…";
    const first = state.messages[0]?.message;
    try {
      await this.wiring.older(state.room);
    } catch {
      // Not reachable now: the next scroll asks again, and the status says why.
    } finally {
      this.#isLoading = false;
    }
    if (state !== this.#state) return;
    this.#prepend(state.messages.filter(({ message }) => message < first));
    this.#updateTop();
  }

  /** @param {Message[]} messages */
  #prepend(messages) {
    if (messages.length === 0) return;
    const { scrollHeight, scrollTop } = this.scroller;
    const newer = [...this.#shown];
    // The day above the first message stands before the older ones of that day now.
    const [, first] = newer[0];
    if (dayKey(first.message.at) === dayKey(messages[messages.length - 1].at)) {
      this.list.firstElementChild?.remove();
    }
    this.#shown.clear();
    this.#insert(messages, first.message.message);
    for (const [number, shown] of newer) this.#shown.set(number, shown);
    this.scroller.scrollTop = scrollTop + this.scroller.scrollHeight - scrollHeight;
    this.updateReads();
  }

  #updateTop() {
    const state = this.#state;
    if (!state || this.#isLoading) return;
    if (!state.cursor) this.top.textContent = "Loading…";
    else if (state.hasOlder) this.top.textContent = state.isFull ? "Older messages are not shown." : "";
    else if (state.olderAreGone) this.top.textContent = "Older messages are gone.";
    else this.top.textContent = state.messages.length > 0 ? "This is where the room begins." : "Nothing here yet. Say hello!";
  }
}

/** @param {Message} message @param {Message} [previous] */
function isRun({ user, at }, previous) {
  if (previous === undefined || previous.user !== user) return false;
  return at - previous.at < RUN_MS && dayKey(previous.at) === dayKey(at);
}
