/** Identifiers and what a token says about itself. */

/**
 * A random UUID for a message's `clientId`. `crypto.randomUUID` exists in secure
 * contexts only; a page opened over plain HTTP in a local network has to do without.
 */
export function newClientId() {
  if (typeof crypto.randomUUID === "function") return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
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
    const part = token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
    const bytes = Uint8Array.from(atob(part), (char) => char.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes));
    return typeof claims === "object" && claims !== null ? claims : {};
  } catch {
    return {};
  }
}
