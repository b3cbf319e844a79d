/** One message as an element: sent, or still on its way. */

import { apart, el, icon } from "./dom.js";
import { fullTimeOf, hueOf, initials, timeOf } from "./format.js";
import { linkified } from "./linkify.js";
import { grid, sentImages } from "./message-images.js";

/**
 * @typedef {import("chatroom-client").Message} Message
 * @typedef {import("chatroom-client").Image} Picture
 * @typedef {object} Actions
 * @property {(message: Message, at: number, image: HTMLImageElement) => void} openImage `at`: which.
 * @property {(message: Message, at: number) => Promise<Picture | undefined>} freshImage With valid addresses.
 * @property {(clientId: string) => void} retry
 * @property {(clientId: string) => void} discard
 * @property {(clientId: string) => void} edit
 *
 * @typedef {object} MadeMessage
 * @property {HTMLElement} element
 * @property {(count: number | null) => void} setUnreadBy
 * @property {() => void} retryImages Try again to get those that could not be had.
 *
 * @typedef {import("chatroom-client").OutboxItem} OutboxItem
 * @typedef {Pick<OutboxItem, "clientId" | "type" | "text" | "at">} PendingContent
 * @typedef {{step: "reading", images?: File[], error?: undefined, isKept?: undefined}} BeingRead
 *   Not in the outbox yet, for its images' files are being read.
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
  const images = sentImages(message, actions);
  const time = el("time", { datetime: new Date(message.at).toISOString(), title: fullTimeOf(message.at) }, timeOf(message.at));
  const element = frame(
    message,
    { isOwn, isFollowing },
    bubble(message, images.element),
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
  return { element, setUnreadBy, retryImages: images.retry };
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
 * @param {HTMLElement} [images]
 */
function bubble(message, images) {
  if (message.type === "deleted") return el("p", { class: "bubble deleted" }, "This message was deleted.");
  const text = message.text && el("p", { class: "text", dir: "auto" }, ...linkified(message.text));
  const counts = Object.entries(message.reactions ?? {});
  return el("div", { class: images ? "bubble with-image" : "bubble" }, images, text, counts.length > 0 && reactionsElement(counts));
}

/** @param {[string, number][]} counts */
function reactionsElement(counts) {
  const items = counts.map(([key, count]) => el("li", {}, apart(key), ` ${count}`));
  return el("ul", { class: "reactions", role: "list", "aria-label": "Reactions" }, ...items);
}

const REASONS = /** @type {Record<string, string>} */ ({
  too_old: "It waited for more than a day and may have been sent already.",
  image_lost: "Its images could not be kept over the reload.",
  too_large: "It is too large for the server.",
  forbidden: "You may not write in this room.",
});

/** Of images: the same bytes will not be taken another time either. */
const FOR_GOOD = new Set(["image_lost", "invalid", "too_large"]);

/**
 * Why images will not be sent, however often it is tried; nothing for all others.
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
 * @param {string[]} imageUrls Of its own bytes.
 * @param {boolean} isFollowing
 * @param {Actions} actions
 * @returns {HTMLElement}
 */
export function pendingElement(item, imageUrls, isFollowing, actions) {
  const content = el(
    "div",
    { class: imageUrls.length > 0 ? "bubble with-image" : "bubble" },
    grid(imageUrls.map((src) => el("img", { class: "pending-image", src, alt: item.text ? "" : "Your image" }))),
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
