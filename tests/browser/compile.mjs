// Compiles Vega-Lite specifications, a JSON array on standard input, with the Vega-Lite of
// node_modules, and prints what is wrong with them as a JSON array of texts.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(`${process.argv[2]}/`); // the folder of node_modules
const load = (name) => import(pathToFileURL(require.resolve(name)));
const vega = await load("vega");
const { compile } = await load("vega-lite");

let text = "";
for await (const piece of process.stdin) text += piece;
const faults = [];
for (const spec of JSON.parse(text)) {
  const say = (...words) => { faults.push(`${spec.title}: ${words.join(" ")}`); };
  const logger = { warn: say, error: say, info() {}, debug() {}, level() { return this; } };
  try {
    await new vega.View(vega.parse(compile(spec, { logger }).spec), { renderer: "none" }).runAsync();
  } catch (error) {
    say(error.message);
  }
}
process.stdout.write(JSON.stringify(faults));
