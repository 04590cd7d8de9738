// Stored files: what is there, and a place to drop more.
import { ask, get, save, upload } from "./api.js";
import { bytes, h, head, time } from "./dom.js";

const PAGE = 50;
const TYPES = ".npy,.npz,.safetensors,.csv";

/** A place to drop or choose files. `onStored(document, file)` is called for each that is stored. */
export function dropZone(label, onStored) {
  const state = h("ul", { className: "uploads", "aria-live": "polite" });
  const send = async (file) => {
    const bar = h("progress", { max: 1, value: 0, "aria-label": `Upload of ${file.name}` });
    const line = h("li", {}, file.name, " ", bar);
    state.append(line);
    try {
      const stored = await upload(file, (share) => { bar.value = share; });
      line.remove();
      await onStored(stored, file);
    } catch (error) {
      line.replaceChildren(h("span", { role: "alert" }, `${file.name}: ${error.message}`));
    }
  };
  const all = async (files) => { for (const file of files) await send(file); };
  const zone = h("div", { className: "drop",
    ondragover: (event) => { event.preventDefault(); zone.classList.add("over"); },
    ondragleave: () => zone.classList.remove("over"),
    ondrop: (event) => {
      event.preventDefault();
      zone.classList.remove("over");
      all([...event.dataTransfer.files]);
    } },
  h("label", {}, `${label} `, h("input", { type: "file", multiple: true, accept: TYPES, onchange: (event) => {
    all([...event.target.files]);
    event.target.value = "";
  } })), state);
  return zone;
}

/** What is in a file, as text: names and shapes of its arrays. */
export function membersOf(stored) {
  return stored.members.filter(({ skipped }) => !skipped)
    .map(({ name, dtype, shape }) => `${name ? `${name}: ` : ""}${dtype} ${shape.join(" x ")}`);
}

export async function showData(view) {
  const body = h("tbody");
  let next = null;
  const more = h("button", { type: "button", hidden: true, onclick: () => load(next) }, "Show more");
  const rowOf = (stored) => {
    const members = membersOf(stored);
    const short = stored.sha256.slice(0, 12);
    const row = h("tr", {},
      h("td", {}, h("code", { title: stored.sha256 }, short)), h("td", {}, stored.format), h("td", { className: "number" }, bytes(stored.bytes)),
      h("td", {}, members.slice(0, 3).join("; ") + (members.length > 3 ? `; and ${members.length - 3} more` : "")),
      h("td", {}, stored.created ? time(new Date(1e3 * stored.created).toISOString()) : ""),
      h("td", {}, stored.path ?? h("button", { type: "button", "aria-label": `Save ${short}`,
        onclick: () => save(stored.href, `${short}.${stored.format}`) }, "Save")),
      h("td", {}, h("button", { type: "button", "aria-label": `Remove ${short}`, onclick: async (event) => {
        try {
          await ask(`/v1/data/${stored.sha256}`, { method: "DELETE" });
          row.remove();
        } catch (error) {
          event.target.replaceWith(h("span", { role: "alert" }, error.message));
        }
      } }, "Remove")));
    return row;
  };
  const load = async (path) => {
    const page = await get(path);
    body.append(...page.data.map(rowOf));
    next = page.next;
    more.hidden = !next;
  };
  view.append(h("h2", {}, "Data"),
    dropZone("Drop npy, npz, safetensors or csv files here, or choose them:", (stored) => body.prepend(rowOf(stored))),
    h("div", { className: "scroll" }, h("table", {},
      head(["SHA-256", "Format", "Size", "Arrays", "Stored", "Where", "Remove"]),
      body)), more);
  await load(`/v1/data?limit=${PAGE}`);
}
