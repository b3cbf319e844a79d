/** Fresh tokens from the application: asked for ahead of time, and when one does no more. */

import { backoffMs } from "./backoff.js";
import { readClaims } from "./ids.js";
import type { ChatRequestError } from "./errors.js";
import { systemClock } from "../platform.js";

/** A token is renewed this long before it expires, for the application takes its time. */
const AHEAD_MS = 60_000;
/**
 * A token that is due sooner than this came too late, or the device's clock is wrong: the
 * application is asked with pauses that grow, for the next one will be no better.
 */
const SHORT_MS = 5_000;
const SHORT_PAUSES = { baseMs: 1_000, maxMs: 600_000 };
/**
 * A token fetched for one that was refused, and refused itself within this time, is not
 * followed by a third. A slow line takes 20 s to present it.
 */
const NEW_MS = 30_000;
/** Browsers' timers overflow beyond this. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export type Reason = "expiring" | "expired" | "refused";

export type GetToken = (reason: Reason) => Promise<string | null>;

export class TokenRenewal {
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Rises with each asking: only the latest is listened to. */
  #asking = 0;
  /** Askings in a row that broke. */
  #failures = 0;
  /** Tokens in a row that were due at once. */
  #short = 0;
  /** Tokens refused since one was taken. */
  #refusals = 0;
  /** Fetched for one that was refused. */
  #replacement: { token: string; at: number } | null = null;

  constructor(
    private getToken: GetToken | undefined,
    private readonly use: (token: string) => void,
    private readonly now: () => number = systemClock,
  ) {}

  /**
   * This token is the one to use now: ask for the next before it expires. What was asked
   * for before is not wanted any more.
   */
  plan(token: string | null) {
    this.#cancel();
    const exp = token === null ? undefined : readClaims(token).exp;
    if (!this.getToken || typeof exp !== "number") return;
    const leftMs = exp * 1000 - this.now();
    const dueMs = Math.max(leftMs - AHEAD_MS, leftMs / 2);
    this.#short = dueMs < SHORT_MS ? this.#short + 1 : 0;
    const delayMs = this.#short > 0 ? backoffMs(this.#short, SHORT_PAUSES) : dueMs;
    this.#later(delayMs, "expiring", token);
  }

  /** The server has taken a token. */
  taken() {
    this.#refusals = 0;
    this.#replacement = null;
  }

  /** The session has ended with its token. */
  expired(token: string | null) {
    void this.#ask("expired", token);
  }

  /**
   * The server does not let this token in. One that grew old on the way (in a tunnel,
   * over a sleep) is replaced again, one that was no good from the start is not.
   */
  refused(token: string | null, { reason }: ChatRequestError) {
    const { token: replacement, at } = this.#replacement ?? { at: 0 };
    const isNew = token === replacement && this.now() - at < NEW_MS;
    if (isNew && reason !== "token_expired") return;
    this.#refusals += 1;
    if (this.#refusals === 1) void this.#ask("refused", token);
    else this.#later(backoffMs(this.#refusals), "refused", token);
  }

  #later(delayMs: number, reason: Reason, old: string | null) {
    const ask = () => void this.#ask(reason, old);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(ask, Math.min(delayMs, LONGEST_TIMER_MS));
  }

  /**
   * @param old What does no more, or not for long. The same one again
   *   means that there is no other.
   */
  async #ask(reason: Reason, old: string | null) {
    this.#cancel();
    const asking = this.#asking;
    let fresh: string | null | undefined;
    try {
      fresh = await this.getToken?.(reason);
    } catch {
      // Nobody has said no: the application was not reached.
      if (asking !== this.#asking) return;
      this.#failures += 1;
      this.#later(backoffMs(this.#failures), reason, old);
      return;
    }
    if (asking !== this.#asking) return;
    this.#failures = 0;
    if (!fresh) return;
    if (fresh !== old) {
      if (reason === "refused") this.#replacement = { token: fresh, at: this.now() };
      this.use(fresh);
    } else if (reason === "expiring") {
      // Applications keep a token while it is good.
      this.plan(old);
    }
  }

  #cancel() {
    clearTimeout(this.#timer);
    this.#asking += 1;
  }

  close() {
    this.#cancel();
    this.getToken = undefined;
  }
}
