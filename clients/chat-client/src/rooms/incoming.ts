/** What the server says of rooms: taken into their state, and told to listeners. */

import { applyReactions } from "./changes.js";
import type { Change, Events } from "../types.js";
import type { RoomState } from "./room-state.js";
import type { Message } from "../wire.js";
import type { Rooms } from "./rooms.js";
import type { Attendance } from "./attendance.js";
import type { Outbox } from "../outbox/outbox.js";
import type { ReadMarks } from "./read-marks.js";
import type { TypingUsers } from "./typing.js";
import type { Names } from "./names.js";

export interface Parts {
  /** Whose client this is. */
  user: string | null;
  rooms: Rooms;
  attendance: Attendance;
  outbox: Outbox;
  readMarks: ReadMarks;
  typingUsers: TypingUsers;
  names: Names;
  /** Tells the listeners. */
  emit: <Name extends keyof Events>(name: Name, payload: Events[Name]) => void;
  /** The user is no member of a room any more. */
  ended: (room: string) => void;
  statusChanged: () => void;
}

export class Incoming {
  constructor(readonly parts: Parts) {}

  /** An event came over the connection; one of a room that is not wanted is left alone. */
  event(name: string, payload: any) {
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
      this.parts.emit("changed", { room, name, payload } as Change);
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

  #read(state: RoomState, { user, lastReadMessage }: { user: string; lastReadMessage: number }) {
    if (!state.applyRead(user, lastReadMessage)) return;
    if (user === this.parts.user) this.parts.readMarks.known(state.room, lastReadMessage);
    this.#tell(state.room, "reads");
  }

  /** The answer to a room's `sync`. */
  joined(state: RoomState, ack: any) {
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

  #replaced({ room, messages }: RoomState) {
    for (const message of messages) this.#seen(message);
    // What was acknowledged must be among them; if it is not, the server lost it, and
    // showing it on would be a lie.
    this.parts.outbox.forgetSent(room);
    // A mark in another past may mean a message that was never read.
    this.parts.readMarks.forget(room);
    this.#tell(room, "replaced");
  }

  #settle(room: string) {
    const { rooms, attendance, outbox, readMarks, statusChanged } = this.parts;
    const state = rooms.get(room);
    if (!state || !attendance.attends(room)) return;
    rooms.ready(state);
    outbox.resume(room);
    readMarks.resume(room);
    statusChanged();
  }

  /** An event of a room's log was taken into its state. */
  applied({ room }: RoomState, name: string, payload: any, isLive: boolean) {
    const { emit, typingUsers } = this.parts;
    if (name !== "message") {
      emit("changed", { room, name, payload } as Change);
      return;
    }
    this.#seen(payload);
    typingUsers.set(room, payload.user, false);
    emit("message", { room, message: payload, isLive });
  }

  #seen({ user, name, clientId, message }: Message) {
    this.parts.names.seen({ user, name });
    if (user === this.parts.user && clientId) this.parts.outbox.seen(clientId, message);
  }

  /** @param names Events that carry nothing but the room. */
  #tell(room: string, ...names: ("reads" | "presence" | "replaced")[]) {
    for (const name of names) this.parts.emit(name, { room });
  }
}
