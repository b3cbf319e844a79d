/** Which rooms this client attends, from the wish on, and what goes with a room's end. */

import { ChatRequestError } from "../connection/errors.js";
import { RoomState } from "./room-state.js";
import { ROOM_ID, type Rooms } from "./rooms.js";
import type { Connection } from "../connection/connection.js";
import type { Attendance } from "./attendance.js";
import type { Outbox } from "../outbox/outbox.js";
import type { ReadMarks } from "./read-marks.js";

export interface Parts {
  /** Whose client this is. */
  user: string | null;
  keepMessages?: number;
  connection: Connection;
  rooms: Rooms;
  attendance: Attendance;
  outbox: Outbox;
  readMarks: ReadMarks;
  /** Told to listeners. */
  refused: (room: string, error: ChatRequestError) => void;
  statusChanged: () => void;
}

export class Memberships {
  /** Rooms whose `quit` is under way. */
  #quitting = new Set<string>();

  constructor(readonly parts: Parts) {}

  join(room: string): Promise<RoomState> {
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

  async leave(room: string) {
    const { connection } = this.parts;
    this.#forget(room, new ChatRequestError("closed", "The room was left."));
    // Without a connection there is nothing to leave: a new one attends nothing.
    if (connection.isOnline) await connection.request("leave", { room });
  }

  async quit(room: string) {
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
   * @returns Messages can be sent there. While it is being quit none may: the rejoin that
   *   the refusal of one asks for would make the user a member again.
   */
  isOpen(room: string): boolean {
    return this.parts.attendance.attends(room) && !this.#quitting.has(room);
  }

  /** The server says that a room that should be is not attended. */
  lost(room: string) {
    if (!this.#quitting.has(room)) this.parts.attendance.need(room);
  }

  /** The room cannot be attended, or not any more. */
  refused(room: string, error: ChatRequestError) {
    this.#end(room, error);
    this.parts.refused(room, error);
  }

  /** @param room The user has quit it elsewhere. */
  ended(room: string) {
    this.refused(room, new ChatRequestError("ended", "You left it on another device."));
  }

  #end(room: string, error: ChatRequestError) {
    this.#forget(room, error);
    this.parts.outbox.giveUp(room, error);
  }

  /** @param error For those who wait for it. */
  #forget(room: string, error: ChatRequestError) {
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
