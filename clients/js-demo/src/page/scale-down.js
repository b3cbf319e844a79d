/** Photos are brought to a size that is looked at, before they are sent. */

import { bytesOf, LIMIT_BYTES, tooLarge } from "./image-files.js";

/** Files that are not larger are sent as they are. */
const SMALL_BYTES = 2 ** 20;
/** Pixels of the longer side: more than a screen shows. */
const LONGEST_SIDE = 2560;
/** Of JPEG and WebP: nobody sees the difference. */
const QUALITY = 0.85;
/** What cameras make. Of the others each pixel may matter, or they move. */
const PHOTOS = ["image/jpeg", "image/heic", "image/heif", "image/avif"];

/**
 * The bytes to send for a file: its own, or those of the smaller picture.
 *
 * @param {File} file
 * @returns {Promise<Uint8Array>}
 * @throws {Error} It is too large, and this browser cannot make it smaller.
 */
export async function sendable(file) {
  const isPhoto = PHOTOS.includes(file.type);
  const isWanted = file.type !== "image/gif" && file.size > (isPhoto ? SMALL_BYTES : LIMIT_BYTES);
  const smaller = isWanted ? await scaledDown(file, isPhoto ? "image/jpeg" : "image/webp") : undefined;
  const chosen = smaller && smaller.size < file.size ? smaller : file;
  if (chosen.size > LIMIT_BYTES) throw new Error(file.name + tooLarge(chosen));
  return bytesOf(chosen);
}

/**
 * @param {File} file
 * @param {string} type
 * @returns {Promise<Blob | undefined>} Nothing for what this browser cannot read.
 */
async function scaledDown(file, type) {
  // Upright, as it is shown.
  const picture = await createImageBitmap(file, { imageOrientation: "from-image" }).catch(() => undefined);
  if (!picture) return undefined;
  try {
    const scale = Math.min(1, LONGEST_SIDE / Math.max(picture.width, picture.height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(picture.width * scale));
    canvas.height = Math.max(1, Math.round(picture.height * scale));
    const context = canvas.getContext("2d");
    if (!context) return undefined;
    context.imageSmoothingQuality = "high";
    context.drawImage(picture, 0, 0, canvas.width, canvas.height);
    return await new Promise((resolve) => canvas.toBlob((blob) => resolve(blob ?? undefined), type, QUALITY));
  } finally {
    picture.close();
  }
}
