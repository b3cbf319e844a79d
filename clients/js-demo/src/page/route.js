/** The room that is shown, which is the one in the address. */

import { currentRoom, hashOf } from "./whereabouts.js";

export class Route {
  /** @type {string | null} */
  room = null;
  /** @type {Set<string>} Rooms that one has left: to see them again would be to join. */
  #left = new Set();
  #hashChanged = () => this.#follow();

  /** @param {(room: string | null, before: string | null) => void} changed */
  constructor(changed) {
    this.changed = changed;
  }

  start() {
    addEventListener("hashchange", this.#hashChanged);
    this.#follow();
  }

  close() {
    removeEventListener("hashchange", this.#hashChanged);
  }

  /** @param {string | null} room */
  go(room) {
    location.hash = hashOf(room);
  }

  /**
   * Away from a room that one is no member of any more. The browser's back button does
   * not lead there again; a link or the room's name does.
   *
   * @param {string} room
   */
  leave(room) {
    this.#left.add(room);
    if (room === this.room) location.replace(hashOf(null));
  }

  #follow() {
    const room = currentRoom();
    const isRevisited = markAsSeen();
    if (room && this.#left.has(room)) {
      if (isRevisited) return location.replace(hashOf(null));
      this.#left.delete(room);
    }
    const before = this.room;
    if (room === before && room !== null) return;
    this.room = room;
    this.changed(room, before);
  }
}

/**
 * @returns {boolean} This entry of the browser's history was seen before: one came here
 *   by the back or forward button, or by a reload. New entries have no state.
 */
function markAsSeen() {
  const wasSeen = history.state?.isSeen === true;
  history.replaceState({ isSeen: true }, "");
  return wasSeen;
}
