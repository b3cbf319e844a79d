/**
 * Addresses of the web in texts. A link leads where its words say: what a browser would
 * read as another host than the one that is written, stays text.
 */

// Closing ones end an address unless it has opened them: "(see https://a.example/b_(c))".
const OPENING = /** @type {Record<string, string>} */ ({ ")": "(", "]": "[", "}": "{" });
// Letters of other alphabets are no part of a host: it would be another one, in punycode.
const START = /https?:\/\/([a-z0-9](?:[a-z0-9_-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?)*|\[[0-9a-f:.]+\])(:\d{1,5}(?!\d))?/giy;
const NEXT = /https?:\/\//gi;
/** A host goes on where this one stopped, or is a user's name: nobody sees where it leads. */
const IS_MORE_HOST = new RegExp(
  [
    "[\\\\%]", // a slash, or any character, to browsers
    "[^\\s/?#]*@",
    "(?![A-Za-z])[\\p{Script=Latin}\\p{M}]", // as "bücher.example" after its "b"
    "(?![A-Za-z])\\p{L}[\\p{L}\\p{M}\\p{N}_-]*[.。．｡][\\p{L}\\p{N}]", // as "a한국.example"
    "[.。．｡_-]+[A-Za-z0-9]", // dots to browsers, or no host at all
    "\\p{Default_Ignorable_Code_Point}+[\\p{L}\\p{N}.]", // nothing at all to browsers
  ].join("|"),
  "uy",
);
/** Up to a space, a quote, a sign of another alphabet's writing, or what nobody sees. */
const REST = /(?:[!#$%&()*+,\-./0-9:;=?@A-Z[\]_a-z{}~']|[\p{L}\p{M}\p{N}–·])+/uy;
/** A word of another alphabet begins after a delimiter; after a letter it is no part. */
const GLUED = /(?<=[A-Za-z0-9%)\]}])(?!\p{Script=Latin}|\p{M}|[A-Za-z0-9])[\p{L}\p{N}]/u;
const ENDS_A_SENTENCE = /[.,;:!?'–·]+$/;

/**
 * @param {string} text
 * @returns {{at: number, words: string, href: string}[]} In order; `words` are as they
 *   stand in the text.
 */
export function addressesIn(text) {
  const found = [];
  let from = 0;
  for (const { index } of text.matchAll(NEXT)) {
    if (index < from) continue;
    const words = addressAt(text, index);
    const href = words && hrefOf(words);
    if (!href) continue;
    found.push({ at: index, words, href });
    from = index + words.length;
  }
  return found;
}

/**
 * @param {string} text
 * @param {number} at
 */
function addressAt(text, at) {
  const start = matchAt(START, text, at);
  const end = at + start.length;
  if (!start || matchAt(IS_MORE_HOST, text, end)) return "";
  if (!/[/?#]/.test(text[end] ?? "")) return start;
  const rest = matchAt(REST, text, end);
  const own = rest.slice(0, lengthOf(rest, text[at - 1]));
  return start + own.replace(ENDS_A_SENTENCE, "");
}

/**
 * @param {string} rest What follows the host.
 * @param {string | undefined} before The character in front of the address.
 */
function lengthOf(rest, before) {
  const glued = rest.search(GLUED);
  const most = glued < 0 ? rest.length : glued;
  const open = /** @type {string[]} */ ([]);
  for (let at = 0; at < most; at += 1) {
    const sign = rest[at];
    if (sign === "'" && before === "'") return at;
    if ("([{".includes(sign)) open.push(sign);
    else if (sign in OPENING && open.pop() !== OPENING[sign]) return at;
  }
  return most;
}

/**
 * @param {RegExp} pattern A sticky one.
 * @param {string} text
 * @param {number} at
 */
function matchAt(pattern, text, at) {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? "";
}

/**
 * @param {string} words
 * @returns {string | null} Null if a browser reads another host than is written.
 */
function hrefOf(words) {
  const url = URL.canParse(words) ? new URL(words) : null;
  const host = words.split(/\/\/|[/?#]/)[1].replace(/:\d*$/, "");
  return url?.hostname === host.toLowerCase() ? url.href : null;
}
