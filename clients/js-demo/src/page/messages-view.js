/** A room's messages: old ones above, new ones below, pending ones last. */

import { apart, el, oncePerFrame } from "./dom.js";
import { jumpButton } from "./message-element.js";
import { MessageList } from "./message-list.js";
import { PendingView } from "./pending-view.js";

/** Within this distance of the bottom one reads the newest. */
const BOTTOM_PX = 60;
/** Older messages are asked for this far before the top is reached. */
const TOP_PX = 300;

/** @typedef {import("chatroom-client").RoomState} RoomState */

export class MessagesView {
  /** @type {RoomState | null} */
  #state = null;
  /** @type {WeakSet<RoomState>} Rooms whose older messages are on their way. */
  #loading = new WeakSet();
  #below = 0;
  #wasAtBottom = true;
  #lastTop = 0;

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
    this.list = new MessageList(wiring.user, wiring.actions);
    this.pending = new PendingView(wiring.actions);
    this.typing = el("p", { class: "typing", "aria-live": "off" });
    this.scroller = el(
      "div",
      { class: "scroller", tabindex: "0", role: "region", "aria-label": "Messages", on: { scroll: () => this.#scrolled() } },
      this.top,
      this.list.element,
      this.pending.element,
    );
    this.jump = jumpButton("Go to the newest message", () => this.toBottom());
    this.element = el("div", { class: "messages-pane" }, this.scroller, this.typing, this.jump);
    this.updateReads = oncePerFrame(() => this.list.updateReads(this.#state?.reads));
    // Images and the keyboard of a phone change sizes: whoever was at the end stays.
    const sizes = new ResizeObserver(() => this.#wasAtBottom && this.toBottom());
    for (const element of [this.scroller, this.pending.element]) sizes.observe(element);
  }

  /** @returns {boolean} The room's messages were shown before. */
  get hasShown() {
    return !this.list.isEmpty;
  }

  get isAtBottom() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    return scrollHeight - scrollTop - clientHeight < BOTTOM_PX;
  }

  /**
   * Show a room from the line between read and new on.
   *
   * @param {RoomState | null} state
   * @param {boolean} [isReplaced] The same room, made anew.
   */
  show(state, isReplaced = false) {
    this.#state = state;
    if (!isReplaced) this.list.readBefore = state?.unread ? state.lastReadMessage : Infinity;
    this.list.clear();
    this.list.update(state?.messages ?? []);
    this.list.updateReads(state?.reads);
    this.#updateTop();
    this.renderPending([]);
    this.toBottom();
    const line = this.list.newLine;
    // Not scrollIntoView: on a phone that would move the page as well.
    if (line && !isReplaced) this.scroller.scrollTop = line.offsetTop - this.scroller.clientHeight / 3;
    this.#scrolled();
  }

  /** Show what the room holds now. Who reads the newest stays at the end. */
  update() {
    if (!this.#state) return;
    const { messages, reads } = this.#state;
    const stay = this.#wasAtBottom || (this.isAtBottom && !document.hidden);
    const held = stay ? undefined : this.list.messageAt(this.scroller.getBoundingClientRect().top);
    const top = held?.getBoundingClientRect().top ?? 0;
    const newer = this.list.update(messages);
    this.list.updateReads(reads);
    this.#updateTop();
    if (stay || newer.some(({ user }) => user === this.wiring.user)) return this.toBottom();
    // What is being read stays where it is, whatever comes and goes above it.
    if (held?.isConnected) this.scroller.scrollTop += held.getBoundingClientRect().top - top;
    this.#below += newer.length;
    this.#updateJump();
  }

  /** @param {number} number A message that was edited or deleted. */
  redraw(number) {
    const message = this.#state?.messages.find((one) => one.message === number);
    if (!message) return;
    this.list.redraw(message);
    this.updateReads();
  }

  /** What could not be had may be there now: images, and older messages at the top. */
  retry() {
    this.list.retryImages();
    if (this.scroller.scrollTop < TOP_PX) void this.#loadOlder();
  }

  /** @param {import("./message-element.js").PendingItem[]} items */
  renderPending(items) {
    const stay = this.#wasAtBottom;
    this.pending.render(items, this.#state?.messages.at(-1)?.user === this.wiring.user);
    if (stay) this.toBottom();
  }

  /** @param {string[]} people What they are called. */
  renderTyping(people) {
    if (people.length === 0) return this.typing.replaceChildren();
    const between = (/** @type {number} */ at) => (at === 0 ? "" : at === people.length - 1 ? " and " : ", ");
    const names = people.length > 3 ? [`${people.length} people`] : people.flatMap((name, at) => [between(at), apart(name)]);
    this.typing.replaceChildren(...names, people.length === 1 ? " is typing…" : " are typing…");
  }

  toBottom() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.#lastTop = this.scroller.scrollTop;
    this.#below = 0;
    this.#wasAtBottom = true;
    this.#updateJump();
  }

  #scrolled() {
    const { scrollTop } = this.scroller;
    // An image that has grown below has taken nobody away from the end.
    this.#wasAtBottom = this.isAtBottom || (this.#wasAtBottom && scrollTop >= this.#lastTop);
    this.#lastTop = scrollTop;
    if (this.isAtBottom) {
      this.#below = 0;
      this.wiring.reachedBottom();
    }
    this.#updateJump();
    if (scrollTop < TOP_PX) void this.#loadOlder();
  }

  #updateJump() {
    this.jump.hidden = this.isAtBottom;
    this.jump.lastChild.textContent = this.#below > 0 ? `${this.#below} new` : "";
  }

  async #loadOlder() {
    const state = this.#state;
    if (!state?.hasOlder || this.#loading.has(state) || state.isFull) return;
    this.#loading.add(state);
    this.#updateTop();
    try {
      await this.wiring.older(state.room);
    } catch {
      // Not reachable now: the next scroll asks again, and the status says why.
    }
    this.#loading.delete(state);
    // Another room may be shown by now, or this one again, made anew.
    if (state === this.#state) this.update();
  }

  #updateTop() {
    const state = this.#state;
    if (state) this.top.textContent = this.#loading.has(state) ? "Loading older messages…" : topOf(state);
  }
}

/** @param {RoomState} state */
function topOf({ cursor, messages, hasOlder, isFull, olderAreGone }) {
  if (!cursor) return "Loading…";
  if (hasOlder) return isFull ? "Older messages are not shown." : "";
  if (olderAreGone) return "Older messages are gone.";
  return messages.length > 0 ? "This is where the room begins." : "Nothing here yet. Say hello!";
}
