// Minify the script on standard input: node minify.mjs NAME ..., whose names properties keep.
import { readFileSync } from "node:fs";
import { minify } from "terser";

const script = readFileSync(0, "utf8");
const texts = script.match(/"(?:\\.|[^"\\])*"|`[^`]*`/g).join(" ").match(/[A-Za-z_]\w*/g);
const properties = { keep_quoted: true, reserved: [...texts, ...process.argv.slice(2)] };
const { code } = await minify(script, {
  ecma: 2022, toplevel: true, compress: { passes: 3, unsafe_arrows: true, ecma: 2022 }, mangle: { properties },
});
process.stdout.write(code);
