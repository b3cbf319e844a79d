// What an application pays for each entry: `npm run size`. Bytes of the minified bundle,
// gzipped, without socket.io-client and React.

import { buildSync } from "esbuild";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const ENTRIES = ["index", "web", "react-native"];

/** @param {string} contents */
function gzipped(contents) {
  const { outputFiles } = buildSync({
    stdin: { contents, resolveDir: fileURLToPath(new URL("dist/", import.meta.url)) },
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    target: "es2022",
    external: ["socket.io-client", "react"],
  });
  return gzipSync(outputFiles[0].contents, { level: 9 }).length;
}

const imports = (/** @type {string[]} */ entries) => entries.map((entry) => `export * from "./${entry}.js";`).join("");
const sizes = ENTRIES.map((entry) => [entry, gzipped(imports([entry]))]);
console.log(JSON.stringify({ ...Object.fromEntries(sizes), all: gzipped(imports(ENTRIES)) }));
