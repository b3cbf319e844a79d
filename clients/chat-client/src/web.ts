/** Browsers: texts in `localStorage`, images in IndexedDB, the page's own events. */

import type { DeviceListeners, Platform, TextStorage } from "./platform.js";
import { plainPlatform } from "./platform.js";
import { ImageStore } from "./web/images.js";

/** @returns What this browser offers; where it keeps nothing, `texts` is null. */
export function webPlatform(): Platform {
  const storage = localStorageHere();
  return {
    ...plainPlatform(),
    texts: storage && webTexts(storage),
    bytes: storage && new ImageStore(),
    isOffline: () => typeof navigator === "object" && navigator.onLine === false,
    listen,
  };
}

/** A text is safe the moment `set` is called. */
export function webTexts(storage: Storage): TextStorage {
  return {
    get: async (key) => storage.getItem(key),
    set: async (key, value) => storage.setItem(key, value),
    remove: async (key) => storage.removeItem(key),
    keys: async () => Object.keys(storage),
  };
}

function localStorageHere(): Storage | null {
  try {
    // In an Android WebView it is null, unless the app wants it.
    return localStorage ?? null;
  } catch {
    // There is none (a worker), or the browser refuses it (blocked site data).
    return null;
  }
}

function listen({ online, offline, shown, hidden }: DeviceListeners): () => void {
  const ending = new AbortController();
  const { signal } = ending;
  addEventListener("online", online, { signal });
  addEventListener("offline", offline, { signal });
  addEventListener("pageshow", shown, { signal });
  addEventListener("pagehide", hidden, { signal });
  if (typeof document === "object") {
    const changed = () => (document.hidden ? hidden() : shown());
    document.addEventListener("visibilitychange", changed, { signal });
  }
  return () => ending.abort();
}
