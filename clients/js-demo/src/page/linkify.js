/** Addresses in texts become links; everything else stays text. */

import { el } from "./dom.js";

// Not the punctuation that ends a sentence, nor a closing bracket.
const ADDRESS = /https?:\/\/[^\s<>"']*[^\s<>"'.,;:!?()[\]{}]/gi;

/**
 * @param {string} text
 * @returns {(Node | string)[]} What to append, in order.
 */
export function linkified(text) {
  /** @type {(Node | string)[]} */
  const parts = [];
  let from = 0;
  for (const found of text.matchAll(ADDRESS)) {
    const href = safeAddress(found[0]);
    if (!href) continue;
    parts.push(text.slice(from, found.index));
    parts.push(el("a", { href, target: "_blank", rel: "noopener noreferrer" }, found[0]));
    from = found.index + found[0].length;
  }
  parts.push(text.slice(from));
  return parts.filter((part) => part !== "");
}

/**
 * @param {string} text
 * @returns {string | null} An address of the web, or null.
 */
function safeAddress(text) {
  try {
    const { protocol, href } = new URL(text);
    return protocol === "https:" || protocol === "http:" ? href : null;
  } catch {
    return null;
  }
}
