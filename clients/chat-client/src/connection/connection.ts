/** One Socket.IO connection over its whole life: tokens, refusals, orderly returns. */

import { io, type Socket } from "socket.io-client";
import { Attempts, DEADLINE_MS, RECONNECT_MS } from "./attempts.js";
import { backoffMs } from "./backoff.js";
import type { Platform } from "../platform.js";
import { ChatRequestError } from "./errors.js";
import { request } from "./requests.js";
import { Silence } from "./silence.js";
import type { Answer, RequestOptions } from "../types.js";
import type { Requests } from "../wire.js";
import { TokenRenewal, type GetToken } from "./token-renewal.js";

const NAMESPACE = "/chat";

/** `offline`: the device itself has no network, or `connect` was not called. */
export type ConnectionState =
  | "connecting"
  | "online"
  | "reconnecting"
  | "offline"
  | "unauthorized"
  | "kicked"
  | "closed";

export type Auth = { user: string; name?: string } | { token: string };

export interface ConnectionOptions {
  /** The server's address; the page's own by default. */
  url?: string;
  auth: Auth;
  /** Fetches a fresh token from the application; null if there is none. A rejection means: ask again. */
  getToken?: GetToken;
  /** More options of socket.io-client, as `transports`. */
  socketOptions?: object;
}

export interface ConnectionWiring {
  /** The state is another one. */
  changed: () => void;
  connected: () => void;
  disconnected: () => void;
  event: (name: string, payload: any) => void;
  /** The application is looked at no more. */
  hidden: () => void;
}

export class Connection {
  state: ConnectionState = "offline";
  /** Why the state is what it is. */
  error: ChatRequestError | null = null;
  /** The server got it last: the live session's, if there is one. */
  #presented: string | null = null;
  /** Temporary refusals in a row. */
  #refusals = 0;
  /** A new token came before the server had ended the expired session. */
  #hasFreshToken = false;
  #retrying: ReturnType<typeof setTimeout> | undefined;
  auth: Auth;
  readonly renewal: TokenRenewal;
  readonly socket: Socket;
  readonly attempts: Attempts;
  readonly silence: Silence;
  /** Listens to the device no longer. */
  readonly undo: () => void;

  /** @param connect For tests. */
  constructor(
    options: ConnectionOptions,
    readonly wiring: ConnectionWiring,
    readonly platform: Platform,
    connect: typeof io = io,
  ) {
    this.auth = options.auth;
    this.renewal = new TokenRenewal(
      options.getToken,
      (token) => {
        // A server that cannot be reached now gets it with the next connection.
        void this.setToken(token).catch(() => undefined);
      },
      platform.now,
    );
    this.socket = connect((options.url ?? "") + NAMESPACE, {
      reconnectionDelay: RECONNECT_MS.first,
      reconnectionDelayMax: RECONNECT_MS.longest,
      timeout: DEADLINE_MS.first,
      // One request less than by upgrading, and no node has to be met twice; polling is
      // for networks that let no WebSocket through.
      transports: ["websocket", "polling"],
      tryAllTransports: true,
      ...options.socketOptions,
      autoConnect: false,
      // Clients in one page may be different users.
      forceNew: true,
      auth: (give: (auth: object) => void) => {
        this.#presented = this.#token;
        give(this.auth);
      },
    });
    this.attempts = new Attempts(this.socket, () => this.#become(this.#away()));
    this.silence = new Silence(this.socket.io, platform.now);
    this.#listen();
    this.undo = platform.listen({
      online: () => this.#networkCame(),
      offline: () => this.#networkWent(),
      shown: () => this.#leaveDeadLine(),
      hidden: () => wiring.hidden(),
    });
  }

  get isOnline() {
    return this.socket.connected;
  }

  /** @returns The token to use, if it is one. */
  get #token(): string | null {
    return "token" in this.auth ? this.auth.token : null;
  }

  /** Tell that `connect` is about to be called. */
  prepare() {
    if (!this.socket.active) this.#become("connecting");
  }

  connect() {
    if (this.state === "closed" || this.socket.active) return;
    this.renewal.plan(this.#token);
    this.#dial("connecting");
  }

  /** @param state Told meanwhile. */
  #dial(state: ConnectionState) {
    this.#become(state);
    this.#open();
  }

  #open() {
    clearTimeout(this.#retrying);
    // While it is active, the manager goes on trying by itself.
    if (this.state === "closed" || this.socket.active) return;
    this.socket.connect();
    this.silence.watch();
  }

  request<Name extends keyof Requests>(
    event: Name,
    payload: Requests[Name]["payload"],
    options?: RequestOptions<Answer<Name>>,
  ): Promise<Answer<Name>> {
    if (this.state === "closed") {
      return Promise.reject(new ChatRequestError("closed", "The client was closed."));
    }
    return request(this.socket, event, payload, options);
  }

  /** Tell the server something whose loss does not matter. */
  tell(event: string, payload: object) {
    if (this.socket.connected) this.socket.volatile.emit(event, payload);
  }

  /**
   * Go on with another token: at once for a live session, else from the next
   * connection on. A state of `unauthorized` ends.
   */
  async setToken(token: string) {
    this.auth = { token };
    this.renewal.plan(token);
    if (this.state === "unauthorized") this.#comeBack();
    else if (this.isOnline) await this.#refresh();
  }

  async #refresh() {
    const token = this.#token;
    if (token === null) return;
    await this.request("refresh", { token });
    this.#presented = token;
  }

  /** Connect with a token that the server has not seen, once it has ended the session. */
  #comeBack() {
    if (this.isOnline) this.#hasFreshToken = true;
    else this.#dial("connecting");
  }

  #listen() {
    const { socket, wiring } = this;
    socket.on("connect", () => {
      this.#refusals = 0;
      this.attempts.succeeded();
      this.renewal.taken();
      this.#become("online");
      // Another one was set during the handshake.
      if (this.#presented !== this.#token) void this.#refresh().catch(() => undefined);
      wiring.connected();
    });
    socket.on("disconnect", (reason) => {
      // What was said to a line that turned out to be dead: a request is not repeated
      // behind the back of those who made it (and before a room is attended again).
      socket.sendBuffer = [];
      this.#disconnected(reason);
      wiring.disconnected();
    });
    socket.on("connect_error", (error) => this.#refused(error));
    socket.on("closing", (payload) => {
      const retryAfter = Number(payload?.retryAfter);
      if (retryAfter >= 0) this.attempts.announce(retryAfter);
    });
    socket.on("token_expired", () => {
      this.#become("unauthorized", new ChatRequestError("unauthorized", "The token has expired."));
      if (this.#presented !== this.#token) this.#comeBack();
      else this.renewal.expired(this.#token);
    });
    socket.on("kicked", (payload) => {
      this.#become("kicked", new ChatRequestError("kicked", payload?.reason ?? "Removed."));
    });
    socket.onAny((name, payload) => wiring.event(name, payload));
  }

  #disconnected(reason: string) {
    if (this.#hasFreshToken) {
      this.#hasFreshToken = false;
      this.#dial("connecting");
    } else if (this.state !== "online") {
      // The server has told why before it closed; or it was this client's own wish.
    } else if (reason === "io server disconnect") {
      // Without a word: if it is for good, the next attempt is refused and says so.
      this.#become("reconnecting");
      this.#retry(RECONNECT_MS.longest);
    } else {
      this.#become(this.#away());
    }
  }

  #retry(delayMs: number) {
    this.#retrying = setTimeout(() => this.#open(), delayMs);
  }

  #networkCame() {
    if (this.state === "online") return this.#leaveDeadLine();
    if (this.state !== "offline" && this.state !== "reconnecting") return;
    if (this.socket.active && !this.attempts.isAnnounced) this.#startOver();
  }

  #networkWent() {
    if (this.socket.active && !this.socket.connected) this.#become("offline");
  }

  #leaveDeadLine() {
    if (this.state === "online" && this.silence.isTooLong) this.#startOver();
  }

  /** Connect anew, without waiting for the attempt that is due. */
  #startOver() {
    this.socket.disconnect();
    this.#dial("reconnecting");
  }

  #away(): ConnectionState {
    return this.platform.isOffline() ? "offline" : "reconnecting";
  }

  #refused(error: Error & { data?: any }) {
    if (this.socket.active) {
      // The server was not reached; the manager goes on trying.
      this.#become(this.#away());
      return;
    }
    const said = ChatRequestError.fromWire(error.data ?? { message: error.message });
    if (said.code === "unauthorized") {
      this.#become("unauthorized", said);
      if (this.#presented !== this.#token) this.#comeBack();
      else this.renewal.refused(this.#token, said);
    } else if (said.temporary || said.code === "internal") {
      this.#refusals += 1;
      this.#become("reconnecting", said);
      this.#retry(backoffMs(this.#refusals, { retryAfter: said.retryAfter }));
    } else {
      this.#become("kicked", said);
    }
  }

  #become(state: ConnectionState, error: ChatRequestError | null = null) {
    if (this.state === "closed" || (this.state === state && this.error === error)) return;
    this.state = state;
    this.error = error;
    this.wiring.changed();
  }

  close() {
    this.#become("closed");
    clearTimeout(this.#retrying);
    this.attempts.close();
    this.renewal.close();
    this.undo();
    this.socket.disconnect();
  }
}
