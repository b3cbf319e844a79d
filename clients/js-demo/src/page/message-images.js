/** The images of a message: one as it is, several as a grid. */

import { el } from "./dom.js";

/** One is shown within this box; width and height are known, so nothing jumps. */
const IMAGE_BOX = { width: 360, height: 320 };
/** Width of one of several, two beside each other; styles/messages.css has the same. */
const TILE_WIDTH = 178;
/** Part of the pixels on the screen that a thumbnail must have. */
const SHARP_ENOUGH = 0.85;
/** Addresses that are asked for until an image is given up, for now. */
const IMAGE_TRIES = 2;

/**
 * @typedef {import("./message-element.js").Message} Message
 * @typedef {import("./message-element.js").Picture} Picture
 * @typedef {import("./message-element.js").Actions} Actions
 */

/**
 * @param {Message} message
 * @returns {Picture[]}
 */
export function picturesOf({ image, images }) {
  return images ?? (image ? [image] : []);
}

/**
 * @param {import("chatroom-client").OutboxItem} item One that was refused.
 * @returns {File[]} Its images but for those that the server named as the reason; none if
 *   it named none.
 */
export function notRefused({ images = [], error }) {
  const named = images.map((_, at) => `images.${at}` in (error?.fields ?? {}));
  if (!named.includes(true)) return [];
  const left = images.map((bytes, at) => new File([/** @type {any} */ (bytes)], `Image ${at + 1}`));
  return left.filter((_, at) => !named[at]);
}

/**
 * @param {HTMLElement[]} elements
 * @returns {HTMLElement | undefined} Nothing of nothing.
 */
export function grid(elements) {
  return elements.length > 1 ? el("div", { class: "image-grid" }, ...elements) : elements[0];
}

/**
 * @param {Message} message
 * @param {Actions} actions
 * @returns {{element: HTMLElement | undefined, retry: () => void}} `retry`: try again to
 *   get those that could not be had.
 */
export function sentImages(message, actions) {
  const made = picturesOf(message).map((picture, at, all) => sentImage(message, picture, { at, count: all.length }, actions));
  return { element: grid(made.map(({ element }) => element)), retry: () => made.forEach(({ retry }) => retry()) };
}

/**
 * @param {Message} message
 * @param {Picture} picture
 * @param {{at: number, count: number}} place Which of how many.
 * @param {Actions} actions
 */
function sentImage(message, picture, { at, count }, actions) {
  const { width, height } = picture;
  const what = `image${count > 1 ? ` ${at + 1} of ${count}` : ""}`;
  const author = message.name ?? message.user;
  const scale =
    count > 1
      ? Math.min(1, Math.max(TILE_WIDTH / width, TILE_WIDTH / height))
      : Math.min(1, IMAGE_BOX.width / width, IMAGE_BOX.height / height);
  const image = el("img", {
    src: shownAddress(picture, width * scale),
    width: Math.max(1, Math.round(width * scale)),
    height: Math.max(1, Math.round(height * scale)),
    alt: message.text ? "" : `${what.replace("i", "I")} from ${author}`,
    loading: "lazy",
    decoding: "async",
  });
  let tries = 0;
  const renew = async () => {
    // Its address has expired (they all do, in time), or the server is away.
    tries += 1;
    const fresh = tries <= IMAGE_TRIES && (await actions.freshImage(message, at).catch(() => undefined));
    if (fresh) image.src = shownAddress(fresh, width * scale);
    else element.classList.add("broken");
  };
  image.addEventListener("error", renew);
  const retry = () => {
    if (!element.classList.contains("broken")) return;
    element.classList.remove("broken");
    tries = 0;
    void renew();
  };
  const label = message.text ? `Enlarge ${what}: ${message.text}` : `Enlarge ${what} from ${author}`;
  const open = () => actions.openImage(message, at, image);
  const element = el("button", { type: "button", class: "image-button", "aria-label": label, on: { click: open } }, image);
  return { element, retry };
}

/**
 * The smallest file that looks sharp in the bubble. What moves has no other.
 *
 * @param {Picture} picture
 * @param {number} width In the page's pixels.
 */
function shownAddress({ url, animated, thumbnails = [] }, width) {
  const needed = SHARP_ENOUGH * width * globalThis.devicePixelRatio;
  const enough = thumbnails.filter((one) => one.width >= needed).sort((one, other) => one.width - other.width);
  return (!animated && enough[0]?.url) || url;
}
