// socket.io over Bun's own WebSocket server, its plain job or the same job as this server's.
// usage: bun bun.mjs plain|same PORT REDIS_URL [SECRET]
import { Server as Engine } from "@socket.io/bun-engine";
import { Server } from "socket.io";

const [job, port, ...given] = process.argv.slice(2);
const { serve } = await import(`./${job}.mjs`);
const io = new Server();
const engine = new Engine({ path: "/socket.io/" });
io.bind(engine);
await serve(io, ...given);
Bun.serve({ ...engine.handler(), port: Number(port), hostname: "127.0.0.1", idleTimeout: 60 });
