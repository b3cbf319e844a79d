// What an application pays: `npm run size`. Bytes of the minified bundle, gzipped, without
// socket.io-client and React; `react` comes on top of one of the others.

import { buildSync } from "esbuild";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

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

/** @param {string[]} entries */
const paid = (...entries) => gzipped(entries.map((entry) => `export * from "./${entry}.js";`).join(""));
console.log(
  JSON.stringify({ web: paid("index", "web"), reactNative: paid("index", "react-native"), react: paid("react") }),
);
