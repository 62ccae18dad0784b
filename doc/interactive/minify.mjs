// Minify the script on standard input: node minify.mjs NAME ..., whose names properties keep.
import { readFileSync } from "node:fs";
import { minify } from "terser";

const script = readFileSync(0, "utf8");
const texts = [...script.matchAll(/"([A-Za-z_]\w*)"/g)].map(match => match[1]);
const properties = { keep_quoted: true, reserved: [...texts, ...process.argv.slice(2)] };
const compress = { passes: 3, unsafe: true, unsafe_arrows: true, pure_getters: true, inline: 1, ecma: 2022 };
const { code } = await minify(script, { ecma: 2022, toplevel: true, compress, mangle: { properties } });
process.stdout.write(code);
