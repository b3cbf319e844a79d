/** Images on their way in: chosen, pasted or dropped. */

import { MESSAGE_IMAGES } from "chatroom-client";

/** What the server accepts; said here so that nobody waits for a refusal. */
const TYPES = ["image/png", "image/jpeg", "image/webp", "image/gif", "image/avif", "image/heic", "image/heif"];
/** Phones' photos, of which not every system knows the type. */
const NAMES = /\.(avif|heic|heif)$/i;
export const LIMIT_BYTES = 8 * 2 ** 20;
/** What is still read into memory, to be made smaller. */
const MOST_BYTES = 100 * 2 ** 20;
/** Images in one go, as many as a message has; the rest can follow. */
const MOST = MESSAGE_IMAGES;

export const ACCEPT = [...TYPES, ".avif", ".heic", ".heif"].join(",");

/**
 * @param {Iterable<File>} files
 * @returns {{images: File[], refusals: {name: string, why: string}[]}} What can be sent,
 *   and of each of the others the two halves of a sentence.
 */
export function sortFiles(files) {
  /** @type {File[]} */
  const images = [];
  /** @type {{name: string, why: string}[]} */
  const refusals = [];
  for (const file of files) {
    const name = file.name || "The file";
    if (!TYPES.includes(file.type) && !(file.type === "" && NAMES.test(name))) {
      refusals.push({ name, why: " is no PNG, JPEG, WebP, GIF, AVIF or HEIC image." });
    } else if (file.size > (file.type === "image/gif" ? LIMIT_BYTES : MOST_BYTES)) {
      refusals.push({ name, why: tooLarge(file) });
    } else if (images.length === MOST) {
      refusals.push({ name, why: ` was left out: ${MOST} images at a time.` });
    } else images.push(file);
  }
  return { images, refusals };
}

/** @param {Blob} blob */
export function tooLarge({ size }) {
  return ` has ${(size / 2 ** 20).toFixed(1)} MiB; an image may have 8 MiB.`;
}

/** @param {Blob} blob */
export async function bytesOf(blob) {
  return new Uint8Array(await blob.arrayBuffer());
}
