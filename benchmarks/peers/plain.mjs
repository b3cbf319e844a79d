// The plain job: connect, join, send with an ack. No token check, no validation, no log.
import { createAdapter } from "@socket.io/redis-adapter";
import { createClient } from "redis";

export async function serve(io, url) {
  const publisher = createClient({ url });
  const subscriber = publisher.duplicate();
  await Promise.all([publisher.connect(), subscriber.connect()]);
  io.adapter(createAdapter(publisher, subscriber));
  const chat = io.of("/chat");
  let number = 0;
  chat.on("connection", (socket) => {
    socket.on("join", ({ room }, ack) => {
      socket.join(room);
      ack({ ok: true, room });
    });
    socket.on("send", ({ room, clientId, type, text }, ack) => {
      number += 1;
      const message = { message: number, room, user: socket.id, type, text, clientId, at: Date.now() };
      chat.to(room).emit("message", message);
      ack({ ok: true, message: number });
    });
  });
}
