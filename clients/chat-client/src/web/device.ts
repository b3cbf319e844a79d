/**
 * Listen to what a page learns of its device; elsewhere nothing is to be learnt.
 *
 * @param {object} listeners
 * @param {() => void} listeners.online Its network is there again.
 * @param {() => void} listeners.offline Its network is gone.
 * @param {() => void} listeners.shown The page is looked at (again), maybe after a sleep.
 * @returns {() => void} Ends it.
 */
export function listenToDevice({ online, offline, shown }) {
  if (typeof addEventListener !== "function") return () => {};
  const ending = new AbortController();
  const { signal } = ending;
  addEventListener("online", online, { signal });
  addEventListener("offline", offline, { signal });
  addEventListener("pageshow", shown, { signal });
  if (typeof document === "object") {
    const changed = () => document.hidden || shown();
    document.addEventListener("visibilitychange", changed, { signal });
  }
  return () => ending.abort();
}

/** @returns {boolean} The device says that it has no network. */
export function isOffline() {
  return typeof navigator === "object" && navigator.onLine === false;
}
