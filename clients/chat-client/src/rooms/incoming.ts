/** What the server says of rooms: taken into their state, and told to listeners. */

import { applyReactions } from "./changes.js";

/**
 * @typedef {import("./room-state.js").RoomState} RoomState
 * @typedef {import("./room-state.js").Message} Message
 *
 * @typedef {object} Parts
 * @property {string | null} user Whose client this is.
 * @property {import("./rooms.js").Rooms} rooms
 * @property {import("./attendance.js").Attendance} attendance
 * @property {import("./outbox.js").Outbox} outbox
 * @property {import("./read-marks.js").ReadMarks} readMarks
 * @property {import("./typing.js").TypingUsers} typingUsers
 * @property {import("./names.js").Names} names
 * @property {(name: string, payload: object) => void} emit Tells the listeners.
 * @property {(room: string) => void} ended The user is no member of a room any more.
 * @property {() => void} statusChanged
 */

export class Incoming {
  /** @param {Parts} parts */
  constructor(parts) {
    this.parts = parts;
  }

  /**
   * An event came over the connection; one of a room that is not wanted is left alone.
   *
   * @param {string} name
   * @param {any} payload
   */
  event(name, payload) {
    const { rooms, attendance, typingUsers, statusChanged } = this.parts;
    const room = payload?.room;
    const state = rooms.get(room);
    if (!state) return;
    if (name === "typing" || name === "presence") this.parts.names.seen(payload);
    if (Number.isSafeInteger(payload.offset)) attendance.event(name, payload);
    else if (name === "reload") {
      state.forgetCursor();
      attendance.need(room);
      statusChanged();
    } else if (name === "membership_ended") this.parts.ended(room);
    // Of a past that is not known yet; the ack tells how things stand in it.
    else if (!state.cursor) return;
    else if (name === "typing") typingUsers.set(room, payload.user, payload.on);
    else if (name === "reactions") {
      applyReactions(state, payload);
      this.parts.emit("changed", { room, name, payload });
    } else if (name === "presence") {
      const { reads } = state;
      state.applyPresence(payload);
      this.#tell(room, "presence");
      if (state.reads !== reads) this.#tell(room, "reads");
    } else if (name === "member_count") {
      state.memberCount = payload.memberCount;
      this.#tell(room, "presence");
    } else if (name === "state") {
      state.applyStanding(payload);
      this.#tell(room, "presence", "reads");
    } else if (name === "read") this.#read(state, payload);
  }

  /**
   * @param {RoomState} state
   * @param {{user: string, lastReadMessage: number}} mark
   */
  #read(state, { user, lastReadMessage }) {
    if (!state.applyRead(user, lastReadMessage)) return;
    if (user === this.parts.user) this.parts.readMarks.known(state.room, lastReadMessage);
    this.#tell(state.room, "reads");
  }

  /**
   * The answer to a room's `sync`.
   *
   * @param {RoomState} state
   * @param {any} ack
   */
  joined(state, ack) {
    const { room } = state;
    const mark = state.lastReadMessage;
    const { replaced, applied } = state.applyJoin(ack);
    if (replaced) this.#replaced(state);
    for (const [name, payload] of applied) this.applied(state, name, payload, false);
    if (!replaced && state.raiseLastRead(mark)) this.parts.readMarks.want(room, mark);
    void this.parts.names.want(room, state.online ?? []);
    this.#tell(room, "reads", "presence");
    // The seat is taken at the end of this step.
    queueMicrotask(() => this.#settle(room));
  }

  /** @param {RoomState} state */
  #replaced({ room, messages }) {
    for (const message of messages) this.#seen(message);
    // What was acknowledged must be among them; if it is not, the server lost it, and
    // showing it on would be a lie.
    this.parts.outbox.forgetSent(room);
    // A mark in another past may mean a message that was never read.
    this.parts.readMarks.forget(room);
    this.#tell(room, "replaced");
  }

  /** @param {string} room */
  #settle(room) {
    const { rooms, attendance, outbox, readMarks, statusChanged } = this.parts;
    const state = rooms.get(room);
    if (!state || !attendance.attends(room)) return;
    rooms.ready(state);
    outbox.resume(room);
    readMarks.resume(room);
    statusChanged();
  }

  /**
   * An event of a room's log was taken into its state.
   *
   * @param {RoomState} state
   * @param {string} name
   * @param {any} payload
   * @param {boolean} isLive
   */
  applied({ room }, name, payload, isLive) {
    const { emit, typingUsers } = this.parts;
    if (name !== "message") {
      emit("changed", { room, name, payload });
      return;
    }
    this.#seen(payload);
    typingUsers.set(room, payload.user, false);
    emit("message", { room, message: payload, isLive });
  }

  /** @param {Message} message */
  #seen({ user, name, clientId, message }) {
    this.parts.names.seen({ user, name });
    if (user === this.parts.user && clientId) this.parts.outbox.seen(clientId, message);
  }

  /**
   * @param {string} room
   * @param {...string} names Events that carry nothing but the room.
   */
  #tell(room, ...names) {
    for (const name of names) this.parts.emit(name, { room });
  }
}
