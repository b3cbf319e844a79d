// socket.io on Node.js, its plain job or the same job as this server's.
// usage: node node.mjs plain|same PORT REDIS_URL [SECRET]
import { createServer } from "node:http";
import { Server } from "socket.io";

const [job, port, ...given] = process.argv.slice(2);
const { serve } = await import(`./${job}.mjs`);
const http = createServer();
const io = new Server(http, { serveClient: false, perMessageDeflate: false });
await serve(io, ...given);
// For thousands that come at once: the default of 511 sends most of them away for a second.
http.listen({ port: Number(port), host: "127.0.0.1", backlog: 4096 });
