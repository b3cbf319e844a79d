/** The chat itself: what the client tells goes to the views, and the other way round. */

import { ChatroomClient } from "chatroom-client";
import { webPlatform } from "chatroom-client/web";
import { Announcer } from "./announcer.js";
import { Composer } from "./composer.js";
import { acceptDrops } from "./drops.js";
import { apart, oncePerFrame } from "./dom.js";
import { previewOf } from "./format.js";
import { Layout } from "./layout.js";
import { openLightbox } from "./lightbox.js";
import { refusalOf } from "./message-element.js";
import { notRefused, picturesOf } from "./message-images.js";
import { MessagesView } from "./messages-view.js";
import { PeopleView } from "./people-view.js";
import { RoomsView } from "./rooms-view.js";
import { Route } from "./route.js";
import { Sends } from "./sends.js";
import { StatusView } from "./status-view.js";

/** Where somebody without any room begins. */
const FIRST_ROOM = "general";
/** Rooms attended at once; the list shows the others as they were at the start. */
const MOST_ROOMS = 100;
/** Until the list of rooms is asked for again, after it could not be had. */
const LIST_AGAIN_MS = 3_000;

export class ChatPage {
  /** @type {Map<string, import("./rooms-view.js").RoomRow>} By `rooms`, at the start. */
  #known = new Map();
  #hasListed = false;
  #wasUp = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #listAgain;
  /** @type {(() => void)[]} */
  #undo = [];

  /**
   * @param {import("./whereabouts.js").Auth} auth
   * @param {(reason: string | null) => void} signedOut
   */
  constructor(auth, signedOut) {
    // Under the page's own path: a proxy may show the server below one of a site.
    const path = new URL("socket.io/", document.baseURI).pathname;
    this.client = new ChatroomClient({ auth, platform: webPlatform(), socketOptions: { path } });
    this.hasToken = "token" in auth;
    this.signedOut = signedOut;
    const { user } = this.client;
    this.announcer = new Announcer();
    this.status = new StatusView(() => this.client.status);
    this.route = new Route((room, before) => this.#moved(room, before));
    this.rooms = new RoomsView(user, (room) => this.route.go(room));
    const freshImage = async (/** @type {import("chatroom-client").Message} */ { room, message }, /** @type {number} */ at) => {
      const found = await this.client.message(room, message);
      return found && picturesOf(found)[at];
    };
    this.people = new PeopleView(user, (each) => this.client.nameOf(each));
    this.messages = new MessagesView({
      user,
      older: (room) => this.client.history(room),
      reachedBottom: () => this.#read(),
      actions: {
        openImage: (message, at, image) =>
          openLightbox(image, {
            url: picturesOf(message)[at]?.url ?? image.src,
            caption: message.text ?? "",
            freshUrl: async () => (await freshImage(message, at))?.url,
          }),
        freshImage,
        retry: (clientId) => this.client.retry(clientId),
        discard: (clientId) => void this.client.discard(clientId),
        edit: (clientId) => this.#edit(clientId),
      },
    });
    this.composer = new Composer({
      send: (text, files) => this.#send(text, files),
      typing: (on) => this.#room && this.client.setTyping(this.#room, on),
      drafts: this.client.drafts,
      problem: (...words) => this.announcer.show(...words),
    });
    this.sends = new Sends({
      send: (room, content) => this.client.send(room, content),
      changed: () => this.renderPending(),
      failed: ({ room, text, files }, error) => {
        this.composer.putBack(room, text, files);
        this.announcer.show(error.message);
      },
    });
    this.layout = new Layout(user ?? "", this, {
      signOut: () => signedOut(null),
      quit: () => void this.#quit(),
    });
    this.element = this.layout.element;
    this.renderRooms = oncePerFrame(() => this.#renderRooms());
    this.renderPeople = oncePerFrame(() => this.people.render(this.#state, this.#isLive));
    this.renderPending = oncePerFrame(() => this.#renderPending());
    this.renderMessages = oncePerFrame(() => this.#renderMessages());
    this.#listen();
  }

  get #room() {
    return this.route.room;
  }

  get #state() {
    return this.#room ? this.client.room(this.#room) : undefined;
  }

  /** Names of those who type in the room that is shown. */
  get #typing() {
    return this.#room ? this.client.typing(this.#room).map((user) => this.client.nameOf(user)) : [];
  }

  get #isLive() {
    return this.client.status.state === "online";
  }

  open() {
    this.route.start();
    void this.client.connect();
    this.status.update();
  }

  #listen() {
    const { client } = this;
    client.on("status", () => this.#statusChanged());
    client.on("message", (event) => this.#messageCame(event));
    client.on("replaced", ({ room }) => {
      if (room === this.#room) this.#show(true);
      this.renderRooms();
    });
    client.on("changed", ({ room, name, payload }) => {
      if (room === this.#room && "message" in payload) this.messages.redraw(payload.message);
      // The words that were said last may be those that are gone now.
      if (name === "message_deleted") this.announcer.say();
      this.renderRooms();
    });
    client.on("reads", ({ room }) => {
      if (room === this.#room) this.messages.updateReads();
      this.renderRooms();
      this.renderPeople();
    });
    client.on("presence", () => {
      this.renderPeople();
      this.renderRooms();
    });
    client.on("typing", ({ room }) => room === this.#room && this.messages.renderTyping(this.#typing));
    client.on("names", () => {
      this.renderPeople();
      this.layout.me.replaceChildren(apart(client.nameOf(client.user ?? "")));
    });
    client.on("drafts", ({ room }) => this.composer.draftCame(room));
    client.on("outbox", () => this.renderPending());
    client.on("refused", ({ room, error }) => {
      this.announcer.show(apart(room), ": ", error.message);
      // `forbidden`: it was quit on another device while this one was away.
      if (error.code === "ended" || error.code === "forbidden") this.#known.delete(room);
      this.route.leave(room);
    });
    const visible = () => !document.hidden && this.messages.isAtBottom && this.#read();
    document.addEventListener("visibilitychange", visible);
    this.#undo = [
      () => this.route.close(),
      () => document.removeEventListener("visibilitychange", visible),
      acceptDrops(this.layout.main, (files) => this.#room && this.composer.add(files)),
    ];
  }

  #statusChanged() {
    const { state, isCatchingUp, trouble } = this.client.status;
    if (state === "unauthorized") {
      // Not within the client's own event: it is about to be closed.
      const reason = this.hasToken ? trouble?.message : "This server asks for a token.";
      queueMicrotask(() => this.signedOut(reason ?? "Please sign in again."));
      return;
    }
    this.status.update();
    if (state === "online" && !this.#hasListed) void this.#list();
    const isUp = state === "online" && !isCatchingUp && !trouble;
    if (isUp && !this.#wasUp) this.messages.retry();
    this.#wasUp = isUp;
    this.renderRooms();
    this.renderPeople();
  }

  /** Attend all rooms of the user, so that each shows what is new as it comes. */
  async #list() {
    this.#hasListed = true;
    try {
      const rows = await this.client.rooms();
      this.#known = new Map(rows.map((row) => [row.room, row]));
      for (const { room } of rows.slice(0, MOST_ROOMS)) this.#join(room);
      if (!this.#room) this.#choose(rows);
      this.renderRooms();
    } catch {
      this.#listAgain = setTimeout(() => {
        this.#hasListed = false;
        this.#statusChanged();
      }, LIST_AGAIN_MS);
    }
  }

  /**
   * No room was asked for: on a desk, where there is space for one, the newest.
   *
   * @param {any[]} rows
   */
  #choose(rows) {
    const newest = [...rows].sort((a, b) => (b.newest?.at ?? 0) - (a.newest?.at ?? 0))[0];
    if (!newest && this.client.roomIds.length === 0) this.route.go(FIRST_ROOM);
    else if (newest && this.layout.isWide) this.route.go(newest.room);
  }

  /** @param {string} room */
  #join(room) {
    // A refusal comes as an event of its own.
    this.client.join(room).then(
      () => this.renderRooms(),
      () => undefined,
    );
  }

  /** @param {string | null} room @param {string | null} before */
  #moved(room, before) {
    if (before) this.client.setTyping(before, false);
    if (room) {
      this.#join(room);
      this.composer.show(room);
    }
    this.#show(false);
    this.#renderRooms();
    if (!room) return;
    // On a phone the message box would bring up the keyboard.
    if (this.layout.isWide) this.composer.focus();
    else this.layout.heading.focus({ preventScroll: true });
  }

  /** @param {boolean} isReplaced */
  #show(isReplaced) {
    this.layout.show(this.#room);
    this.messages.show(this.#state ?? null, isReplaced && this.messages.hasShown);
    this.messages.renderTyping(this.#typing);
    this.#renderPending();
    this.people.render(this.#state, this.#isLive);
  }

  /** @param {{room: string, message: import("chatroom-client").Message, isLive: boolean}} event */
  #messageCame({ room, message, isLive }) {
    if (room === this.#room) {
      this.renderMessages();
      if (isLive && message.user !== this.client.user) {
        this.announcer.say(apart(message.name ?? message.user), ": ", apart(previewOf(message)));
      }
    }
    this.renderRooms();
  }

  /** What is in view was read: only where somebody can be looking. */
  #read() {
    const state = this.#state;
    if (!state || document.hidden || !this.messages.isAtBottom) return;
    if (state.unread > 0) this.client.markRead(state.room, state.lastMessage);
  }

  #renderRooms() {
    const rows = new Map(this.#known);
    for (const room of this.client.roomIds) {
      const state = this.client.room(room);
      const newest = state?.messages.at(-1) ?? this.#known.get(room)?.newest;
      rows.set(room, { room, name: this.#known.get(room)?.name, unread: state?.unread ?? 0, newest });
    }
    this.rooms.render([...rows.values()], this.#room);
    const unread = [...rows.values()].reduce((sum, row) => sum + row.unread, 0);
    this.layout.title(this.#room, this.#state, unread, this.#isLive);
  }

  /** However many have come since the last frame: after an absence it is thousands. */
  #renderMessages() {
    this.messages.update();
    this.#renderPending();
    this.#read();
  }

  #renderPending() {
    const room = this.#room;
    if (room) this.#letGoOfRefused(room);
    this.messages.renderPending(room ? [...this.client.outbox(room), ...this.sends.in(room)] : []);
  }

  /**
   * @param {string} text
   * @param {File[]} files
   */
  #send(text, files) {
    if (!this.#room) return;
    this.sends.add(this.#room, text, files);
    this.messages.toBottom();
  }

  /**
   * What the server will never take does not stay below what is said since.
   *
   * @param {string} room
   */
  #letGoOfRefused(room) {
    for (const item of this.client.outbox(room)) {
      const why = refusalOf(item);
      if (why === undefined) continue;
      this.client.discard(item.clientId);
      const others = notRefused(item);
      this.announcer.show(`Your ${others.length > 0 ? "images were" : "image was"} not sent. `, why);
      if (item.text || others.length > 0) this.composer.putBack(room, item.text ?? "", others);
    }
  }

  /** @param {string} clientId */
  #edit(clientId) {
    const item = this.client.discard(clientId);
    if (!item) return;
    this.composer.putBack(item.room, item.text ?? "");
    this.composer.focus();
  }

  async #quit() {
    const room = this.#room;
    if (!room || !confirm(`Leave ${room}? It will no longer be among your rooms.`)) return;
    try {
      await this.client.quit(room);
      this.#known.delete(room);
      this.route.leave(room);
    } catch (error) {
      this.announcer.show(/** @type {Error} */ (error).message);
    }
  }

  close() {
    clearTimeout(this.#listAgain);
    for (const undo of this.#undo) undo();
    this.client.close();
  }
}
