/** Requests and their acks: every one ends, with an answer or with an error. */

import { ChatRequestError } from "./errors.js";
import type { Socket } from "socket.io-client";
import type { Answer, RequestOptions } from "../types.js";
import type { Requests } from "../wire.js";

/**
 * An ack that takes longer is not expected any more. The server's own deadlines are
 * at 5 s, so what comes later was lost on the way.
 */
export const ACK_TIMEOUT_MS = 10_000;

/**
 * Emit an event and hand its ack on.
 *
 * Nothing is buffered: without a connection the request fails at once, for the parts
 * of this module repeat what must not be lost by themselves.
 *
 * @returns The ack of a request that was carried out.
 * @throws {ChatRequestError}
 */
export function request<Name extends keyof Requests>(
  socket: Socket,
  event: Name,
  payload: Requests[Name]["payload"],
  { timeoutMs, onOk }: RequestOptions<Answer<Name>> = {},
): Promise<Answer<Name>> {
  return new Promise((resolve, reject) => {
    if (!socket.connected) {
      reject(new ChatRequestError("offline", "Not connected.", { temporary: true }));
      return;
    }
    socket
      .timeout(timeoutMs ?? ACK_TIMEOUT_MS)
      .emit(event, payload, (lost: Error | null, ack: any) => {
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
