// The same job as this server's: a signed token, validation, one script a send, one channel a room,
// the ack after it. Everybody in a room, the sender too, gets what Redis publishes.
import { createSecretKey } from "node:crypto";
import { readFileSync } from "node:fs";
import jwt from "jsonwebtoken";
import { createClient } from "redis";
import { Attendance } from "./attendance.mjs";

const TOKEN = { algorithms: ["HS256"], clockTolerance: 10 };
const ID = /^[A-Za-z0-9_-]{1,64}$/;
const FIELDS = 4;
const TEXT_CHARACTERS = 4000;

const isId = (value) => typeof value === "string" && ID.test(value);
const refusal = (code) => ({ ok: false, error: { code } });

// What a send says, its text trimmed; nothing if it is not what a send has to be.
function validSend(given) {
  if (given === null || typeof given !== "object" || Object.keys(given).length !== FIELDS) return;
  const { room, clientId, type } = given;
  if (!isId(room) || !isId(clientId) || type !== "text" || typeof given.text !== "string") return;
  const text = given.text.trim();
  // Characters are code points: the length counts those above U+FFFF twice.
  const isLong = text.length > TEXT_CHARACTERS && [...text].length > TEXT_CHARACTERS;
  if (text && !isLong) return { room, clientId, type, text };
}

export async function serve(io, url, secret) {
  const redis = createClient({ url });
  const subscriber = redis.duplicate();
  await Promise.all([redis.connect(), subscriber.connect()]);
  const script = readFileSync(new URL("append.lua", import.meta.url), "utf8");
  const append = await redis.scriptLoad(script);
  const key = createSecretKey(Buffer.from(secret));
  const chat = io.of("/chat");
  const attendance = new Attendance(subscriber, (channel, event) => {
    chat.to(channel).emit(...JSON.parse(event));
  });
  const started = Date.now().toString(36);
  let events = 0;

  async function join(socket, room) {
    const channel = `chatroom-${room}`;
    const { user, channels } = socket.data;
    if (!channels.has(channel)) {
      channels.add(channel);
      await attendance.enter(channel);
    }
    const at = `{${channel}}:`;
    await redis
      .multi()
      .hSetNX(`${at}members`, user, "{}")
      .hSet(`${at}sessions`, socket.id, user)
      .exec();
    const [top, reads] = await Promise.all([
      redis.hGet(`${at}meta`, "offset"),
      redis.hGetAll(`${at}lastRead`),
    ]);
    socket.join(channel);
    return { ok: true, room, cursor: `${top ?? 0}:`, reads };
  }

  async function send(socket, given) {
    const message = validSend(given);
    if (!message) return refusal("invalid");
    const { user, channels } = socket.data;
    const { room, clientId, type, text } = message;
    const channel = `chatroom-${room}`;
    if (!channels.has(channel)) return refusal("not_attending");
    const at = `{${channel}}:`;
    events += 1;
    const uid = `${started}${events.toString(36)}`;
    const body = JSON.stringify({ room, user, type, text, clientId }).slice(1, -1);
    const [duplicate, offset] = await redis.evalSha(append, {
      keys: [
        `${at}log`,
        `${at}messages`,
        `${at}meta`,
        `${at}lastRead`,
        `${at}members`,
        `${at}sent:${user}:${clientId}`,
      ],
      arguments: [channel, user, uid, body],
    });
    if (duplicate < 0) return refusal("forbidden");
    return { ok: true, message: offset, offset, uid, duplicate: duplicate === 1 };
  }

  async function leave(socket) {
    for (const channel of socket.data.channels) {
      attendance.leave(channel);
      await redis.hDel(`{${channel}}:sessions`, socket.id);
    }
  }

  chat.use((socket, next) => {
    try {
      const { sub } = jwt.verify(socket.handshake.auth.token, key, TOKEN);
      if (!isId(sub)) throw new Error("sub is not a user's id");
      socket.data = { user: sub, channels: new Set() };
      next();
    } catch (error) {
      next(error);
    }
  });
  chat.on("connection", (socket) => {
    socket.on("join", async (given, ack) => {
      ack(isId(given?.room) ? await join(socket, given.room) : refusal("invalid"));
    });
    socket.on("send", async (given, ack) => ack(await send(socket, given)));
    socket.on("disconnect", () => leave(socket));
  });
}
