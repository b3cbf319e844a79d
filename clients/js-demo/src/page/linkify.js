/** Addresses in texts become links; everything else stays text. */

import { addressesIn } from "./addresses.js";
import { el } from "./dom.js";

/**
 * @param {string} text
 * @returns {(Node | string)[]} What to append, in order.
 */
export function linkified(text) {
  /** @type {(Node | string)[]} */
  const parts = [];
  let from = 0;
  for (const { at, words, href } of addressesIn(text)) {
    // `dir` sets it apart: nothing around it can turn its words around.
    parts.push(text.slice(from, at), el("a", { href, dir: "ltr", target: "_blank", rel: "noopener noreferrer" }, words));
    from = at + words.length;
  }
  parts.push(text.slice(from));
  return parts.filter((part) => part !== "");
}
