/** The rooms this client wants, and who waits for them. */

import { ChatRequestError } from "./errors.js";
import { RoomState } from "./room-state.js";

/** Room ids, as the server has them. */
export const ROOM_ID = /^[A-Za-z0-9_-]{1,64}$/;

export class Rooms {
  /** @type {Map<string, RoomState>} */
  #states = new Map();
  /** @type {Map<string, {resolve: (state: RoomState) => void, reject: (error: unknown) => void}[]>} */
  #waiting = new Map();

  get ids() {
    return [...this.#states.keys()];
  }

  /** @param {string} room */
  get(room) {
    return this.#states.get(room);
  }

  /**
   * @param {string} room
   * @returns {RoomState}
   * @throws {ChatRequestError} `not_attending`
   */
  mustGet(room) {
    const state = this.#states.get(room);
    if (!state) throw new ChatRequestError("not_attending", "Join the room first.");
    return state;
  }

  /**
   * @param {string} room
   * @param {number} offset
   * @returns {boolean} No event of this offset is to come any more.
   */
  isPast(room, offset) {
    const state = this.#states.get(room);
    return !state || (state.cursor !== null && offset <= state.cursor.offset);
  }

  /** @param {RoomState} state */
  add(state) {
    this.#states.set(state.room, state);
  }

  /**
   * @param {string} room
   * @returns {Promise<RoomState>} Settled by `ready` or `remove`.
   */
  wait(room) {
    return new Promise((resolve, reject) => {
      this.#waiting.set(room, [...(this.#waiting.get(room) ?? []), { resolve, reject }]);
    });
  }

  /** @param {RoomState} state */
  ready(state) {
    for (const { resolve } of this.#waiting.get(state.room) ?? []) resolve(state);
    this.#waiting.delete(state.room);
  }

  /**
   * @param {string} room
   * @param {ChatRequestError} error For those who wait for it.
   */
  remove(room, error) {
    this.#states.delete(room);
    this.#reject(room, error);
  }

  /** @param {ChatRequestError} error For those who wait for any room. */
  close(error) {
    for (const room of [...this.#waiting.keys()]) this.#reject(room, error);
  }

  /**
   * @param {string} room
   * @param {ChatRequestError} error
   */
  #reject(room, error) {
    for (const { reject } of this.#waiting.get(room) ?? []) reject(error);
    this.#waiting.delete(room);
  }
}
