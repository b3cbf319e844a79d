/** The list of rooms: what is new where. */

import { badge, hueOf, initials, plural, previewOf, whenOf } from "./format.js";
import { apart, el, icon } from "./dom.js";
import { ROOM_ID } from "chatroom-client";
import { hashOf } from "./whereabouts.js";

/**
 * @typedef {object} RoomRow
 * @property {string} room
 * @property {string | null} [name]
 * @property {number} unread
 * @property {import("chatroom-client").Message | null} [newest]
 */

export class RoomsView {
  /** @type {Map<string, {item: HTMLElement, update: (row: RoomRow, isCurrent: boolean) => void}>} */
  #rows = new Map();

  /**
   * @param {string | null} user
   * @param {(room: string) => void} open A room's id was typed in.
   */
  constructor(user, open) {
    this.user = user;
    this.list = el("ul", { class: "rooms-list", role: "list" });
    this.element = el("nav", { class: "rooms", "aria-label": "Rooms" }, this.list, this.#form(open));
  }

  /** @param {(room: string) => void} open */
  #form(open) {
    const input = el("input", {
      id: "new-room",
      maxlength: "64",
      autocapitalize: "off",
      autocomplete: "off",
      spellcheck: "false",
      placeholder: "Open or create a room",
      "aria-label": "Open or create a room",
      "aria-describedby": "new-room-hint",
    });
    const hint = el("p", { class: "hint", id: "new-room-hint", role: "alert" });
    const submit = (/** @type {Event} */ event) => {
      event.preventDefault();
      const room = input.value.trim().replace(/\s+/g, "-");
      hint.textContent = ROOM_ID.test(room) ? "" : "Letters, digits, - and _, at most 64.";
      if (hint.textContent) return;
      input.value = "";
      open(room);
    };
    const button = el("button", { type: "submit", class: "quiet", "aria-label": "Open room" }, icon("plus"));
    return el("form", { class: "new-room", on: { submit } }, el("div", { class: "new-room-row" }, input, button), hint);
  }

  /**
   * @param {RoomRow[]} rows
   * @param {string | null} current
   */
  render(rows, current) {
    const ordered = [...rows].sort(
      (a, b) => (b.newest?.at ?? 0) - (a.newest?.at ?? 0) || a.room.localeCompare(b.room),
    );
    const rooms = new Set(rows.map(({ room }) => room));
    for (const [room, { item }] of this.#rows) {
      if (rooms.has(room)) continue;
      item.remove();
      this.#rows.delete(room);
    }
    ordered.forEach((row, at) => {
      let made = this.#rows.get(row.room);
      if (!made) this.#rows.set(row.room, (made = this.#row(row.room)));
      made.update(row, row.room === current);
      // Moving an element takes the focus from it: only where its place is another.
      if (this.list.children[at] !== made.item) this.list.insertBefore(made.item, this.list.children[at] ?? null);
    });
  }

  /** @param {string} room */
  #row(room) {
    const preview = el("span", { class: "room-preview" });
    const time = el("span", { class: "room-time" });
    const count = el("span", { class: "badge", "aria-hidden": "true" });
    const spoken = el("span", { class: "visually-hidden" });
    const name = el("span", { class: "room-name" });
    const link = el(
      "a",
      { class: "room", href: hashOf(room) },
      el("span", { class: `avatar square ${hueOf(room)}`, "aria-hidden": "true" }, initials(room)),
      el("span", { class: "room-text" }, name, time, preview, count),
      spoken,
    );
    const update = (/** @type {RoomRow} */ { newest, unread, name: title }, /** @type {boolean} */ isCurrent) => {
      name.replaceChildren(apart(title || room));
      const author = newest && (newest.user === this.user ? "You" : apart(newest.name ?? newest.user));
      preview.replaceChildren(...(newest ? [author, ": ", apart(previewOf(newest))] : ["No messages yet"]));
      time.textContent = newest ? whenOf(newest.at) : "";
      count.textContent = badge(unread);
      count.hidden = unread === 0;
      spoken.textContent = unread > 0 ? `, ${plural(unread, "unread message", "unread messages")}` : "";
      if (isCurrent) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    };
    return { item: el("li", {}, link), update };
  }
}
