// The web client as a client of a run: it writes the same history as the Python one.
//
// Argument: {module, url, user, auth, rooms} as JSON; `module` is the address of
// the client package. Commands come in as JSON lines, records go out as JSON lines, and
// a record of kind "standing" tells where the client is whenever that changes.

import { createInterface } from "node:readline";

const { module, url, user, auth, rooms } = JSON.parse(process.argv[2]);
const { ChatroomClient } = await import(module);

/** Codes after which a message may be stored: others say that nothing was. */
const UNSURE = new Set(["unknown", "internal", "timeout", "interrupted", "offline", "closed"]);
/** The next look at the standing; what changes more often is told together. */
const STANDING_MS = 50;
/** Stands for the clientId that the client chooses after the text is made. */
const UNNAMED = "*";

const say = (kind, members) =>
  process.stdout.write(`${JSON.stringify({ kind, at: Number(process.hrtime.bigint()) / 1e9, ...members })}\n`);

const chat = new ChatroomClient({ url, auth, socketOptions: { transports: ["websocket"] } });
const cursors = new Map();
const marks = new Map();

/** Write down each attempt to send and its answer. */
const request = chat.connection.request.bind(chat.connection);
chat.connection.request = (event, payload, options) => {
  if (event !== "send") return request(event, payload, options);
  const name = { room: payload.room, client_id: payload.clientId };
  // Before it goes out: the order of sends and acks is compared by these times.
  say("sent", name);
  const answer = request(event, payload, options);
  answer.then(
    ({ message, offset, uid, duplicate, durability }) =>
      say("answered", { ...name, outcome: "acked", message, offset, uid, duplicate, durability }),
    ({ code }) => say("answered", { ...name, outcome: UNSURE.has(code) ? "unknown" : "refused", code }),
  );
  return answer;
};

/** What a text was made with; "" where there is none. */
function wordsOf({ text }) {
  if (text === undefined) return "";
  const [name, filling, length] = text.split("/");
  return filling?.length === Number(length) ? name : "garbled";
}

/** Write an event of the log down, as `event_members` of history.py has it. */
function show(room, name, payload) {
  const { offset, uid, room: _, text, ...rest } = payload;
  // What is told of large rooms at times is no event of the log.
  if (offset === undefined) return;
  cursors.set(room, `${offset}:${uid}`);
  const { message, user, clientId = "", at, rev, edits, reactions, deleted } = rest;
  const of =
    name === "message"
      ? { message, user, client_id: clientId, more: { at, rev, edits, reactions, deleted } }
      : { message: 0, user: "", client_id: "", more: rest };
  say("shown", { room, offset, uid, name, words: wordsOf(payload), ...of });
}

chat.on("message", ({ room, message }) => show(room, "message", message));
chat.on("changed", ({ room, name, payload }) => show(room, name, payload));
chat.on("replaced", ({ room }) => {
  const { cursor, messages } = chat.room(room);
  say("began", { room, offset: cursor.offset, refused_cursor: cursors.get(room) ?? null });
  for (const message of messages) show(room, "message", message);
  cursors.set(room, `${cursor.offset}:${cursor.uid}`);
});
chat.on("reads", ({ room }) => {
  for (const [reader, message] of chat.room(room)?.reads ?? []) {
    // The own mark is raised before the server has heard of it.
    const name = `${room} ${reader}`;
    if (reader === user || marks.get(name) === message) continue;
    marks.set(name, message);
    say("read", { room, user: reader, message });
  }
});
chat.connection.socket.on("connect", () => say("up", { node: url }));
chat.connection.socket.on("disconnect", (reason) => say("down", { reason }));

let told = "";
setInterval(() => {
  const { sending, failed, trouble } = chat.status;
  const attended = rooms.filter((room) => chat.attendance.attends(room));
  const standing = { unsent: sending + failed, trouble: trouble?.code ?? "", attended };
  const now = JSON.stringify(standing);
  if (now === told) return;
  told = now;
  say("standing", standing);
}, STANDING_MS);

const commands = {
  send: ({ room, length }) => chat.send(room, { text: `${UNNAMED}/${"x".repeat(length)}/${length}` }),
  read: ({ room, message }) => chat.markRead(room, message),
  cut: () => chat.connection.socket.io.engine?.close(),
};

createInterface({ input: process.stdin })
  .on("line", (line) => {
    const { command, ...members } = JSON.parse(line);
    commands[command](members);
  })
  .on("close", () => process.exit(0));

await chat.connect();
for (const room of rooms) void chat.join(room);
