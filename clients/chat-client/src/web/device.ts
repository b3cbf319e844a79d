/**
 * Listen to what a page learns of its device; elsewhere nothing is to be learnt.
 *
 * @returns Ends it.
 */
export function listenToDevice({
  online,
  offline,
  shown,
}: {
  /** Its network is there again. */ online: () => void;
  /** Its network is gone. */ offline: () => void;
  /** The page is looked at (again), maybe after a sleep. */ shown: () => void;
}): () => void {
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

/** @returns The device says that it has no network. */
export function isOffline(): boolean {
  return typeof navigator === "object" && navigator.onLine === false;
}
