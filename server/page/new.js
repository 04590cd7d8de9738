// A new job: a form made of the kind's schema beside the request that it writes.
import { get, post, Problem } from "./api.js";
import { asCurl, asPython } from "./code.js";
import { bytes, copyButton, h, seconds } from "./dom.js";
import { dropZone, membersOf } from "./data.js";
import { problemOf } from "./job.js";

const LABELS = ["name", "model", "step"];

/** The field of one parameter. `change(value)` gets undefined where the default is meant. */
function field(name, schema, value, change) {
  const id = `param-${name}`;
  const about = { id, "aria-describedby": `${id}-help` };
  const changed = (parse) => (event) => change(parse(event.target));
  if (schema.enum) {
    return h("select", { ...about, onchange: changed(({ value: v }) => (v === schema.default ? undefined : v)) },
      schema.enum.map((item) => h("option", { selected: item === (value ?? schema.default) }, item)));
  }
  if (schema.type === "boolean") {
    return h("input", { ...about, type: "checkbox", checked: value ?? schema.default,
      onchange: changed(({ checked }) => (checked === schema.default ? undefined : checked)) });
  }
  if (schema.type === "array" && schema.items?.enum) {
    const boxes = schema.items.enum.map((item) => h("input", { type: "checkbox", value: item,
      checked: (value ?? schema.default ?? []).includes(item),
      onchange: () => change(boxes.filter(({ checked }) => checked).map((box) => box.value)) }));
    return h("span", { ...about, role: "group", className: "boxes" }, boxes.map((box) => h("label", {}, box, ` ${box.value}`)));
  }
  if (schema.type === "number" || schema.type === "integer") {
    return h("input", { ...about, type: "number", min: schema.minimum, max: schema.maximum,
      step: schema.type === "integer" ? 1 : "any", value: value ?? "", placeholder: schema.default ?? "",
      onchange: changed(({ value: v }) => (v === "" ? undefined : Number(v))) });
  }
  const asText = (item) => (item === undefined ? "" : typeof item === "string" ? item : JSON.stringify(item));
  return h("input", { ...about, type: "text", value: asText(value), placeholder: asText(schema.default),
    onchange: changed(({ value: v }) => {
      if (v === "") return undefined;
      if (schema.type === "string") return v;
      try { return JSON.parse(v); } catch { return v; } // the daemon says what it takes
    }) });
}

const stem = (file) => file.name.replace(/\.(npy|npz|safetensors|csv)$/, "");

/** The arrays of a stored file as entries of an input. */
function entriesOf(stored, file, input) {
  const members = stored.members.filter(({ skipped }) => !skipped);
  if (input.members) return [{ sha256: stored.sha256, ...(input.labelled && { name: stem(file) }) }];
  return members.map(({ name }) => ({
    sha256: stored.sha256, ...(name && { key: name }), ...(input.labelled && { name: name || stem(file) }) }));
}

const describe = (entry) => (entry.sha256
  ? `${entry.sha256.slice(0, 12)}${entry.key ? `, ${entry.key}` : ""}` : "numbers in the request");

class Form {
  constructor(view, kind, job) {
    this.kind = kind;
    this.job = job;
    this.fields = h("div");
    this.answer = h("div", { "aria-live": "polite" });
    this.text = h("textarea", { id: "request", rows: 24, spellcheck: false, onchange: () => this.read() });
    view.append(
      h("p", {}, kind.summary), h("p", { className: "quiet" }, kind.reference),
      h("div", { className: "split" },
        h("form", { onsubmit: (event) => event.preventDefault() }, this.fields),
        h("div", { className: "request" },
          h("label", { htmlFor: "request" }, "The request; edit it here, too"), this.text,
          h("p", { className: "actions" },
            h("button", { type: "button", className: "main", onclick: () => this.submit() }, "Submit"),
            h("button", { type: "button", onclick: () => this.price() }, "Check and price it"),
            copyButton("Copy as curl", () => asCurl(this.job)), copyButton("Copy as Python", () => asPython(this.job)),
            h("button", { type: "button", onclick: () => this.take(kind.example) }, "Example")),
          this.answer)));
    this.take(job);
  }

  /** Another request, shown in form and text. */
  take(job) {
    const { kind, params = {}, inputs = {}, ...rest } = structuredClone(job);
    this.job = { kind: this.kind.name, ...rest, params, inputs };
    this.showFields();
    this.write();
  }

  write() {
    this.text.value = JSON.stringify(this.job, null, 2);
    this.text.setCustomValidity("");
  }

  read() {
    try {
      this.take(JSON.parse(this.text.value));
      this.answer.replaceChildren();
    } catch (error) {
      this.answer.replaceChildren(h("p", { role: "alert" }, `This is no JSON: ${error.message}`));
    }
  }

  set(section, name, value) {
    const all = this.job[section];
    if (value === undefined) delete all[name];
    else all[name] = value;
    this.write();
  }

  paramOf([name, schema]) {
    const id = `param-${name}`;
    const input = field(name, schema, this.job.params[name], (value) => this.set("params", name, value));
    const unit = schema["x-unit"] ? ` (${schema["x-unit"]})` : "";
    return h("div", { className: "field", id: `${id}-field` },
      h("label", { htmlFor: id }, name, unit), input,
      h("p", { id: `${id}-help`, className: "quiet" }, schema.description ?? ""));
  }

  inputOf(input) {
    const given = this.job.inputs[input.name];
    const list = Array.isArray(given) ? given : given === undefined || input.list ? [] : [given];
    const isNumbers = input.list ? !Array.isArray(given) && given : Array.isArray(given);
    const put = (entries) => {
      this.set("inputs", input.name, input.list ? (entries.length ? entries : undefined) : entries.at(-1));
      this.showFields();
    };
    const lines = isNumbers ? [h("li", {}, "numbers in the request")] : list.map((entry, i) => h("li", {}, describe(entry), " ",
      input.labelled && entry.sha256 ? LABELS.map((label) => h("input", { value: entry[label] ?? "", placeholder: label, size: 10,
        "aria-label": `${label} of entry ${i + 1} of ${input.name}`, type: label === "step" ? "number" : "text",
        onchange: (event) => {
          const { value } = event.target;
          if (value === "") delete entry[label];
          else entry[label] = label === "step" ? Number(value) : value;
          this.write();
        } })) : null,
      h("button", { type: "button", "aria-label": `Remove entry ${i + 1} of ${input.name}`,
        onclick: () => put(list.filter((other) => other !== entry)) }, "Remove")));
    return h("fieldset", {},
      h("legend", {}, `${input.name} (${input.shape})`),
      h("p", { className: "quiet" }, input.help),
      h("ul", {}, lines),
      dropZone("Drop files here, or choose them:", (stored, file) => {
        const entries = entriesOf(stored, file, input);
        if (!entries.length) throw new Error("It holds no array of numbers.");
        put(input.list && !isNumbers ? [...list, ...entries] : entries);
      }),
      this.storedChoice(input, (entries) => put(input.list && !isNumbers ? [...list, ...entries] : entries)));
  }

  /** What is stored already, to choose from. */
  storedChoice(input, add) {
    const known = new Map(); // by digest
    const select = h("select", { "aria-label": `Stored file for ${input.name}`, onfocus: async () => {
      if (select.options.length > 1) return;
      const { data } = await get("/v1/data?limit=200");
      for (const stored of data) {
        const members = membersOf(stored);
        select.append(h("option", { value: stored.sha256 }, `${stored.sha256.slice(0, 12)} ${bytes(stored.bytes)} ${members[0] ?? ""}`
          + (members.length > 1 ? ` and ${members.length - 1} more` : "")));
        known.set(stored.sha256, stored);
      }
    }, onchange: () => {
      const stored = known.get(select.value);
      if (stored) add(entriesOf(stored, { name: stored.sha256.slice(0, 8) }, input));
    } }, h("option", { value: "" }, "or a stored file"));
    return select;
  }

  showFields() {
    const { params } = this.kind;
    const changed = Object.keys(this.job.params).length;
    this.fields.replaceChildren(
      h("div", { className: "field" }, h("label", { htmlFor: "job-name" }, "Name of the job"),
        h("input", { id: "job-name", value: this.job.name ?? "", onchange: (event) => {
          if (event.target.value) this.job.name = event.target.value;
          else delete this.job.name;
          this.write();
        } })),
      ...this.kind.inputs.map((input, i) => (i === 0 || input.required || input.name in this.job.inputs
        ? this.inputOf(input) : h("details", {}, h("summary", {}, input.name), this.inputOf(input)))),
      h("details", { open: changed > 0 },
        h("summary", {}, changed ? `Parameters (${changed} set)` : "Parameters"),
        ...Object.entries(params.properties).map((entry) => this.paramOf(entry))));
  }

  /** What the daemon found wrong, said here and at the fields. */
  fail(error) {
    this.answer.replaceChildren(problemOf(error));
    if (!(error instanceof Problem)) return;
    for (const { pointer } of error.errors) {
      const name = /^\/params\/([^/]+)/.exec(pointer)?.[1];
      const place = name && document.getElementById(`param-${name}`);
      place?.setAttribute("aria-invalid", "true");
      place?.closest("details")?.setAttribute("open", "");
    }
  }

  clear() {
    this.answer.replaceChildren();
    for (const place of this.fields.querySelectorAll("[aria-invalid]")) place.removeAttribute("aria-invalid");
  }

  async price() {
    this.clear();
    try {
      const { cost, plan, cache } = await post("/v1/jobs?dry_run=true", this.job);
      this.answer.append(h("p", {}, `It is valid; about ${seconds(cost.seconds)} and ${bytes(cost.peak_bytes)} of memory.`,
        cache === "hit" ? " The result is stored already." : "", plan ? ` ${plan}` : ""));
    } catch (error) {
      this.fail(error);
    }
  }

  async submit() {
    this.clear();
    try {
      const job = await post("/v1/jobs", this.job, { "Idempotency-Key": idempotencyKey() });
      location.hash = `#/job/${job.id}`;
    } catch (error) {
      this.fail(error);
    }
  }
}

/** crypto.randomUUID is there on secure origins only; this is there on all. */
function idempotencyKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** What a finished job was asked, less its defaults. */
async function requestOf(id, kind) {
  const { provenance } = await get(`/v1/jobs/${id}/result`);
  const { params, inputs } = provenance.job;
  const properties = kind.params.properties;
  const given = Object.entries(params).filter(([name, value]) =>
    JSON.stringify(value) !== JSON.stringify(properties[name]?.default));
  return { params: Object.fromEntries(given), inputs };
}

export async function showNew(view, name, from) {
  const { kinds } = await get("/v1/kinds");
  if (!name) {
    view.append(h("h2", {}, "New job"), h("ul", { className: "kinds" }, kinds.map((kind) => h("li", {},
      h("a", { href: `#/new/${kind.name}` }, kind.title), h("p", { className: "quiet" }, kind.summary)))));
    return;
  }
  const kind = await get(`/v1/kinds/${name}`);
  view.append(h("h2", {}, kind.title));
  new Form(view, kind, from ? await requestOf(from, kind) : {});
}
