/** One Socket.IO connection over its whole life: tokens, refusals, orderly returns. */

import { io } from "socket.io-client";
import { backoffMs } from "./backoff.js";
import { ChatRequestError } from "./errors.js";
import { readClaims } from "./ids.js";
import { request } from "./requests.js";

const NAMESPACE = "/chat";
/** Ordinary waits between attempts to reach the server. */
const RECONNECT_MS = { first: 500, longest: 5_000 };
/**
 * For a transport to open, and then for the namespace, in which the server checks a token.
 * An attempt whose packets were swallowed must end soon; on a slow line each that ran out
 * of time is given twice as much.
 */
const DEADLINE_MS = { first: 4_000, longest: 20_000 };
/** A token is renewed this long before it expires, for the hook takes its time. */
const RENEW_AHEAD_MS = 60_000;
/** Browsers' timers overflow beyond this. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * @typedef {"connecting" | "online" | "reconnecting" | "offline" | "unauthorized" | "kicked" | "closed"} ConnectionState
 *   `offline`: the device itself has no network, or `connect` was not called.
 * @typedef {{user: string, name?: string} | {token: string}} Auth
 * @typedef {object} ConnectionOptions
 * @property {string} [url] The server's address; the page's own by default.
 * @property {Auth} auth
 * @property {(reason: "expiring" | "expired" | "refused") => Promise<string | null>} [getToken]
 *   Fetches a fresh token from the application; null if there is none.
 * @property {object} [socketOptions] More options of socket.io-client, as `transports`.
 */

export class Connection {
  /** @type {ConnectionState} */
  state = "offline";
  /** @type {ChatRequestError | null} Why the state is what it is. */
  error = null;
  /** @type {string | null} A token that the server has refused already. */
  #refusedToken = null;
  #refusals = 0;
  /** Attempts in a row that ran out of time. */
  #overdue = 0;
  #announcedAway = false;
  /** A new token came before the server had ended the expired session. */
  #hasFreshToken = false;
  /** @type {Record<string, ReturnType<typeof setTimeout> | undefined>} */
  #timers = {};
  #undo = () => {};

  /**
   * @param {ConnectionOptions} options
   * @param {object} wiring
   * @param {() => void} wiring.changed The state is another one.
   * @param {() => void} wiring.connected
   * @param {() => void} wiring.disconnected
   * @param {(name: string, payload: any) => void} wiring.event
   * @param {typeof io} [connect] For tests.
   */
  constructor(options, wiring, connect = io) {
    this.auth = options.auth;
    this.getToken = options.getToken;
    this.wiring = wiring;
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
      auth: (/** @type {(auth: object) => void} */ give) => give(this.auth),
    });
    this.#listen();
  }

  get isOnline() {
    return this.socket.connected;
  }

  connect() {
    if (this.state === "closed" || this.socket.active) return;
    this.#become("connecting");
    this.socket.connect();
    this.#renewLater();
  }

  /**
   * @param {string} event
   * @param {object} payload
   * @param {{timeoutMs?: number, onOk?: (ack: any) => void}} [options]
   */
  request(event, payload, options) {
    if (this.state === "closed") {
      return Promise.reject(new ChatRequestError("closed", "The client was closed."));
    }
    return request(this.socket, event, payload, options);
  }

  /**
   * Tell the server something whose loss does not matter.
   *
   * @param {string} event
   * @param {object} payload
   */
  tell(event, payload) {
    if (this.socket.connected) this.socket.volatile.emit(event, payload);
  }

  /**
   * Go on with another token: at once for a live session, else from the next
   * connection on. A state of `unauthorized` ends.
   *
   * @param {string} token
   */
  async setToken(token) {
    this.auth = { token };
    this.#refusedToken = null;
    this.#renewLater();
    if (this.state === "unauthorized") {
      if (this.isOnline) this.#hasFreshToken = true;
      else this.connect();
    } else if (this.isOnline) {
      await this.request("refresh", { token });
    }
  }

  #listen() {
    const { socket, wiring } = this;
    socket.on("connect", () => {
      clearTimeout(this.#timers.handshake);
      this.#refusals = 0;
      this.#overdue = 0;
      this.#refusedToken = null;
      this.#become("online");
      wiring.connected();
    });
    socket.on("disconnect", (reason) => {
      this.#disconnected(reason);
      wiring.disconnected();
    });
    socket.on("connect_error", (error) => this.#refused(error));
    socket.on("closing", (payload) => this.#closing(payload));
    socket.on("token_expired", () => void this.#renew("expired"));
    socket.on("kicked", (payload) => {
      this.#become("kicked", new ChatRequestError("kicked", payload?.reason ?? "Removed."));
    });
    socket.onAny((name, payload) => wiring.event(name, payload));
    this.#listenToManager();
    this.#listenToNetwork();
  }

  #listenToManager() {
    const manager = this.socket.io;
    manager.on("open", () => {
      clearTimeout(this.#timers.handshake);
      this.#timers.handshake = setTimeout(() => {
        if (this.socket.connected) return;
        this.#overdue += 1;
        manager.engine?.close();
      }, this.#deadlineMs());
    });
    manager.on("error", (error) => {
      this.#overdue = error.message === "timeout" ? this.#overdue + 1 : 0;
    });
    manager.on("close", () => clearTimeout(this.#timers.handshake));
    manager.on("reconnect_attempt", () => {
      manager.timeout(this.#deadlineMs());
      if (!this.#announcedAway) return;
      this.#announcedAway = false;
      manager.reconnectionDelay(RECONNECT_MS.first);
      manager.reconnectionDelayMax(RECONNECT_MS.longest);
      manager.randomizationFactor(0.5);
    });
  }

  #deadlineMs() {
    return Math.min(DEADLINE_MS.first * 2 ** this.#overdue, DEADLINE_MS.longest);
  }

  /** @param {string} reason */
  #disconnected(reason) {
    if (this.#hasFreshToken) {
      this.#hasFreshToken = false;
      this.connect();
    } else if (this.state !== "online") {
      // The server has told why before it closed; or it was this client's own wish.
    } else if (reason === "io server disconnect") {
      // Without a word: if it is for good, the next attempt is refused and says so.
      this.#become("reconnecting");
      this.#timers.retry = setTimeout(() => this.socket.connect(), RECONNECT_MS.longest);
    } else {
      this.#become(this.#away());
    }
  }

  /** A page learns at once when the device's network goes and comes back. */
  #listenToNetwork() {
    if (typeof addEventListener !== "function") return;
    const back = () => {
      if (this.state !== "offline" && this.state !== "reconnecting") return;
      if (!this.socket.active || this.#announcedAway) return;
      // Starts over, without waiting for the attempt that is due.
      this.socket.disconnect();
      this.#become("reconnecting");
      this.socket.connect();
    };
    const gone = () => {
      if (this.socket.active && !this.socket.connected) this.#become("offline");
    };
    addEventListener("online", back);
    addEventListener("offline", gone);
    this.#undo = () => {
      removeEventListener("online", back);
      removeEventListener("offline", gone);
    };
  }

  /** @returns {ConnectionState} */
  #away() {
    const isOffline = typeof navigator === "object" && navigator.onLine === false;
    return isOffline ? "offline" : "reconnecting";
  }

  /**
   * The server says when to come back; its word counts for the next attempt.
   *
   * @param {{retryAfter?: number}} payload
   */
  #closing(payload) {
    const retryAfter = Number(payload?.retryAfter);
    if (!(retryAfter >= 0)) return;
    const manager = this.socket.io;
    this.#announcedAway = true;
    manager.randomizationFactor(0);
    manager.reconnectionDelayMax(Math.max(retryAfter, 1));
    manager.reconnectionDelay(Math.max(retryAfter, 1));
  }

  /** @param {Error & {data?: any}} error */
  #refused(error) {
    if (this.socket.active) {
      // The server was not reached; the manager goes on trying.
      this.#become(this.#away());
      return;
    }
    const said = ChatRequestError.fromWire(error.data ?? { message: error.message });
    if (said.code === "unauthorized") {
      void this.#renew("refused", said);
    } else if (said.temporary || said.code === "internal") {
      this.#refusals += 1;
      this.#become("reconnecting", said);
      const delayMs = backoffMs(this.#refusals, { retryAfter: said.retryAfter });
      this.#timers.retry = setTimeout(() => this.socket.connect(), delayMs);
    } else {
      this.#become("kicked", said);
    }
  }

  /**
   * Get another token, if the application can; the same one twice ends it.
   *
   * @param {"expiring" | "expired" | "refused"} reason
   * @param {ChatRequestError} [error]
   */
  async #renew(reason, error) {
    const old = "token" in this.auth ? this.auth.token : null;
    if (reason !== "expiring") {
      const expired = new ChatRequestError("unauthorized", "The token has expired.");
      this.#become("unauthorized", error ?? expired);
      if (reason === "refused" && this.#refusedToken !== null) return;
      this.#refusedToken = old;
    }
    const fresh = await this.getToken?.(reason).catch(() => null);
    if (!fresh || fresh === old || this.state === "closed") return;
    const refusedToken = this.#refusedToken;
    // A server that could not be reached meanwhile gets the token with the connection.
    await this.setToken(fresh).catch(() => undefined);
    if (reason === "refused") this.#refusedToken = refusedToken;
  }

  /** Renew the token before it expires, so that the session never ends for it. */
  #renewLater() {
    clearTimeout(this.#timers.renew);
    const exp = "token" in this.auth ? readClaims(this.auth.token).exp : undefined;
    if (!this.getToken || typeof exp !== "number") return;
    const inMs = exp * 1000 - Date.now() - RENEW_AHEAD_MS;
    const delayMs = Math.min(Math.max(inMs, 1_000), LONGEST_TIMER_MS);
    this.#timers.renew = setTimeout(() => void this.#renew("expiring"), delayMs);
  }

  /**
   * @param {ConnectionState} state
   * @param {ChatRequestError | null} [error]
   */
  #become(state, error = null) {
    if (this.state === "closed" || (this.state === state && this.error === error)) return;
    this.state = state;
    this.error = error;
    this.wiring.changed();
  }

  close() {
    this.#become("closed");
    for (const timer of Object.values(this.#timers)) clearTimeout(timer);
    this.#undo();
    this.socket.disconnect();
  }
}
