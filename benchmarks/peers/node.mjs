// Plain job on Node.js: socket.io with the Redis adapter. usage: node node.mjs PORT REDIS_URL
import { createServer } from "node:http";
import { Server } from "socket.io";
import { connectAdapter, serveChat } from "./plain.mjs";

const [port, redisUrl] = process.argv.slice(2);
const http = createServer();
const io = new Server(http, { serveClient: false, perMessageDeflate: false });
await connectAdapter(io, redisUrl);
serveChat(io);
// The default backlog; the load generator has 64 connects under way at most.
http.listen(Number(port), "127.0.0.1");
