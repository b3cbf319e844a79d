/** The rooms this client wants, and who waits for them. */

import { ChatRequestError } from "../connection/errors.js";
import { RoomState } from "./room-state.js";

/** Room ids, as the server has them. */
export const ROOM_ID = /^[A-Za-z0-9_-]{1,64}$/;

export class Rooms {
  #states = new Map<string, RoomState>();
  #waiting: Map<
    string,
    { resolve: (state: RoomState) => void; reject: (error: unknown) => void }[]
  > = new Map();

  get ids() {
    return [...this.#states.keys()];
  }

  get(room: string) {
    return this.#states.get(room);
  }

  /** @throws {ChatRequestError} `not_attending` */
  mustGet(room: string): RoomState {
    const state = this.#states.get(room);
    if (!state) throw new ChatRequestError("not_attending", "Join the room first.");
    return state;
  }

  /** @returns No event of this offset is to come any more. */
  isPast(room: string, offset: number): boolean {
    const state = this.#states.get(room);
    return !state || (state.cursor !== null && offset <= state.cursor.offset);
  }

  add(state: RoomState) {
    this.#states.set(state.room, state);
  }

  /** @returns Settled by `ready` or `remove`. */
  wait(room: string): Promise<RoomState> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(room, [...(this.#waiting.get(room) ?? []), { resolve, reject }]);
    });
  }

  ready(state: RoomState) {
    for (const { resolve } of this.#waiting.get(state.room) ?? []) resolve(state);
    this.#waiting.delete(state.room);
  }

  /** @param error For those who wait for it. */
  remove(room: string, error: ChatRequestError) {
    this.#states.delete(room);
    this.#reject(room, error);
  }

  /** @param error For those who wait for any room. */
  close(error: ChatRequestError) {
    for (const room of [...this.#waiting.keys()]) this.#reject(room, error);
  }

  #reject(room: string, error: ChatRequestError) {
    for (const { reject } of this.#waiting.get(room) ?? []) reject(error);
    this.#waiting.delete(room);
  }
}
