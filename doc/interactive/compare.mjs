// Compare the page's trajectories with those of the package: node compare.mjs MODULE GOLDENS.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [, , module, goldens] = process.argv;
const { differences } = await import(new URL("differences.mjs", import.meta.url));
const page = await import(pathToFileURL(module));
const faults = differences(page, JSON.parse(readFileSync(goldens)));
console.log(faults.join("\n"));
process.exit(faults.length ? 1 : 0);
