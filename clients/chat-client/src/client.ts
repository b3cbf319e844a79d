/**
 * The client of the chatroom server, for browsers and Node. No DOM.
 *
 * What it adds to socket.io-client: messages wait in an outbox until their outcome is
 * known, also over a reload; a room's events come in order, each once, also over a
 * reconnect; and the state of the connection is told as it is.
 *
 * ```js
 * const chat = new ChatroomClient({ auth: { token } });
 * chat.on("message", ({ room, message }) => console.log(room, message.text));
 * await chat.connect();
 * await chat.join("general");
 * chat.send("general", { text: "Hello" });
 * ```
 *
 * Events (`on` returns a function that ends it):
 * - `status` Status
 * - `message` {room, message, isLive}: a message is new here; in order, each once
 * - `changed` {room, name, payload}: an edit or another event of the room's log
 * - `replaced` {room}: the room's messages were made anew; show `room(id).messages`
 * - `reads` {room}, `presence` {room}, `typing` {room}: see `room(id)`, `typing(id)`
 * - `names` {}: somebody is called otherwise now; see `nameOf(user)`
 * - `outbox` {room, item}: see `outbox(id)`
 * - `refused` {room, error}: the room cannot be attended, or not any more
 */

import { Attendance } from "./chatroom/attendance.js";
import { Connection } from "./chatroom/connection.js";
import { Emitter } from "./chatroom/emitter.js";
import { ChatRequestError } from "./chatroom/errors.js";
import { fetchMessage, fetchOlder } from "./chatroom/history.js";
import { newClientId, readClaims } from "./chatroom/ids.js";
import { Incoming } from "./chatroom/incoming.js";
import { Memberships } from "./chatroom/memberships.js";
import { Names } from "./chatroom/names.js";
import { Outbox } from "./chatroom/outbox.js";
import { defaultStorage } from "./chatroom/outbox-storage.js";
import { ReadMarks } from "./chatroom/read-marks.js";
import { ROOM_ID, Rooms } from "./chatroom/rooms.js";
import { StatusView } from "./chatroom/status.js";
import { TypingNotice, TypingUsers } from "./chatroom/typing.js";

export { ChatRequestError, ROOM_ID };
export { MESSAGE_BYTES, MESSAGE_IMAGES } from "./chatroom/outbox.js";
export { MemoryOutboxStorage, WebOutboxStorage } from "./chatroom/outbox-storage.js";

/** Messages a page of history. */
const PAGE_MESSAGES = 50;

/**
 * @typedef {import("./chatroom/room-state.js").Message} Message
 * @typedef {import("./chatroom/room-state.js").RoomState} RoomState
 * @typedef {import("./chatroom/room-state.js").Picture} Picture
 * @typedef {import("./chatroom/outbox.js").Content} Content
 * @typedef {import("./chatroom/outbox.js").OutboxItem} OutboxItem
 * @typedef {import("./chatroom/types.js").Status} Status
 * @typedef {import("./chatroom/types.js").Options} Options
 */

export class ChatroomClient {
  #emitter = new Emitter();
  #rooms = new Rooms();

  /** @param {Options} options */
  constructor(options) {
    this.user =
      "user" in options.auth ? options.auth.user : (readClaims(options.auth.token).sub ?? null);
    this.connection = new Connection(options, {
      changed: () => this.#emitStatus(),
      connected: () => this.attendance.connected(),
      disconnected: () => this.#disconnected(),
      event: (name, payload) => {
        if (name === "service") this.#served(payload?.available !== false);
        else if (name === "hello") this.names.seen(payload);
        else this.incoming.event(name, payload);
      },
    });
    const isOnline = () => this.connection.isOnline;
    this.attendance = new Attendance({
      isOnline,
      request: (event, payload, options) => this.connection.request(event, payload, options),
      onJoined: (state, ack) => this.incoming.joined(state, ack),
      onRefused: (room, error) => this.memberships.refused(room, error),
      onEvent: (state, name, payload) => this.incoming.applied(state, name, payload, true),
    });
    const owner = `${options.url ?? ""} ${this.user}`;
    this.waiting = new Outbox({
      storage: options.storage ?? defaultStorage(owner),
      send: (payload, timeoutMs) => this.connection.request("send", payload, { timeoutMs }),
      isReady: (room) => isOnline() && this.memberships.isOpen(room),
      rejoin: (room) => this.memberships.lost(room),
      isPast: (room, offset) => this.#rooms.isPast(room, offset),
      changed: (item) => this.#outboxChanged(item),
    });
    this.readMarks = new ReadMarks({
      isReady: (room) => isOnline() && this.attendance.attends(room),
      send: (room, message) => this.connection.request("mark_read", { room, message }),
    });
    this.typingNotice = new TypingNotice((room, on) =>
      this.connection.tell("typing", { room, on }),
    );
    this.typingUsers = new TypingUsers((room) => this.#emitter.emit("typing", { room }));
    this.names = new Names({
      ask: (room, users) => this.connection.request("users", { room, users }),
      changed: () => this.#emitter.emit("names", {}),
    });
    const { connection, attendance, waiting: outbox, user } = this;
    this.statusView = new StatusView({ connection, attendance, outbox });
    const parts = {
      ...{ user, attendance, outbox, readMarks: this.readMarks, rooms: this.#rooms },
      statusChanged: () => this.#emitStatus(),
    };
    /** @type {Memberships} */
    this.memberships = new Memberships({
      ...parts,
      connection,
      keepMessages: options.keepMessages,
      refused: (room, error) => this.#emitter.emit("refused", { room, error }),
    });
    this.incoming = new Incoming({
      ...parts,
      typingUsers: this.typingUsers,
      names: this.names,
      emit: (name, payload) => this.#emitter.emit(name, payload),
      ended: (room) => this.memberships.ended(room),
    });
  }

  /**
   * @param {string} name
   * @param {(payload: any) => void} listener
   * @returns {() => void} Ends it.
   */
  on(name, listener) {
    return this.#emitter.on(name, listener);
  }

  /** Take up what an earlier page left unsent, and connect. */
  async connect() {
    this.connection.prepare();
    await this.waiting.load();
    // What waits can be sent in rooms that are attended only.
    for (const room of this.waiting.rooms) void this.join(room).catch(() => undefined);
    this.connection.connect();
  }

  /** @returns {Status} */
  get status() {
    return this.statusView.now;
  }

  /**
   * Attend a room, now and after every reconnect, until `leave` or `quit`.
   *
   * @param {string} room
   * @returns {Promise<RoomState>} Resolved once the room is there; it waits for a
   *   connection as long as that takes.
   * @throws {ChatRequestError} The server (or the form of the id) does not allow it.
   */
  join(room) {
    return this.memberships.join(room);
  }

  /**
   * @param {string} room
   * @returns {RoomState | undefined}
   */
  room(room) {
    return this.#rooms.get(room);
  }

  /** @returns {string[]} The rooms that are attended, or will be. */
  get roomIds() {
    return this.#rooms.ids;
  }

  /**
   * Stop attending a room; the membership stays.
   *
   * @param {string} room
   */
  async leave(room) {
    await this.memberships.leave(room);
  }

  /**
   * Give up the membership of a room. What waits to be sent there becomes `failed`.
   *
   * @param {string} room
   */
  async quit(room) {
    await this.memberships.quit(room);
  }

  /** @returns {Promise<any[]>} The user's rooms, attended or not. */
  async rooms() {
    const found = [];
    for (let page = await this.connection.request("rooms", {}); ; ) {
      found.push(...page.rooms);
      if (!page.more) return found;
      page = await this.connection.request("rooms", { after: found[found.length - 1].room });
    }
  }

  /**
   * Send a message. It waits in the outbox until the server has it.
   *
   * @param {string} room
   * @param {Content} content With up to `MESSAGE_IMAGES` images, of `MESSAGE_BYTES` together.
   * @returns {OutboxItem}
   */
  send(room, content) {
    this.typingNotice.set(room, false);
    return this.waiting.add(room, content);
  }

  /**
   * Give an own message new words. All that changes a message is not kept for later.
   *
   * @param {string} room
   * @param {number} message
   * @param {{text: string, mentions?: string[]}} words
   */
  async edit(room, message, words) {
    await this.connection.request("edit", { room, message, clientId: newClientId(), ...words });
  }

  /**
   * @param {string} room
   * @param {number} message
   * @param {string} [reason]
   */
  async delete(room, message, reason) {
    await this.connection.request("delete", { room, message, ...(reason ? { reason } : {}) });
  }

  /**
   * @param {string} room
   * @param {number} message
   * @param {string} key What to react with.
   * @param {boolean} on Set it, or take it back.
   */
  async react(room, message, key, on) {
    await this.connection.request("react", { room, message, key, on });
  }

  /** @param {string} room */
  outbox(room) {
    return this.waiting.in(room);
  }

  /** @param {string} clientId */
  retry(clientId) {
    this.waiting.retry(clientId);
  }

  /** @param {string} clientId */
  discard(clientId) {
    return this.waiting.discard(clientId);
  }

  /**
   * Fetch a page of messages older than those held.
   *
   * @param {string} room
   * @returns {Promise<{added: number, more: boolean, full: boolean}>} `full`: no more
   *   are held, to bound the memory.
   * @throws {ChatRequestError}
   */
  async history(room, limit = PAGE_MESSAGES) {
    return fetchOlder(this.connection, this.#rooms.mustGet(room), limit);
  }

  /**
   * A page of the room's messages that show images, the newest first. They are not held.
   *
   * @param {string} room
   * @param {{before?: number, limit?: number}} [page]
   * @returns {Promise<{messages: Message[], more: boolean}>} With `more` there may be older
   *   ones, also where there are none here: ask again.
   * @throws {ChatRequestError}
   */
  async media(room, page = {}) {
    return this.connection.request("media", { room, ...page });
  }

  /**
   * One message as it is now; its images get addresses that are valid again.
   *
   * @param {string} room
   * @param {number} message
   * @returns {Promise<Message | undefined>}
   */
  async message(room, message) {
    return fetchMessage(this.connection, room, message);
  }

  /**
   * Everything up to `message` was read. Never goes back.
   *
   * @param {string} room
   * @param {number} message
   */
  markRead(room, message) {
    const state = this.#rooms.get(room);
    const upTo = Math.min(message, state?.lastMessage ?? 0);
    if (!state?.applyRead(/** @type {string} */ (this.user), upTo)) return;
    this.readMarks.want(room, state.lastReadMessage);
    this.#emitter.emit("reads", { room });
  }

  /** @param {string} room @param {boolean} on */
  setTyping(room, on) {
    this.typingNotice.set(room, on);
  }

  /** @param {string} room */
  typing(room) {
    return this.typingUsers.in(room).filter((user) => user !== this.user);
  }

  /**
   * @param {string} user
   * @returns {string} What they are called; their id if nothing else is known.
   */
  nameOf(user) {
    return this.names.of(user);
  }

  /** @param {string} token For this session and those that follow. */
  setToken(token) {
    return this.connection.setToken(token);
  }

  /** End it all. What is unsent stays in the storage. */
  close() {
    this.attendance.close();
    this.waiting.close();
    this.readMarks.close();
    this.typingNotice.close();
    this.typingUsers.clear();
    this.connection.close();
    this.memberships.close();
  }

  #disconnected() {
    this.attendance.disconnected();
    this.names.disconnected();
    this.typingUsers.clear();
    this.statusView.served(true);
    this.#emitStatus();
  }

  /** @param {boolean} isServed */
  #served(isServed) {
    this.statusView.served(isServed);
    if (isServed) for (const room of this.roomIds) this.waiting.resume(room);
    this.#emitStatus();
  }

  /** @param {OutboxItem} item */
  #outboxChanged(item) {
    this.statusView.outboxChanged(item);
    this.#emitter.emit("outbox", { room: item.room, item });
    this.#emitStatus();
  }

  #emitStatus() {
    this.#emitter.emit("status", this.status);
  }
}
