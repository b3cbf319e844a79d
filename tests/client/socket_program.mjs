// The plain socket.io-client, told what to emit, in JSON lines.
// Argument: {url, auth, options} as JSON.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(new URL("../../clients/js-demo/package.json", import.meta.url));
const { io } = require("socket.io-client");

/** An answer that is not there by then, on a busy machine, will not come. */
const DEADLINE_MS = 10_000 * Number(process.env.TEST_MS_SCALE || 1);
const { url, auth, options } = JSON.parse(process.argv[2]);
const say = (event, details = {}) => process.stdout.write(`${JSON.stringify({ event, ...details })}\n`);

const socket = io(`${url}/chat`, { auth, reconnectionDelay: 50, reconnectionDelayMax: 200, ...options });
socket.io.on("open", () => {
  const { engine } = socket.io;
  say("open", { transport: engine.transport.name });
  engine.once("upgrade", () => say("upgrade", { transport: engine.transport.name }));
});
socket.on("connect", () => say("connect"));
socket.on("disconnect", (reason) => say("disconnect", { reason }));
socket.on("connect_error", (error) => say("connect_error", { text: error.message, data: error.data, active: socket.active }));
socket.onAny((name, payload) => say("heard", { name, payload }));

const commands = {
  // `image`: base64 in the command, bytes on the wire.
  emit: ({ name, payload, image }) => {
    const whole = image ? { ...payload, image: Buffer.from(image, "base64") } : payload;
    socket.timeout(DEADLINE_MS).emit(name, whole, (error, ack) => say("ack", { name, error: error?.message, ack }));
  },
};

createInterface({ input: process.stdin })
  .on("line", (line) => {
    const { do: name, ...details } = JSON.parse(line);
    commands[name](details);
  })
  .on("close", () => socket.disconnect());
