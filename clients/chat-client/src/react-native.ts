/**
 * React Native. Its modules are handed over, so that nothing of it is imported here:
 *
 * ```js
 * import AsyncStorage from "@react-native-async-storage/async-storage";
 * import NetInfo from "@react-native-community/netinfo";
 * import { AppState } from "react-native";
 *
 * const platform = reactNativePlatform({ AsyncStorage, AppState, NetInfo });
 * ```
 */

import { fromBase64, toBase64 } from "./base64.js";
import { plainPlatform } from "./platform.js";
import type { ByteStorage, DeviceListeners, Platform } from "./platform.js";

/** What is used of React Native's modules. */
export interface ReactNativeModules {
  AsyncStorage: {
    getItem: (key: string) => Promise<string | null>;
    setItem: (key: string, value: string) => Promise<void>;
    removeItem: (key: string) => Promise<void>;
    getAllKeys: () => Promise<readonly string[]>;
  };
  AppState: {
    addEventListener: (name: "change", told: (state: string) => void) => { remove: () => void };
  };
  /** Without it the network's end is noticed by silence alone. */
  NetInfo?: {
    addEventListener: (told: (state: { isConnected: boolean | null }) => void) => () => void;
  };
}

/**
 * Bytes of a message's images that are kept. Android's AsyncStorage reads no value of more
 * than 2 MB, and base64 makes a third more of them.
 */
const MOST_BYTES = 2 ** 20;
const BYTES_PREFIX = "chatroom.images ";

/** @returns Unsent texts outlive the app, and images of up to 1 MiB a message. */
export function reactNativePlatform(modules: ReactNativeModules): Platform {
  const { AsyncStorage } = modules;
  let isOffline = false;
  return {
    ...plainPlatform(),
    texts: {
      get: (key) => AsyncStorage.getItem(key),
      set: (key, value) => AsyncStorage.setItem(key, value),
      remove: (key) => AsyncStorage.removeItem(key),
      keys: () => AsyncStorage.getAllKeys(),
    },
    bytes: imagesIn(AsyncStorage),
    isOffline: () => isOffline,
    listen: (listeners) =>
      listen(modules, listeners, (isConnected) => {
        const wasOffline = isOffline;
        isOffline = !isConnected;
        if (isOffline && !wasOffline) listeners.offline();
        else if (wasOffline && !isOffline) listeners.online();
      }),
  };
}

function imagesIn(storage: ReactNativeModules["AsyncStorage"]): ByteStorage {
  return {
    get: async (key) => {
      const kept = await storage.getItem(BYTES_PREFIX + key);
      return kept === null ? undefined : kept.split(" ").map(fromBase64);
    },
    set: async (key, images) => {
      const bytes = images.reduce((sum, { byteLength }) => sum + byteLength, 0);
      if (bytes > MOST_BYTES) throw new Error("More bytes than this storage keeps.");
      await storage.setItem(BYTES_PREFIX + key, images.map(toBase64).join(" "));
    },
    remove: (key) => storage.removeItem(BYTES_PREFIX + key),
  };
}

function listen(
  { AppState, NetInfo }: ReactNativeModules,
  { shown, hidden }: DeviceListeners,
  connected: (isConnected: boolean) => void,
): () => void {
  const states = AppState.addEventListener("change", (state) => {
    if (state === "active") shown();
    else hidden();
  });
  // Null: not known yet.
  const end = NetInfo?.addEventListener(({ isConnected }) => connected(isConnected !== false));
  return () => {
    states.remove();
    end?.();
  };
}
