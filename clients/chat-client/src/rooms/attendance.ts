/** Brings the wanted rooms up to date on this connection, and keeps them so. */

import { backoffMs } from "../connection/backoff.js";
import { ChatRequestError } from "../connection/errors.js";
import { ACK_TIMEOUT_MS } from "../connection/requests.js";
import type { RoomState } from "./room-state.js";
import type { Request } from "../types.js";
import type { JoinAck, SyncAck } from "../wire.js";

/** Rooms asked for in one `sync`, so that one ack stays of a size to be read at once. */
const ROOMS_A_SYNC = 50;
/**
 * After a long absence the ack is large, and a slow line takes its time: what did not
 * come in time is asked for again with twice the time, and for half as many rooms at
 * once. Behind one that takes longer than this the line would be taken for dead.
 */
const LONGEST_SYNC_MS = 40_000;

/** What attending needs of the others. */
export interface Wiring {
  request: Request;
  isOnline: () => boolean;
  /** The ack of a room is there, to be applied now. */
  onJoined: (state: RoomState, ack: JoinAck) => void;
  onRefused: (room: string, error: ChatRequestError) => void;
  onEvent: (state: RoomState, name: string, payload: any) => void;
}

/** A wanted room, and how far it is. */
interface Seat {
  state: RoomState;
  step: "wanted" | "asked" | "attended";
  /** Ask once more, for something was found missing meanwhile. */
  again: boolean;
}

export class Attendance {
  #seats = new Map<string, Seat>();
  #syncing = false;
  #failures = 0;
  /** Acks in a row that did not come in time, also over connections. */
  #overdue = 0;
  /** Rises with each connection: answers of an earlier one are not believed. */
  #connection = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly wiring: Wiring) {}

  add(state: RoomState) {
    this.#seats.set(state.room, { state, step: "wanted", again: false });
    this.#plan(0);
  }

  remove(room: string) {
    this.#seats.delete(room);
  }

  attends(room: string) {
    return this.#seats.get(room)?.step === "attended";
  }

  /** @returns Every wanted room is up to date. */
  get isComplete(): boolean {
    return [...this.#seats.values()].every(({ step }) => step === "attended");
  }

  /** A new connection attends nothing yet. */
  connected() {
    this.#connection += 1;
    this.#syncing = false;
    this.#failures = 0;
    for (const seat of this.#seats.values()) {
      seat.step = "wanted";
      seat.again = false;
    }
    this.#plan(0);
  }

  disconnected() {
    clearTimeout(this.#timer);
    for (const seat of this.#seats.values()) seat.step = "wanted";
  }

  /** A room is not (or not surely) up to date: ask for what is missing. */
  need(room: string) {
    const seat = this.#seats.get(room);
    if (!seat) return;
    if (seat.step === "asked") seat.again = true;
    else seat.step = "wanted";
    this.#plan(0);
  }

  /**
   * An event of a room's log came over the connection. While the room is not up to date
   * it is left alone: the ack reaches up to whatever was sent before it. After a loss of
   * the server's newest data it may also be of a past that the ack does not continue.
   */
  event(name: string, payload: any) {
    const seat = this.#seats.get(payload.room);
    if (seat?.step !== "attended") return;
    const outcome = seat.state.applyEvent(name, payload);
    if (outcome === "applied") this.wiring.onEvent(seat.state, name, payload);
    else if (outcome === "hole") this.need(payload.room);
  }

  #plan(delayMs: number) {
    if (this.#syncing || !this.wiring.isOnline()) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#sync(), delayMs);
  }

  async #sync() {
    const seats = [...this.#seats.values()]
      .filter(({ step }) => step === "wanted")
      .slice(0, Math.max(1, ROOMS_A_SYNC >> this.#overdue));
    if (this.#syncing || seats.length === 0 || !this.wiring.isOnline()) return;
    this.#syncing = true;
    const connection = this.#connection;
    for (const seat of seats) seat.step = "asked";
    let retry = 0;
    try {
      await this.#ask(seats, (answers) => {
        if (connection !== this.#connection) return;
        retry = this.#take(seats, answers);
      });
    } catch (error) {
      if (connection !== this.#connection) return;
      retry = this.#fail(seats, error as ChatRequestError);
    }
    if (connection !== this.#connection) return;
    this.#syncing = false;
    this.#plan(retry);
  }

  #ask(seats: Seat[], onAnswers: (answers: SyncAck["rooms"]) => void) {
    const rooms = seats.map(({ state }) => {
      const cursor = state.cursorText;
      return cursor === undefined ? { room: state.room } : { room: state.room, cursor };
    });
    const timeoutMs = Math.min(ACK_TIMEOUT_MS * 2 ** this.#overdue, LONGEST_SYNC_MS);
    return this.wiring.request(
      "sync",
      { rooms },
      { timeoutMs, onOk: (ack) => onAnswers(ack.rooms) },
    );
  }

  /**
   * @param answers One for each room asked for.
   * @returns Milliseconds until the next attempt.
   */
  #take(seats: Seat[], answers: SyncAck["rooms"]): number {
    const byRoom = new Map(answers.map((answer) => [answer.room, answer]));
    let retry = 0;
    let failed = false;
    for (const seat of seats) {
      const answer = byRoom.get(seat.state.room);
      if (this.#seats.get(seat.state.room) !== seat) continue;
      if (answer?.ok) this.#seatTaken(seat, answer);
      else {
        failed = true;
        const error = ChatRequestError.fromWire(answer?.error);
        retry = Math.max(retry, error.retryAfter ?? 0);
        this.#refuse(seat, error);
      }
    }
    this.#failures = failed ? this.#failures + 1 : 0;
    if (this.isComplete) this.#overdue = 0;
    return failed ? backoffMs(this.#failures, { retryAfter: retry }) : 0;
  }

  #seatTaken(seat: Seat, answer: JoinAck) {
    this.wiring.onJoined(seat.state, answer);
    // With `more` the answer holds a part of what was missed: ask again from its end.
    seat.step = seat.again || answer.more ? "wanted" : "attended";
    seat.again = false;
  }

  #refuse(seat: Seat, error: ChatRequestError) {
    seat.step = "wanted";
    if (error.temporary) return;
    this.#seats.delete(seat.state.room);
    this.wiring.onRefused(seat.state.room, error);
  }

  /**
   * @param error The whole request failed.
   * @returns Milliseconds until the next attempt.
   */
  #fail(seats: Seat[], error: ChatRequestError): number {
    for (const seat of seats) seat.step = "wanted";
    if (error.code === "closed") return 0;
    if (error.code === "timeout") this.#overdue += 1;
    this.#failures += 1;
    return backoffMs(this.#failures, { retryAfter: error.retryAfter });
  }

  close() {
    clearTimeout(this.#timer);
    this.#seats.clear();
  }
}
