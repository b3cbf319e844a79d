/** What the client needs of where it runs. It uses no globals but timers. */

/** Texts by key that outlive the program. Each promise rejects where the device refuses. */
export interface TextStorage {
  get: (key: string) => Promise<string | null>;
  /** Kept once resolved; where storage is synchronous, as soon as it was called. */
  set: (key: string, value: string) => Promise<void>;
  remove: (key: string) => Promise<void>;
  keys: () => Promise<readonly string[]>;
}

/** Images of unsent messages, several a message. */
export interface ByteStorage {
  get: (key: string) => Promise<Uint8Array[] | undefined>;
  set: (key: string, value: Uint8Array[]) => Promise<void>;
  remove: (key: string) => Promise<void>;
}

/** What a device tells of itself. */
export interface DeviceListeners {
  /** Its network is there again. */
  online: () => void;
  /** Its network is gone. */
  offline: () => void;
  /** The application is looked at (again), maybe after a sleep. */
  shown: () => void;
  /** It is looked at no more, and may be ended at any time. */
  hidden: () => void;
}

/** See `webPlatform` of `./web` and `reactNativePlatform` of `./react-native`. */
export interface Platform {
  /** Null: nothing outlives the program, and each message says so (`isKept`). */
  texts: TextStorage | null;
  /** Null: images do not. */
  bytes: ByteStorage | null;
  /** @returns Unix time in ms. */
  now: () => number;
  /** @returns Bytes that differ from those of the user's other devices. */
  randomBytes: (count: number) => Uint8Array;
  /** @returns The device says that it has no network. */
  isOffline: () => boolean;
  /** @returns Ends it. */
  listen: (listeners: DeviceListeners) => () => void;
}

export const systemClock = (): number => Date.now();

/** Node, workers, tests: nothing is kept, and nothing is known of the network. */
export function plainPlatform(): Platform {
  return {
    texts: null,
    bytes: null,
    now: systemClock,
    randomBytes,
    isOffline: () => false,
    listen: () => () => undefined,
  };
}

/** Texts that last as long as the object: for tests, and servers that write as users. */
export class MemoryTexts implements TextStorage {
  readonly #texts = new Map<string, string>();

  async get(key: string): Promise<string | null> {
    return this.#texts.get(key) ?? null;
  }

  async set(key: string, value: string): Promise<void> {
    this.#texts.set(key, value);
  }

  async remove(key: string): Promise<void> {
    this.#texts.delete(key);
  }

  async keys(): Promise<string[]> {
    return [...this.#texts.keys()];
  }
}

/**
 * From the system where it has them; React Native has not. What they make has to differ
 * from what the same user's other devices make, and is no secret.
 */
function randomBytes(count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  const { crypto } = globalThis as { crypto?: { getRandomValues?: (into: Uint8Array) => void } };
  if (crypto?.getRandomValues) crypto.getRandomValues(bytes);
  else for (let at = 0; at < count; at += 1) bytes[at] = Math.random() * 256;
  return bytes;
}
