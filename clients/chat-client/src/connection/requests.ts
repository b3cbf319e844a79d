/** Requests and their acks: every one ends, with an answer or with an error. */

import { ChatRequestError } from "./errors.js";

/** An ack that takes longer is not expected any more. The server's own deadlines are
 * at 5 s, so what comes later was lost on the way. */
export const ACK_TIMEOUT_MS = 10_000;

/**
 * Emit an event and hand its ack on.
 *
 * Nothing is buffered: without a connection the request fails at once, for the parts
 * of this module repeat what must not be lost by themselves.
 *
 * @param {import("socket.io-client").Socket} socket
 * @param {string} event
 * @param {object} payload
 * @param {{timeoutMs?: number, onOk?: (ack: any) => void}} [options] `onOk` is called
 *   in the very step in which the ack arrives, before any event that follows it.
 * @returns {Promise<any>} The ack of a request that was carried out.
 * @throws {ChatRequestError}
 */
export function request(socket, event, payload, { timeoutMs, onOk } = {}) {
  return new Promise((resolve, reject) => {
    if (!socket.connected) {
      reject(new ChatRequestError("offline", "Not connected.", { temporary: true }));
      return;
    }
    socket
      .timeout(timeoutMs ?? ACK_TIMEOUT_MS)
      .emit(event, payload, (/** @type {Error | null} */ lost, /** @type {any} */ ack) => {
        if (lost) {
          // Also called when the connection ends: no trouble of the server's.
          const code = socket.connected ? "timeout" : "interrupted";
          reject(new ChatRequestError(code, "No answer from the server.", { temporary: true }));
        } else if (ack?.ok === true) {
          onOk?.(ack);
          resolve(ack);
        } else {
          reject(ChatRequestError.fromWire(ack?.error));
        }
      });
  });
}
