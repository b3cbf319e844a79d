/** How times, names and texts are shown. */

const TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const SHORT_DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
/** Classes `hue-0` … in theme.css. */
const HUES = 12;

/** @param {number} at Unix ms. */
export const timeOf = (at) => TIME.format(at);
/** @param {number} at */
export const fullTimeOf = (at) => FULL.format(at);
/** @param {number} at */
export const dayKey = (at) => new Date(at).toDateString();

/** @param {number} at */
export function dayOf(at) {
  const today = new Date();
  const yesterday = new Date(today.getFullYear(), today.getMonth(), today.getDate() - 1);
  if (dayKey(at) === today.toDateString()) return "Today";
  if (dayKey(at) === yesterday.toDateString()) return "Yesterday";
  return DAY.format(at);
}

/** @param {number} at */
export function whenOf(at) {
  return dayKey(at) === new Date().toDateString() ? timeOf(at) : SHORT_DAY.format(at);
}

/** @param {string} name */
export function initials(name) {
  const words = name.split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  const letters = words.slice(0, 2).map((word) => [...word][0]);
  return (letters.join("") || [...name][0] || "?").toUpperCase();
}

/**
 * @param {string} name
 * @returns {string} The class that colours this name, always the same one.
 */
export function hueOf(name) {
  // As FNV-1a, with its bits mixed once more: short names differ in few of them.
  let hash = 0x811c9dc7;
  for (let at = 0; at < name.length; at += 1) {
    hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return `hue-${((hash ^ (hash >>> 12)) >>> 0) % HUES}`;
}

/**
 * @param {number} count
 * @param {string} one
 * @param {string} many
 */
export const plural = (count, one, many) => `${count} ${count === 1 ? one : many}`;

/** @param {number} count */
export const badge = (count) => (count > 999 ? "999+" : String(count));

/** @param {{type: string, text?: string, images?: object[]}} message */
export function previewOf({ type, text, images = [] }) {
  if (type === "deleted") return "Message deleted";
  const what = images.length > 1 ? `${images.length} images` : "Image";
  if (type === "image") return text ? `${what}: ${text}` : what;
  return (text ?? "").replace(/\s+/g, " ");
}
