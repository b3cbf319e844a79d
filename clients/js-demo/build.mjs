// Builds the page into dist/: `npm run build`.

import { build } from "esbuild";
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";

const from = new URL("src/", import.meta.url);
const to = new URL("dist/", import.meta.url);
const assets = new URL("assets/", to);

/** Smaller ones gain nothing that a packet's size would show. */
const COMPRESSED_BYTES = 1024;

await rm(to, { recursive: true, force: true });
await mkdir(assets, { recursive: true });
const { metafile } = await build({
  entryPoints: {
    app: fileURLToPath(new URL("page/main.js", from)),
    "app-style": fileURLToPath(new URL("styles/app.css", from)),
    "api-docs": fileURLToPath(new URL("api-docs/main.js", from)),
    "api-docs-style": fileURLToPath(new URL("api-docs/main.css", from)),
  },
  outdir: fileURLToPath(assets),
  // What has another content has another name, so browsers may keep it for ever.
  entryNames: "[name]-[hash]",
  metafile: true,
  bundle: true,
  minify: true,
  sourcemap: true,
  format: "esm",
  target: ["es2022"],
  legalComments: "none",
  banner: { js: "/*! Licences: licenses.txt */" },
  logLevel: "warning",
});
await cp(new URL("assets/", from), assets, { recursive: true });
await writeFile(new URL("licenses.txt", assets), await licenses(Object.keys(metafile.inputs)));
await writeFile(new URL("index.html", to), await withHashedNames(new URL("index.html", from)));
await writeFile(new URL("api-docs.html", to), await withHashedNames(new URL("api-docs/index.html", from)));
for (const name of await readdir(assets)) await compress(new URL(name, assets));

/**
 * The page with the names that the build has given to its files.
 *
 * @param {URL} page
 */
async function withHashedNames(page) {
  let text = await readFile(page, "utf8");
  for (const name of await readdir(assets)) {
    const plain = name.replace(/-[A-Z0-9]{8}(?=\.)/, "");
    text = text.replaceAll(`./assets/${plain}"`, `./assets/${name}"`);
  }
  return text;
}

/**
 * The licences of the packages that are in the bundle, which their notices go with.
 *
 * @param {string[]} files
 */
async function licenses(files) {
  const folders = files.map((file) => /^.*node_modules\/(@[^/]+\/)?[^/]+\//.exec(file)?.[0]);
  const texts = [];
  for (const folder of [...new Set(folders)].sort()) {
    if (!folder) continue;
    const place = new URL(folder, import.meta.url);
    const { name, version, license } = JSON.parse(await readFile(new URL("package.json", place), "utf8"));
    const file = (await readdir(place)).find((each) => /^licen[cs]e/i.test(each));
    const text = file ? await readFile(new URL(file, place), "utf8") : `License: ${license}`;
    texts.push(`${name} ${version}\n\n${text.trim()}\n`);
  }
  return texts.join(`\n${"-".repeat(72)}\n\n`);
}

/**
 * Put a file's compressed forms beside it, for browsers that take them.
 *
 * @param {URL} file
 */
async function compress(file) {
  const path = fileURLToPath(file);
  const content = await readFile(path);
  if (content.length < COMPRESSED_BYTES) return;
  const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } };
  await writeFile(`${path}.br`, await promisify(brotliCompress)(content, quality));
  await writeFile(`${path}.gz`, await promisify(gzip)(content, { level: 9 }));
}
