/** Identifiers and what a token says about itself. */

import { fromBase64 } from "../base64.js";

/** A UUID (version 4) for a message's `clientId`. */
export function newClientId(randomBytes: (count: number) => Uint8Array): string {
  const bytes = randomBytes(16);
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = hexOf(bytes).join("");
  return [8, 12, 16, 20].reduceRight((text, at) => `${text.slice(0, at)}-${text.slice(at)}`, hex);
}

/**
 * Read a JWT's claims without checking it: only the server's check counts. The
 * client needs its own user id and the time by which it should renew the token.
 *
 * @returns Empty if it is no JWT.
 */
export function readClaims(token: string): { sub?: string; name?: string; exp?: number } {
  try {
    const utf8 = hexOf(fromBase64(token.split(".")[1])).map((hex) => `%${hex}`);
    const claims = JSON.parse(decodeURIComponent(utf8.join("")));
    return typeof claims === "object" && claims !== null ? claims : {};
  } catch {
    return {};
  }
}

function hexOf(bytes: Uint8Array): string[] {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0"));
}
