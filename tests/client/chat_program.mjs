// A ChatroomClient that does what it is told and says what it sees, in JSON lines.
// Argument: {url, auth, hasHook?, transports?, left?} as JSON; `left`: what an earlier page
// has left in the outbox.

import { createInterface } from "node:readline";
import { ChatroomClient, MemoryTexts, plainPlatform } from "../../clients/chat-client/dist/index.js";
import { KeptOutbox } from "../../clients/chat-client/dist/outbox/storage.js";

const { url, auth, hasHook, transports, left = [] } = JSON.parse(process.argv[2]);
const say = (event, details = {}) => process.stdout.write(`${JSON.stringify({ event, ...details })}\n`);

/** @type {{resolve: (token: string) => void, reject: (error: Error) => void}[]} */
const wanted = [];
const getToken = (reason) => {
  say("token_wanted", { reason });
  return new Promise((resolve, reject) => wanted.push({ resolve, reject }));
};

const texts = new MemoryTexts();
const storage = new KeptOutbox(`${url} ${auth.user}`, texts, null);
for (const item of left) await storage.put(item);

const chat = new ChatroomClient({
  url,
  auth,
  getToken: hasHook ? getToken : undefined,
  platform: { ...plainPlatform(), texts },
  socketOptions: transports ? { transports } : {},
});

let last = "";
chat.on("status", ({ state, isCatchingUp, sending, trouble }) => {
  const now = { state, isCatchingUp, sending, trouble: trouble?.code ?? null };
  if (JSON.stringify(now) === last) return;
  last = JSON.stringify(now);
  say("status", now);
});
const brief = ({ message, offset, user, text, image, images, clientId }) => ({ message, offset, user, text, image, images, clientId });
chat.on("message", ({ room, message, isLive }) => say("message", { room, isLive, ...brief(message) }));
chat.on("replaced", ({ room }) => say("replaced", { room, messages: chat.room(room).messages.map(brief) }));
chat.on("outbox", ({ item }) => {
  const { step, clientId, text, attempts, error, message } = item;
  if (step === "sent" || step === "failed") say(step, { clientId, text, attempts, message, code: error?.code });
});
chat.on("reads", ({ room }) => say("reads", { room, reads: Object.fromEntries(chat.room(room)?.reads ?? []) }));
chat.on("presence", ({ room }) => say("presence", { room, online: [...(chat.room(room)?.online ?? [])], count: chat.room(room)?.onlineCount }));
chat.on("typing", ({ room }) => say("typing", { room, users: chat.typing(room) }));
chat.on("refused", ({ room, error }) => say("refused", { room, code: error.code }));

/** Numbers, with gaps as pairs of them. */
const entriesOf = (room) =>
  chat.timeline(room).entries.map(({ kind, message, after, before }) => (kind === "gap" ? [after, before] : message.message));
const heldText = (room, number) => chat.timeline(room).entries.find(({ message }) => message?.message === number)?.message.text;
chat.on("changed", ({ room, name, payload }) => say("changed", { name, message: payload.message, text: heldText(room, payload.message) }));

/** Half of what an outbox holds. */
const MAX_WAITING = 100;
let stop = () => {};

/** Send a numbered text every few milliseconds, until `count` or `hush`. */
function flow({ room, count, everyMs, prefix }) {
  let sent = 0;
  const timer = setInterval(() => {
    // A busy machine: one writes no faster than it is taken.
    if (chat.outbox(room).length >= MAX_WAITING) return;
    chat.send(room, { text: `${prefix}${(sent += 1)}` });
    if (sent === count) stop();
  }, everyMs);
  stop = () => {
    clearInterval(timer);
    say("hushed", { count: sent });
  };
}

const commands = {
  join: ({ room }) => chat.join(room).then(() => say("joined", { room }), (error) => say("not_joined", { room, code: error.code })),
  send: ({ room, text, images }) => chat.send(room, images ? { images: images.map((one) => Uint8Array.from(Buffer.from(one, "base64"))), text } : { text }),
  flow,
  hush: () => stop(),
  read: ({ room, message }) => chat.markRead(room, message),
  typing: ({ room, on }) => chat.setTyping(room, on),
  history: ({ room, limit }) => chat.history(room, limit).then((page) => say("history", { ...page, held: chat.room(room).messages.map(({ message }) => message) })),
  edit: ({ room, message, text }) => chat.edit(room, message, { text }).then(() => say("edited", { message })),
  jump: ({ room, to, limit }) => chat.timeline(room).jumpTo(to, limit).then((at) => say("jumped", { at, shown: entriesOf(room) })),
  rooms: () => chat.rooms().then((rooms) => say("rooms", { rooms })),
  quit: ({ room }) => chat.quit(room).then(() => say("quit", { room })),
  token: ({ token }) => {
    if (wanted.length > 0) wanted.shift().resolve(token);
    else chat.setToken(token).catch(({ code }) => say("not_refreshed", { code }));
  },
  break_hook: () => wanted.shift().reject(new TypeError("Failed to fetch")),
  // The clock goes on, the timers do not.
  sleep: ({ ms }) => {
    const now = Date.now;
    Date.now = () => now() + ms;
  },
  drop: () => chat.connection.socket.io.engine.close(),
  unsent: () => say("unsent", { texts: chat.roomIds.flatMap((room) => chat.outbox(room).map(({ text }) => text)) }),
};

createInterface({ input: process.stdin })
  .on("line", (line) => {
    const { do: name, ...details } = JSON.parse(line);
    commands[name](details);
  })
  .on("close", () => chat.close());

await chat.connect();
