/** A connection whose socket does what the test says; the real one is used in tests/client. */

import { Connection } from "../dist/connection/connection.js";
import { Emitter } from "../dist/emitter.js";
import { plainPlatform } from "../dist/platform.js";
import { webPlatform } from "chatroom-client/web";

export function fakeEngine(/** @type {any} */ settings = {}) {
  const emitter = new Emitter();
  return {
    emit: (/** @type {string} */ name, /** @type {any} */ payload) => emitter.emit(name, payload),
    once(/** @type {string} */ name, /** @type {any} */ listener) {
      const end = emitter.on(name, (payload) => {
        end();
        listener(payload);
      });
    },
    transport: { close: () => void (settings.closes = (settings.closes ?? 0) + 1) },
  };
}

/** @param {{auth: (give: (auth: object) => void) => void}} options */
function fakeSocket({ auth }) {
  const emitter = new Emitter();
  /** @type {any} */
  const settings = {};
  const setter = (/** @type {string} */ name) => (/** @type {any} */ value) => void (settings[name] = value);
  const io = Object.assign(new Emitter(), {
    reconnectionDelay: setter("delay"),
    reconnectionDelayMax: setter("delayMax"),
    randomizationFactor: setter("jitter"),
    timeout: setter("timeout"),
    engine: fakeEngine(settings),
  });
  /** @type {any} */
  const socket = {
    io, settings, connected: false, active: false, connects: 0, sendBuffer: [],
    /** @type {any[]} What was sent, and what is answered. */
    sent: [], answer: { ok: true },
    /** @type {any} */
    presented: null,
    on: (/** @type {string} */ name, /** @type {any} */ listener) => emitter.on(name, listener),
    onAny() {},
    connect() {
      this.connects += 1;
      this.active = true;
    },
    disconnect() {
      if (this.connected) this.end("io client disconnect");
      this.active = false;
    },
    timeout: () => ({
      emit: (/** @type {string} */ name, /** @type {any} */ payload, /** @type {any} */ ack) => {
        socket.sent.push([name, payload]);
        ack(null, socket.answer);
      },
    }),
    present: () => auth((/** @type {any} */ given) => void (socket.presented = given.token)),
    come() {
      this.present();
      this.connected = this.active = true;
      io.engine.emit("handshake", { pingInterval: 25_000, pingTimeout: 20_000 });
      emitter.emit("connect", undefined);
    },
    end(/** @type {string} */ reason) {
      this.connected = false;
      this.active = !reason.startsWith("io ");
      emitter.emit("disconnect", reason);
    },
    refuse(/** @type {any} */ data) {
      this.present();
      this.active = data === undefined;
      emitter.emit("connect_error", Object.assign(new Error("refused"), { data }));
    },
    hear: (/** @type {string} */ name, /** @type {any} */ payload) => emitter.emit(name, payload),
  };
  return socket;
}

/** A connection with mocked timers and clock. */
export function kit(/** @type {any} */ t, /** @type {object} */ options = {}) {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  /** @type {any} */
  let socket;
  /** @type {string[]} */
  const states = [];
  const wiring = { changed: () => states.push(connection.state), connected() {}, disconnected() {}, event() {}, hidden() {} };
  const connect = (/** @type {any} */ _url, /** @type {any} */ given) => (socket = fakeSocket(given));
  // As in a page, where the test has made one.
  const platform = "addEventListener" in globalThis ? webPlatform() : plainPlatform();
  /** @type {Connection} */
  const connection = new Connection({ auth: { token: "old" }, ...options }, wiring, platform, /** @type {any} */ (connect));
  t.after(() => connection.close());
  return { connection, socket, states };
}
