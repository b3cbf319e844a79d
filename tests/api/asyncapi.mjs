// Says what is wrong with the AsyncAPI document whose path is given.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(new URL("../../clients/js-demo/package.json", import.meta.url));
const { Parser } = require("@asyncapi/parser");

/** Of the parser's severities: error 0, warning 1, and what is merely worth knowing. */
const WARNING = 1;

const parser = new Parser();
const { document, diagnostics } = await parser.parse(readFileSync(process.argv[2], "utf8"));
for (const { severity, message, path } of diagnostics) {
  if (severity <= WARNING) console.log(JSON.stringify({ event: "wrong", message, path }));
}
const operations = document ? document.operations().all().map((one) => one.id()) : [];
console.log(JSON.stringify({ event: "read", operations }));
