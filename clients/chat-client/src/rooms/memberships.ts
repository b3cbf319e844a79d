/** Which rooms this client attends, from the wish on, and what goes with a room's end. */

import { ChatRequestError } from "./errors.js";
import { RoomState } from "./room-state.js";
import { ROOM_ID } from "./rooms.js";

/**
 * @typedef {object} Parts
 * @property {string | null} user Whose client this is.
 * @property {number} [keepMessages]
 * @property {import("./connection.js").Connection} connection
 * @property {import("./rooms.js").Rooms} rooms
 * @property {import("./attendance.js").Attendance} attendance
 * @property {import("./outbox.js").Outbox} outbox
 * @property {import("./read-marks.js").ReadMarks} readMarks
 * @property {(room: string, error: ChatRequestError) => void} refused Told to listeners.
 * @property {() => void} statusChanged
 */

export class Memberships {
  /** @type {Set<string>} Rooms whose `quit` is under way. */
  #quitting = new Set();

  /** @param {Parts} parts */
  constructor(parts) {
    this.parts = parts;
  }

  /**
   * @param {string} room
   * @returns {Promise<RoomState>}
   */
  join(room) {
    const { connection, rooms, attendance, user, keepMessages } = this.parts;
    if (!ROOM_ID.test(room)) {
      return Promise.reject(new ChatRequestError("invalid", "This is no room id."));
    }
    if (connection.state === "closed") return Promise.reject(clientClosed());
    const state = rooms.get(room);
    if (state && attendance.attends(room)) return Promise.resolve(state);
    const joined = rooms.wait(room);
    if (!state) {
      const made = new RoomState(room, user, keepMessages);
      rooms.add(made);
      attendance.add(made);
    }
    return joined;
  }

  /** @param {string} room */
  async leave(room) {
    const { connection } = this.parts;
    this.#forget(room, new ChatRequestError("closed", "The room was left."));
    // Without a connection there is nothing to leave: a new one attends nothing.
    if (connection.isOnline) await connection.request("leave", { room });
  }

  /** @param {string} room */
  async quit(room) {
    const { connection, outbox } = this.parts;
    this.#quitting.add(room);
    try {
      await connection.request("quit", { room });
      this.#end(room, new ChatRequestError("ended", "The room was left."));
    } finally {
      this.#quitting.delete(room);
      outbox.pump(room);
    }
  }

  /**
   * @param {string} room
   * @returns {boolean} Messages can be sent there. While it is being quit none may: the
   *   rejoin that the refusal of one asks for would make the user a member again.
   */
  isOpen(room) {
    return this.parts.attendance.attends(room) && !this.#quitting.has(room);
  }

  /**
   * The server says that a room that should be is not attended.
   *
   * @param {string} room
   */
  lost(room) {
    if (!this.#quitting.has(room)) this.parts.attendance.need(room);
  }

  /**
   * The room cannot be attended, or not any more.
   *
   * @param {string} room
   * @param {ChatRequestError} error
   */
  refused(room, error) {
    this.#end(room, error);
    this.parts.refused(room, error);
  }

  /** @param {string} room The user has quit it elsewhere. */
  ended(room) {
    this.refused(room, new ChatRequestError("ended", "You left it on another device."));
  }

  /**
   * @param {string} room
   * @param {ChatRequestError} error
   */
  #end(room, error) {
    this.#forget(room, error);
    this.parts.outbox.giveUp(room, error);
  }

  /**
   * @param {string} room
   * @param {ChatRequestError} error For those who wait for it.
   */
  #forget(room, error) {
    const { attendance, readMarks, rooms, outbox, statusChanged } = this.parts;
    attendance.remove(room);
    readMarks.forget(room);
    rooms.remove(room, error);
    outbox.forgetSent(room);
    statusChanged();
  }

  close() {
    this.parts.rooms.close(clientClosed());
  }
}

function clientClosed() {
  return new ChatRequestError("closed", "The client was closed.");
}
