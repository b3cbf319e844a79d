/** How long to wait before the next attempt. */

/** First wait. Short, for a hiccup is over after a fraction of a second. */
const BASE_MS = 400;
/** Longest wait. A person who watches a pending message gives it about this long. */
const MAX_MS = 15_000;

/**
 * @param attempt 1 for the first failure, then 2, 3 …
 * @param options `retryAfter` (ms) is the server's word and a lower bound.
 * @returns Milliseconds: doubled each time, spread over 75–125 % so that
 *   clients which failed together do not come back together.
 */
export function backoffMs(
  attempt: number,
  {
    retryAfter = 0,
    random = Math.random,
    baseMs = BASE_MS,
    maxMs = MAX_MS,
  }: { retryAfter?: number; random?: () => number; baseMs?: number; maxMs?: number } = {},
): number {
  const doubled = Math.min(maxMs, baseMs * 2 ** Math.min(attempt - 1, 16));
  return Math.max(retryAfter, doubled * (0.75 + random() / 2));
}
