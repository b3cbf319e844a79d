/** Base64 by hand: React Native's engines have neither `atob` nor `TextDecoder` for sure. */

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

export function toBase64(bytes: Uint8Array): string {
  const parts: string[] = [];
  for (let at = 0; at < bytes.length; at += 3) {
    const three = (bytes[at] << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    const digits = [18, 12, 6, 0].map((shift) => DIGITS[(three >> shift) & 63]);
    parts.push(digits.slice(0, bytes.length - at + 1).join(""));
  }
  return parts.join("");
}

/**
 * Of either alphabet, with or without `=` at its end.
 *
 * @throws {RangeError} It is no base64.
 */
export function fromBase64(text: string): Uint8Array {
  const digits = text.replace(/-/g, "+").replace(/_/g, "/").replace(/=+$/, "");
  const bytes = new Uint8Array(Math.floor((digits.length * 3) / 4));
  let bits = 0;
  let value = 0;
  let length = 0;
  for (const char of digits) {
    const digit = DIGITS.indexOf(char);
    if (digit < 0) throw new RangeError("This is no base64.");
    value = ((value << 6) | digit) & 0xffffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes[length++] = value >> bits;
  }
  return bytes;
}
