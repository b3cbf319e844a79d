/** Messages that the server does not have yet, below those it has. */

import { el } from "./dom.js";
import { pendingElement } from "./message-element.js";

/** @typedef {import("./message-element.js").PendingItem} PendingItem */

export class PendingView {
  /** @type {Map<string, string[]>} Object URLs of their images. */
  #urls = new Map();

  /** @param {import("./message-element.js").Actions} actions */
  constructor(actions) {
    this.actions = actions;
    this.element = el("ol", { class: "messages pending-list", role: "list", "aria-label": "Not sent yet" });
  }

  /**
   * @param {PendingItem[]} items
   * @param {boolean} followsOwn The message above them is by the same user.
   */
  render(items, followsOwn) {
    const focused = document.activeElement?.closest(".pending")?.getAttribute("data-client-id");
    const elements = items.map((item, at) => pendingElement(item, this.#urlsOf(item), at > 0 || followsOwn, this.actions));
    this.element.replaceChildren(...elements);
    this.element.hidden = items.length === 0;
    if (focused) this.element.querySelector(`[data-client-id="${focused}"] button`)?.focus();
    const ids = new Set(items.map(({ clientId }) => clientId));
    for (const [clientId, urls] of this.#urls) {
      if (ids.has(clientId)) continue;
      for (const url of urls) URL.revokeObjectURL(url);
      this.#urls.delete(clientId);
    }
  }

  /** @param {PendingItem} item */
  #urlsOf({ clientId, images = [] }) {
    let urls = this.#urls.get(clientId);
    if (!urls) {
      urls = images.map((image) => URL.createObjectURL(new Blob([/** @type {any} */ (image)])));
      this.#urls.set(clientId, urls);
    }
    return urls;
  }
}
