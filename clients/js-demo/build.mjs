// Builds the page into dist/: `npm run build`.

import { build } from "esbuild";
import { cp, mkdir, rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const from = new URL("src/", import.meta.url);
const to = new URL("dist/", import.meta.url);

await rm(to, { recursive: true, force: true });
await mkdir(new URL("assets/", to), { recursive: true });
await build({
  entryPoints: {
    app: fileURLToPath(new URL("page/main.js", from)),
    "app-style": fileURLToPath(new URL("styles/app.css", from)),
  },
  outdir: fileURLToPath(new URL("assets/", to)),
  bundle: true,
  minify: true,
  sourcemap: true,
  format: "esm",
  target: ["es2022"],
  logLevel: "warning",
});
await cp(new URL("index.html", from), new URL("index.html", to));
await cp(new URL("assets/", from), new URL("assets/", to), { recursive: true });
