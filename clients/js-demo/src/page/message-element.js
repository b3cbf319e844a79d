/** One message as an element: sent, or still on its way. */

import { apart, el, icon } from "./dom.js";
import { fullTimeOf, hueOf, initials, timeOf } from "./format.js";
import { linkified } from "./linkify.js";

/** Images are shown within this box; width and height are known, so nothing jumps. */
const IMAGE_BOX = { width: 360, height: 320 };
/** Part of the pixels on the screen that a thumbnail must have. */
const SHARP_ENOUGH = 0.85;
/** Addresses that are asked for until an image is given up, for now. */
const IMAGE_TRIES = 2;

/**
 * @typedef {import("../chatroom-client.js").Message} Message
 * @typedef {NonNullable<Message["image"]>} Picture
 * @typedef {object} Actions
 * @property {(message: Message, image: HTMLImageElement) => void} openImage
 * @property {(message: Message) => Promise<Picture | undefined>} freshImage With valid addresses.
 * @property {(clientId: string) => void} retry
 * @property {(clientId: string) => void} discard
 * @property {(clientId: string) => void} edit
 *
 * @typedef {object} MadeMessage
 * @property {HTMLElement} element
 * @property {(count: number | null) => void} setUnreadBy
 * @property {() => void} [retryImage] Try again to get an image that could not be had.
 *
 * @typedef {import("../chatroom-client.js").OutboxItem} OutboxItem
 * @typedef {Pick<OutboxItem, "clientId" | "type" | "text" | "at">} PendingContent
 * @typedef {{step: "reading", image?: File, error?: undefined, isKept?: undefined}} BeingRead
 *   Not in the outbox yet, for an image's file is being read.
 * @typedef {OutboxItem | (PendingContent & BeingRead)} PendingItem
 */

/**
 * @param {Message} message
 * @param {{isOwn: boolean, isFollowing: boolean}} place `isFollowing`: right after
 *   another one of the same author, whose name stands there already.
 * @param {Actions} actions
 * @returns {MadeMessage}
 */
export function messageElement(message, { isOwn, isFollowing }, actions) {
  const unread = el("span", { class: "unread-by" });
  const image = message.image ? sentImage(message, actions) : undefined;
  const time = el("time", { datetime: new Date(message.at).toISOString(), title: fullTimeOf(message.at) }, timeOf(message.at));
  const element = frame(
    message,
    { isOwn, isFollowing },
    bubble(message, image?.element),
    el("span", { class: "meta" }, unread, message.edits ? "edited " : false, time),
  );
  element.dataset.message = String(message.message);
  const setUnreadBy = (/** @type {number | null} */ count) => {
    const text = count ? String(count) : "";
    if (unread.textContent === text) return;
    unread.textContent = text;
    if (text) {
      unread.setAttribute("role", "img");
      unread.setAttribute("aria-label", `Not read by ${text} yet`);
    } else {
      unread.removeAttribute("role");
      unread.removeAttribute("aria-label");
    }
  };
  return { element, setUnreadBy, retryImage: image?.retry };
}

/**
 * @param {{user: string, name?: string}} author
 * @param {{isOwn: boolean, isFollowing: boolean}} place
 * @param {HTMLElement} content
 * @param {HTMLElement} meta
 */
function frame({ user, name = user }, { isOwn, isFollowing }, content, meta) {
  const classes = ["message", isOwn && "own", isFollowing && "following"];
  return el(
    "li",
    { class: classes.filter(Boolean).join(" ") },
    !isOwn && el("span", { class: `avatar ${hueOf(user)}`, "aria-hidden": "true" }, initials(name)),
    el(
      "div",
      { class: "message-body" },
      // Seen once above a run of messages, heard with each of them.
      el("span", { class: isOwn || isFollowing ? "visually-hidden" : "author" }, isOwn ? "You" : apart(name)),
      el("div", { class: "message-row" }, content, meta),
    ),
  );
}

/**
 * @param {Message} message
 * @param {HTMLElement} [image]
 */
function bubble(message, image) {
  if (message.type === "deleted") return el("p", { class: "bubble deleted" }, "This message was deleted.");
  const text = message.text && el("p", { class: "text", dir: "auto" }, ...linkified(message.text));
  const counts = Object.entries(message.reactions ?? {});
  return el("div", { class: image ? "bubble with-image" : "bubble" }, image, text, counts.length > 0 && reactionsElement(counts));
}

/** @param {[string, number][]} counts */
function reactionsElement(counts) {
  const items = counts.map(([key, count]) => el("li", {}, apart(key), ` ${count}`));
  return el("ul", { class: "reactions", role: "list", "aria-label": "Reactions" }, ...items);
}

/**
 * @param {Message} message
 * @param {Actions} actions
 */
function sentImage(message, actions) {
  const picture = /** @type {Picture} */ (message.image);
  const { width, height } = picture;
  const author = message.name ?? message.user;
  const scale = Math.min(1, IMAGE_BOX.width / width, IMAGE_BOX.height / height);
  const image = el("img", {
    src: shownAddress(picture, width * scale),
    width: Math.max(1, Math.round(width * scale)),
    height: Math.max(1, Math.round(height * scale)),
    alt: message.text ? "" : `Image from ${author}`,
    loading: "lazy",
    decoding: "async",
  });
  let tries = 0;
  const renew = async () => {
    // Its address has expired (they all do, in time), or the server is away.
    tries += 1;
    const fresh = tries <= IMAGE_TRIES && (await actions.freshImage(message).catch(() => undefined));
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
  const label = message.text ? `Enlarge image: ${message.text}` : `Enlarge image from ${author}`;
  const open = () => actions.openImage(message, image);
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

const REASONS = /** @type {Record<string, string>} */ ({
  too_old: "It waited for more than a day and may have been sent already.",
  image_lost: "The image could not be kept over the reload.",
  too_large: "It is too large for the server.",
  forbidden: "You may not write in this room.",
});

/** Of an image: the same bytes will not be taken another time either. */
const FOR_GOOD = new Set(["image_lost", "invalid", "too_large"]);

/**
 * Why an image will not be sent, however often it is tried; nothing for all others.
 *
 * @param {OutboxItem} item
 */
export function refusalOf({ step, type, error }) {
  if (step !== "failed" || type !== "image" || !FOR_GOOD.has(error?.code ?? "")) return undefined;
  return error?.code === "image_lost" ? REASONS.image_lost : (error?.message ?? "");
}

/**
 * A message that the server does not have yet, or will not take.
 *
 * @param {PendingItem} item
 * @param {string | null} imageUrl Of its own bytes.
 * @param {boolean} isFollowing
 * @param {Actions} actions
 * @returns {HTMLElement}
 */
export function pendingElement(item, imageUrl, isFollowing, actions) {
  const content = el(
    "div",
    { class: imageUrl ? "bubble with-image" : "bubble" },
    imageUrl && el("img", { class: "pending-image", src: imageUrl, alt: item.text ? "" : "Your image" }),
    item.text && el("p", { class: "text", dir: "auto" }, ...linkified(item.text)),
  );
  const element = frame({ user: "" }, { isOwn: true, isFollowing }, content, pendingMeta(item));
  element.classList.add("pending", item.step);
  element.dataset.clientId = item.clientId;
  if (item.step === "failed") element.querySelector(".message-body")?.append(failure(item, actions));
  return element;
}

/** @param {PendingItem} item */
function pendingMeta({ step, type, error, at, isKept }) {
  if (step === "sent") return el("span", { class: "meta" }, timeOf(at));
  if (step === "failed") return el("span", { class: "meta" }, "Not sent");
  if (step === "reading" && type === "image") return el("span", { class: "meta" }, "Reading…");
  const word = step === "sending" ? "Sending…" : error ? "Trying again…" : "Waiting…";
  const warning = isKept === false ? " (lost on reload)" : "";
  return el("span", { class: "meta" }, word + warning);
}

/**
 * @param {PendingItem} item
 * @param {Actions} actions
 */
function failure({ clientId, error, type }, actions) {
  const button = (/** @type {string} */ label, /** @type {(id: string) => void} */ act) =>
    el("button", { type: "button", class: "link", on: { click: () => act(clientId) } }, label);
  return el(
    "div",
    { class: "failure" },
    el("p", {}, REASONS[error?.code ?? ""] ?? error?.message ?? ""),
    button("Try again", actions.retry),
    type === "text" && button("Edit", actions.edit),
    button("Discard", actions.discard),
  );
}

/** @param {string} text */
export function dividerElement(text, kind = "day") {
  return el("li", { class: `divider ${kind}` }, el("span", {}, text));
}

/** @param {string} label */
export function jumpButton(label, /** @type {() => void} */ jump) {
  return el("button", { type: "button", class: "jump", hidden: true, "aria-label": label, on: { click: jump } }, icon("down"), el("span", { class: "jump-count" }));
}
