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
 */

import { Attendance } from "./rooms/attendance.js";
import { Connection } from "./connection/connection.js";
import { Drafts } from "./drafts.js";
import { Emitter } from "./emitter.js";
import { fetchMessage, fetchOlder } from "./rooms/history.js";
import { newClientId, readClaims } from "./connection/ids.js";
import { Incoming } from "./rooms/incoming.js";
import { Memberships } from "./rooms/memberships.js";
import { Names } from "./rooms/names.js";
import { OwnChanges, deleted, edited, reacted } from "./rooms/own-changes.js";
import { Timeline } from "./rooms/timeline.js";
import { Outbox, type Content, type OutboxItem } from "./outbox/outbox.js";
import { outboxStorage } from "./outbox/storage.js";
import { plainPlatform } from "./platform.js";
import { ReadMarks } from "./rooms/read-marks.js";
import { Rooms } from "./rooms/rooms.js";
import { StatusView } from "./connection/status.js";
import { TypingNotice, TypingUsers } from "./rooms/typing.js";
import type { RoomState } from "./rooms/room-state.js";
import type { Message, RoomEntry } from "./wire.js";
import type { Events, Options, Status } from "./types.js";

/** Messages a page of history. */
const PAGE_MESSAGES = 50;

export class ChatroomClient {
  #emitter = new Emitter<Events>();
  #rooms = new Rooms();
  /** Whose client this is; null for a token without a subject. */
  readonly user: string | null;
  /** @internal */
  readonly connection: Connection;
  /** What was written and not sent yet. */
  readonly drafts: Drafts;
  readonly #timelines = new Map<string, Timeline>();
  readonly #ownChanges = new OwnChanges((room) => this.#touch(room));
  readonly #newId: () => string;
  readonly #now: () => number;
  /** @internal */
  readonly attendance: Attendance;
  readonly #outbox: Outbox;
  readonly #readMarks: ReadMarks;
  readonly #typingNotice: TypingNotice;
  readonly #typingUsers: TypingUsers;
  readonly #names: Names;
  readonly #status: StatusView;
  readonly #memberships: Memberships;
  readonly #incoming: Incoming;

  constructor(options: Options) {
    const platform = options.platform ?? plainPlatform();
    this.#now = platform.now;
    this.#newId = () => newClientId(platform.randomBytes);
    this.user =
      "user" in options.auth ? options.auth.user : (readClaims(options.auth.token).sub ?? null);
    this.connection = new Connection(
      options,
      {
        changed: () => this.#emitStatus(),
        connected: () => this.attendance.connected(),
        disconnected: () => this.#disconnected(),
        hidden: () => void this.drafts.flush(),
        event: (name, payload) => {
          if (name === "service") this.#served(payload?.available !== false);
          else if (name === "hello") this.#names.seen(payload);
          else this.#incoming.event(name, payload);
        },
      },
      platform,
    );
    const isOnline = () => this.connection.isOnline;
    this.attendance = new Attendance({
      isOnline,
      request: (event, payload, options) => this.connection.request(event, payload, options),
      onJoined: (state, ack) => this.#incoming.joined(state, ack),
      onRefused: (room, error) => this.#memberships.refused(room, error),
      onEvent: (state, name, payload) => this.#incoming.applied(state, name, payload, true),
    });
    const owner = `${options.url ?? ""} ${this.user}`;
    this.drafts = new Drafts(owner, platform.texts, (room) =>
      this.#emitter.emit("drafts", { room }),
    );
    this.#outbox = new Outbox({
      storage: outboxStorage(owner, platform),
      newId: this.#newId,
      now: platform.now,
      send: (payload, timeoutMs) => this.connection.request("send", payload, { timeoutMs }),
      isReady: (room) => isOnline() && this.#memberships.isOpen(room),
      rejoin: (room) => this.#memberships.lost(room),
      isPast: (room, offset) => this.#rooms.isPast(room, offset),
      changed: (item) => this.#outboxChanged(item),
    });
    this.#readMarks = new ReadMarks({
      isReady: (room) => isOnline() && this.attendance.attends(room),
      send: (room, message) => this.connection.request("mark_read", { room, message }),
    });
    this.#typingNotice = new TypingNotice(
      (room, on) => this.connection.tell("typing", { room, on }),
      platform.now,
    );
    this.#typingUsers = new TypingUsers((room) => this.#emitter.emit("typing", { room }));
    this.#names = new Names({
      ask: (room, users) => this.connection.request("users", { room, users }),
      changed: () => this.#emitter.emit("names", {}),
    });
    const { connection, user } = this;
    const attendance = this.attendance;
    const outbox = this.#outbox;
    this.#status = new StatusView({ connection, attendance, outbox });
    const parts = {
      ...{ user, attendance, outbox, readMarks: this.#readMarks, rooms: this.#rooms },
      statusChanged: () => this.#emitStatus(),
    };
    this.#memberships = new Memberships({
      ...parts,
      connection,
      keepMessages: options.keepMessages,
      refused: (room, error) => this.#emitter.emit("refused", { room, error }),
    });
    this.#incoming = new Incoming({
      ...parts,
      typingUsers: this.#typingUsers,
      names: this.#names,
      emit: (name, payload) => this.#emitter.emit(name, payload),
      ended: (room) => this.#memberships.ended(room),
    });
    this.#keepTimelines();
  }

  /**
   * Listen to what the client tells.
   *
   * @returns Ends it.
   */
  on<Name extends keyof Events>(name: Name, listener: (payload: Events[Name]) => void): () => void {
    return this.#emitter.on(name, listener);
  }

  /** Take up what an earlier page left unsent, and connect. */
  async connect(): Promise<void> {
    this.connection.prepare();
    await Promise.all([this.#outbox.load(), this.drafts.load()]);
    // What waits can be sent in rooms that are attended only.
    for (const room of this.#outbox.rooms) void this.join(room).catch(() => undefined);
    this.connection.connect();
  }

  get status(): Status {
    return this.#status.now;
  }

  /**
   * Attend a room, now and after every reconnect, until `leave` or `quit`.
   *
   * @returns Resolved once the room is there; it waits for a connection as long as that takes.
   * @throws {ChatRequestError} The server (or the form of the id) does not allow it.
   */
  join(room: string): Promise<RoomState> {
    return this.#memberships.join(room);
  }

  /** @returns The room as it is known; none if it was not joined. */
  room(room: string): RoomState | undefined {
    return this.#rooms.get(room);
  }

  /** @returns The rooms that are attended, or will be. */
  get roomIds(): string[] {
    return this.#rooms.ids;
  }

  /** Stop attending a room; the membership stays. */
  async leave(room: string): Promise<void> {
    await this.#memberships.leave(room).finally(() => this.#left(room));
  }

  /** Give up the membership of a room. What waits to be sent there becomes `failed`. */
  async quit(room: string): Promise<void> {
    await this.#memberships.quit(room).finally(() => this.#left(room));
  }

  /** @returns The user's rooms, attended or not. */
  async rooms(): Promise<RoomEntry[]> {
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
   * @param content With up to `MESSAGE_IMAGES` images, of `MESSAGE_BYTES` together.
   */
  send(room: string, content: Content): OutboxItem {
    this.#typingNotice.set(room, false);
    return this.#outbox.add(room, content);
  }

  /**
   * Give an own message new words. All that changes a message is shown in the timeline at
   * once, and no more if it is refused; it is not kept for later.
   */
  async edit(
    room: string,
    message: number,
    words: { text: string; mentions?: string[] },
  ): Promise<void> {
    const edit = { room, message, clientId: this.#newId(), ...words };
    const make = edited(words, this.#now());
    await this.#change(room, message, make, this.connection.request("edit", edit));
  }

  /** Delete a message, for all; `reason` is shown. */
  async delete(room: string, message: number, reason?: string): Promise<void> {
    const make = deleted(this.user ?? undefined, this.#now());
    const why = reason ? { reason } : {};
    await this.#change(
      room,
      message,
      make,
      this.connection.request("delete", { room, message, ...why }),
    );
  }

  /**
   * @param key What to react with.
   * @param on Set it, or take it back.
   */
  async react(room: string, message: number, key: string, on: boolean): Promise<void> {
    const make = reacted(key, on);
    const ask = this.connection.request("react", { room, message, key, on });
    await this.#change(room, message, make, ask);
  }

  /**
   * @returns A room as it is to be shown, with the gaps between its messages; the same one
   *   each time, empty until the room is joined.
   */
  timeline(room: string): Timeline {
    let timeline = this.#timelines.get(room);
    if (!timeline) {
      timeline = new Timeline(room, {
        state: () => this.#rooms.get(room),
        outbox: () => this.#outbox.in(room),
        history: (query) => this.connection.request("history", { room, ...query }),
        shown: (message) => this.#ownChanges.shown(message),
        changed: () => this.#emitter.emit("timeline", { room }),
      });
      this.#timelines.set(room, timeline);
    }
    return timeline;
  }

  /** @returns Unsettled messages of a room in the order they were written. */
  outbox(room: string): OutboxItem[] {
    return this.#outbox.in(room);
  }

  /** Try a failed message again. */
  retry(clientId: string): void {
    this.#outbox.retry(clientId);
  }

  /**
   * Give a message up. One whose outcome is not known may have been sent.
   *
   * @returns It, to be edited and sent anew; null if it is being sent just now.
   */
  discard(clientId: string): OutboxItem | null {
    return this.#outbox.discard(clientId);
  }

  /**
   * Fetch a page of messages older than those held.
   *
   * @returns `full`: no more are held, to bound the memory.
   * @throws {ChatRequestError}
   */
  async history(
    room: string,
    limit = PAGE_MESSAGES,
  ): Promise<{ added: number; more: boolean; full: boolean }> {
    return fetchOlder(this.connection, this.#rooms.mustGet(room), limit);
  }

  /**
   * A page of the room's messages that show images, the newest first. They are not held.
   *
   * @returns With `more` there may be older ones, also where there are none here: ask again.
   * @throws {ChatRequestError}
   */
  async media(
    room: string,
    page: { before?: number; limit?: number } = {},
  ): Promise<{ messages: Message[]; more: boolean }> {
    return this.connection.request("media", { room, ...page });
  }

  /** One message as it is now; its images get addresses that are valid again. */
  async message(room: string, message: number): Promise<Message | undefined> {
    return fetchMessage(this.connection, room, message);
  }

  /** Everything up to `message` was read. Never goes back. */
  markRead(room: string, message: number): void {
    const state = this.#rooms.get(room);
    const upTo = Math.min(message, state?.lastMessage ?? 0);
    if (!state?.applyRead(this.user as string, upTo)) return;
    this.#readMarks.want(room, state.lastReadMessage);
    this.#emitter.emit("reads", { room });
  }

  /** Somebody writes here, or does no longer; call it with every key. */
  setTyping(room: string, on: boolean): void {
    this.#typingNotice.set(room, on);
  }

  /** @returns The others who are typing. */
  typing(room: string): string[] {
    return this.#typingUsers.in(room).filter((user) => user !== this.user);
  }

  /** @returns What they are called; their id if nothing else is known. */
  nameOf(user: string): string {
    return this.#names.of(user);
  }

  /** @param token For this session and those that follow. */
  setToken(token: string): Promise<void> {
    return this.connection.setToken(token);
  }

  /** End it all. What is unsent stays in the storage. */
  close(): void {
    this.attendance.close();
    this.#outbox.close();
    void this.drafts.flush();
    this.#readMarks.close();
    this.#typingNotice.close();
    this.#typingUsers.clear();
    this.connection.close();
    this.#memberships.close();
  }

  #change(
    room: string,
    message: number,
    make: (message: Message) => Message,
    ask: Promise<{ duplicate: boolean; offset?: number }>,
  ): Promise<void> {
    const isPast = (offset: number) => this.#rooms.isPast(room, offset);
    return this.#ownChanges.during(room, message, make, ask, isPast);
  }

  #keepTimelines() {
    this.on("message", ({ room }) => this.#touch(room));
    this.on("outbox", ({ room }) => this.#touch(room));
    this.on("changed", ({ room, payload }) => {
      const { message, offset } = payload as { message?: number; offset?: number };
      if (message !== undefined) this.#ownChanges.event(room, message, offset);
      this.#touch(room);
    });
    this.on("replaced", ({ room }) => this.#left(room));
    this.on("refused", ({ room }) => this.#left(room));
  }

  /** What was shown of a room is not, or not as it was, any more. */
  #left(room: string) {
    this.#ownChanges.forget(room);
    this.#touch(room);
  }

  #touch(room: string) {
    this.#timelines.get(room)?.touch();
  }

  #disconnected() {
    this.attendance.disconnected();
    this.#names.disconnected();
    this.#typingUsers.clear();
    this.#status.served(true);
    this.#emitStatus();
  }

  #served(isServed: boolean) {
    this.#status.served(isServed);
    if (isServed) for (const room of this.roomIds) this.#outbox.resume(room);
    this.#emitStatus();
  }

  #outboxChanged(item: OutboxItem) {
    this.#status.outboxChanged(item);
    this.#emitter.emit("outbox", { room: item.room, item });
    this.#emitStatus();
  }

  #emitStatus() {
    this.#emitter.emit("status", this.status);
  }
}
