/**
 * Who this tab is and which room it shows. The room is in the address, so that it can be
 * linked and the browser's back button works; who one is stays in this tab, so that two
 * tabs can be two users and a link gives nothing away.
 */

import { ROOM_ID } from "chatroom-client";

const KEY = "chatroom.auth";

/** @typedef {import("chatroom-client").Auth} Auth */

/** @type {Auth | null} As long as the page: all there is where site data is blocked. */
let current = null;

/** @returns {Auth | null} */
export function savedAuth() {
  if (current) return current;
  try {
    const auth = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
    return auth && (typeof auth.user === "string" || typeof auth.token === "string") ? auth : null;
  } catch {
    return null;
  }
}

/** @param {Auth | null} auth */
export function saveAuth(auth) {
  current = auth;
  try {
    if (auth) sessionStorage.setItem(KEY, JSON.stringify(auth));
    else sessionStorage.removeItem(KEY);
  } catch {
    // Site data is blocked: the name lasts until the next reload.
  }
}

/**
 * @returns {string} The name in the address, `#room=…&name=…`, which is taken out of it.
 *   It is a proposal: a link signs nobody in or out.
 */
export function proposedName() {
  const { name, room } = hashParts();
  if (name === null) return "";
  history.replaceState(history.state, "", hashOf(room));
  return name;
}

/** @returns {string | null} */
export function currentRoom() {
  const { room } = hashParts();
  return room && ROOM_ID.test(room) ? room : null;
}

/** @param {string | null} [room] */
export function hashOf(room) {
  return room ? `#room=${encodeURIComponent(room)}` : "#rooms";
}

function hashParts() {
  const parts = new URLSearchParams(location.hash.slice(1));
  return { room: parts.get("room"), name: parts.get("name") };
}
