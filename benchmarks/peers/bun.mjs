// Plain job on Bun: socket.io over Bun's own WebSocket server, with the Redis adapter.
// usage: bun bun.mjs PORT REDIS_URL
import { Server as Engine } from "@socket.io/bun-engine";
import { Server } from "socket.io";
import { connectAdapter, serveChat } from "./plain.mjs";

const [port, redisUrl] = process.argv.slice(2);
const io = new Server();
const engine = new Engine({ path: "/socket.io/" });
io.bind(engine);
await connectAdapter(io, redisUrl);
serveChat(io);
Bun.serve({ ...engine.handler(), port: Number(port), hostname: "127.0.0.1", idleTimeout: 60 });
