/** The frame of the chat: three columns on a desk, one screen at a time on a phone. */

import { apart, el, icon } from "./dom.js";
import { hueOf, initials, plural } from "./format.js";
import { hashOf } from "./whereabouts.js";

const WIDE = "(min-width: 760px)";
/** From here on there is room for the people beside the messages. */
const VERY_WIDE = "(min-width: 1080px)";

export class Layout {
  /**
   * @param {string} user
   * @param {import("./chat-page.js").ChatPage} views
   * @param {{signOut: () => void, quit: () => void}} actions
   */
  constructor(user, { rooms, status, messages, people, composer, announcer }, actions) {
    this.people = people.element;
    this.me = el("p", { class: "me-name" }, apart(user));
    this.heading = el("h1", { class: "room-title", tabindex: "-1" });
    this.subtitle = el("p", { class: "room-subtitle" });
    this.peopleButton = el(
      "button",
      { type: "button", class: "quiet", "aria-label": "People", title: "People", "aria-controls": "people", on: { click: () => this.togglePeople() } },
      icon("people"),
    );
    this.empty = el("p", { class: "empty" }, "Choose a room, or open a new one.");
    this.content = el("div", { class: "room-content" }, messages.element, status.banner, composer.element);
    const quit = el("button", { type: "button", class: "link leave", on: { click: actions.quit } }, icon("leave"), "Leave this room");
    people.element.append(quit);
    this.main = el(
      "main",
      { class: "main" },
      el(
        "header",
        { class: "room-header" },
        el("a", { class: "quiet back", href: hashOf(null), "aria-label": "Back to the rooms" }, icon("back")),
        el("div", { class: "room-heading" }, this.heading, this.subtitle),
        this.peopleButton,
      ),
      this.empty,
      this.content,
    );
    this.element = el("div", { class: "chat" }, this.#sidebar(user, rooms, status, actions), this.main, this.people, announcer.notices, announcer.live);
    this.togglePeople(matchMedia(VERY_WIDE).matches);
    this.element.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== "Escape" || this.people.hidden || matchMedia(VERY_WIDE).matches) return;
      this.togglePeople(false);
      this.peopleButton.focus();
    });
  }

  /**
   * @param {string} user
   * @param {import("./rooms-view.js").RoomsView} rooms
   * @param {import("./status-view.js").StatusView} status
   * @param {{signOut: () => void}} actions
   */
  #sidebar(user, rooms, status, { signOut }) {
    return el(
      "div",
      { class: "sidebar" },
      el(
        "header",
        { class: "me" },
        el("span", { class: `avatar ${hueOf(user)}`, "aria-hidden": "true" }, initials(user)),
        el("div", { class: "me-text" }, this.me, status.element),
        el("button", { type: "button", class: "quiet", "aria-label": "Sign out", title: "Sign out", on: { click: signOut } }, icon("leave")),
      ),
      rooms.element,
    );
  }

  get isWide() {
    return matchMedia(WIDE).matches;
  }

  /** @param {boolean} [isShown] */
  togglePeople(isShown = this.people.hidden) {
    this.people.hidden = !isShown;
    this.peopleButton.setAttribute("aria-expanded", String(isShown));
  }

  /** @param {string | null} room */
  show(room) {
    this.element.dataset.screen = room ? "room" : "rooms";
    this.empty.hidden = room !== null;
    this.content.hidden = room === null;
    this.peopleButton.hidden = room === null;
    if (room === null || !matchMedia(VERY_WIDE).matches) this.togglePeople(false);
    else this.togglePeople(true);
  }

  /**
   * @param {string | null} room
   * @param {import("chatroom-client").RoomState | undefined} state
   * @param {number} unread
   * @param {boolean} isLive
   */
  title(room, state, unread, isLive) {
    this.heading.textContent = room ?? "Chatroom";
    const members = state?.memberCount ? plural(state.memberCount, "member", "members") : "";
    this.subtitle.textContent = state && isLive && members ? `${members}, ${state.onlineCount} here` : members;
    document.title = `${unread > 0 ? `(${unread}) ` : ""}${room ?? "Rooms"} · Chatroom`;
  }
}
