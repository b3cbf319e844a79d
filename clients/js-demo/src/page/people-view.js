/** Who is here, and who belongs to the room. */

import { apart, el } from "./dom.js";
import { hueOf, initials } from "./format.js";

/** Names shown in the panel; a larger room has its count. */
const MOST = 200;

export class PeopleView {
  /**
   * @param {string | null} user
   * @param {(user: string) => string} nameOf
   */
  constructor(user, nameOf) {
    this.user = user;
    this.nameOf = nameOf;
    this.content = el("div", { class: "people-content" });
    this.element = el("aside", { class: "people", id: "people", "aria-label": "People" }, this.content);
  }

  /**
   * @param {import("chatroom-client").RoomState | undefined} state
   * @param {boolean} isLive Else it is what was known when the connection was lost.
   */
  render(state, isLive) {
    if (!state) return this.content.replaceChildren();
    const byName = (/** @type {string} */ a, /** @type {string} */ b) => this.nameOf(a).localeCompare(this.nameOf(b));
    const here = [...(state.online ?? [])].sort(byName);
    const away = [...(state.reads?.keys() ?? [])]
      .filter((user) => !state.online?.has(user))
      .sort(byName);
    this.content.replaceChildren(
      ...this.#group(isLive ? "Here now" : "Were here", state.onlineCount, here, isLive ? "here" : "away"),
      ...(state.reads && state.online ? this.#group("Away", away.length, away, "away") : []),
      state.online || !state.cursor ? "" : el("p", { class: "hint" }, "A large room shows numbers only."),
    );
  }

  /**
   * @param {string} title
   * @param {number} count
   * @param {string[]} users
   * @param {string} kind
   */
  #group(title, count, users, kind) {
    if (count === 0) return [];
    const items = users.slice(0, MOST).map((user) =>
      el(
        "li",
        { class: `person ${kind}` },
        el("span", { class: `avatar ${hueOf(user)}`, "aria-hidden": "true" }, initials(this.nameOf(user))),
        el("span", { class: "person-name", title: user }, apart(this.nameOf(user))),
        user === this.user && el("span", { class: "hint" }, "you"),
      ),
    );
    return [
      el("h3", {}, `${title} `, el("span", { class: "count" }, String(count))),
      el("ul", { role: "list" }, ...items),
    ];
  }
}
