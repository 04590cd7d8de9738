// Figures: Vega-Lite specifications drawn with what came with the daemon, without any other host.
import { ask, get, saveBlob } from "./api.js";
import { copyButton, h } from "./dom.js";

let vega; // the promise of the library, loaded with the first figure

function load() {
  vega ??= new Promise((resolve, reject) => {
    document.head.append(h("script", { src: "/page/vega.js", onload: resolve, onerror: async () => {
      const why = await ask("/page/vega.js").catch((error) => error);
      vega = undefined;
      reject(new Error(why.message ?? "The drawing library did not load."));
    } }));
  });
  return vega;
}

/** Colours of the page, so that a figure fits in by day and by night. */
function config() {
  const style = getComputedStyle(document.documentElement);
  const text = style.getPropertyValue("--text").trim();
  const line = style.getPropertyValue("--line").trim();
  const axis = { labelColor: text, titleColor: text, gridColor: line, domainColor: line, tickColor: line };
  return {
    background: "transparent",
    axis, legend: { labelColor: text, titleColor: text }, title: { color: text, subtitleColor: text },
    header: { labelColor: text, titleColor: text }, text: { color: text }, view: { stroke: line },
  };
}

async function draw(place, spec, title) {
  await load();
  const { spec: compiled } = window.vegaLite.compile({ ...spec, title }, { config: config() });
  const view = new window.vega.View(window.vega.parse(compiled, null, { ast: true }), {
    expr: window.vega.expressionInterpreter, // the policy of the page forbids to make code of text
    renderer: "canvas", container: place, hover: true,
  });
  await view.runAsync();
  return view;
}

/** A figure with its title and ways to take it away. */
export function figure(title, path, name) {
  const place = h("div", { className: "plot", role: "img", "aria-label": title }, "Drawing…");
  const actions = h("p", { className: "actions" });
  const whole = h("figure", {}, h("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": title }, place), actions);
  const show = async () => {
    const spec = await get(path);
    if (spec.description) place.setAttribute("aria-label", spec.description);
    actions.replaceChildren(copyButton("Copy specification", () => JSON.stringify(spec)));
    place.replaceChildren();
    const view = await draw(place, spec, title);
    const button = (label, make) => h("button", { type: "button", onclick: async () =>
      saveBlob(await make(), `${name}.${label.toLowerCase()}`) }, label);
    actions.prepend(
      button("SVG", async () => new Blob([await view.toSVG()], { type: "image/svg+xml" })),
      button("PNG", async () => new Promise((resolve) => {
        view.toCanvas(2).then((canvas) => canvas.toBlob(resolve));
      })));
  };
  show().catch((error) => place.replaceChildren(h("span", { role: "alert" }, error.message)));
  return whole;
}

/** A matrix while it is being filled: a cell for each number that is known. */
export function partialMatrix({ name, shape, data }) {
  const rows = data.length;
  const columns = data[0]?.length ?? 0;
  const known = data.flat().filter((x) => x !== null);
  const low = Math.min(...known);
  const high = Math.max(...known);
  const canvas = h("canvas", { width: columns, height: rows, className: "matrix", role: "img",
    "aria-label": `${name}: ${known.length} of ${rows * columns} numbers known` });
  const paint = canvas.getContext("2d");
  data.forEach((row, i) => row.forEach((x, j) => {
    if (x === null) return;
    const share = high > low ? (x - low) / (high - low) : 1;
    paint.fillStyle = `hsl(${250 - 190 * share} 60% ${25 + 40 * share}%)`;
    paint.fillRect(j, i, 1, 1);
  }));
  return h("figure", {}, h("figcaption", {}, `${name}, ${shape.join(" x ")}, so far`), canvas);
}
