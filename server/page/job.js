// One job: what has become of it, and everything that it found.
import { ask, get, loadAndListen, post, save } from "./api.js";
import { asCurl, asPython } from "./code.js";
import { between, bytes, copyButton, h, number, seconds, table, time } from "./dom.js";
import { figure, partialMatrix } from "./figure.js";
import { LIVE, nameOf, progressOf } from "./jobs.js";

const FIRST_ROWS = 12;

const isTable = (value) => Array.isArray(value) && value.length > 0 && value.every((row) => row && typeof row === "object" && !Array.isArray(row));

/** Names and values, nested as deep as they are. */
function facts(of, object) {
  return h("dl", {}, Object.entries(object).map(([name, value]) => [
    h("dt", {}, name.replaceAll("_", " ")), h("dd", {}, fact(`${of}: ${name}`, value))]));
}

function fact(name, value) {
  if (isTable(value)) return rowsOf(name, value);
  if (Array.isArray(value) || value === null) return JSON.stringify(value);
  return typeof value === "object" ? facts(name, value) : number(value);
}

function timeline(job) {
  const steps = [h("li", {}, "Accepted ", time(job.created))];
  if (job.started) {
    steps.push(h("li", {}, "Started ", time(job.started), `, after waiting ${seconds(Math.max(0, between(job.created, job.started)))}`,
      job.attempt > 1 ? `; attempt ${job.attempt}` : ""));
  }
  if (job.finished) {
    steps.push(h("li", {}, `Ended as ${job.state} `, time(job.finished),
      job.started ? `, after running ${seconds(Math.max(0, between(job.started, job.finished)))}` : ""));
  }
  return h("ol", { className: "timeline" }, steps);
}

export function problemOf(problem) {
  return h("div", { className: "problem", role: "alert" },
    h("p", {}, h("strong", {}, problem.title || "That did not work"), " ", problem.detail ?? problem.message ?? ""),
    h("ul", {}, (problem.errors ?? []).map((error) => h("li", {}, h("code", {}, error.pointer), ` ${error.detail}`))));
}

function rowsOf(name, rows) {
  const columns = [...new Set(rows.flatMap(Object.keys))].filter((column) => rows.some((row) => row[column] !== null && row[column] !== undefined));
  const part = h("div", {}, table(name, columns, rows.slice(0, FIRST_ROWS)));
  if (rows.length > FIRST_ROWS) {
    part.append(h("button", { type: "button", onclick: () => part.replaceChildren(table(name, columns, rows)) },
      `Show all ${rows.length} rows`));
  }
  return part;
}

function arraysOf(result) {
  const rows = Object.entries(result.arrays ?? {}).map(([name, array]) => ({
    name, dtype: array.dtype, shape: array.shape.join(" x ") || "scalar", size: bytes(array.bytes), href: array.href }));
  if (!rows.length) return [];
  return [table("Arrays", ["name", "dtype", "shape", "size", "save"], rows, (row, column) =>
    (column !== "save" ? undefined : h("span", {}, ["npy", "csv"].map((format) =>
      h("button", { type: "button", "aria-label": `Save ${row.name} as ${format}`,
        onclick: () => save(`${row.href}?format=${format}`, `${row.name}.${format}`) }, format)))))];
}

/** The sections of a result. */
function resultOf(job, result) {
  const values = Object.entries(result.values);
  const plain = Object.fromEntries(values.filter(([, value]) => !isTable(value)));
  const warnings = result.quality.warnings ?? [];
  const { warnings: _, ...quality } = result.quality;
  const request = { ...result.provenance.job };
  delete request.version;
  const home = `/v1/jobs/${job.id}/result`;
  return [
    h("p", { className: "actions" },
      copyButton("Copy as curl", () => asCurl(request)), copyButton("Copy as Python", () => asPython(request)),
      ["json", "npz", "csv", "text"].map((format) => h("button", { type: "button",
        onclick: () => save(`${home}?format=${format}`, `${nameOf(job)}.${format === "text" ? "txt" : format}`) }, `Save ${format}`))),
    warnings.length ? h("ul", { className: "warnings", "aria-label": "Warnings" }, warnings.map((warning) =>
      h("li", {}, h("strong", {}, warning.code), ` ${warning.message}`))) : null,
    h("h3", {}, "Numbers"), facts("numbers", plain),
    h("h3", {}, "Figures"), h("div", { className: "figures" },
      Object.entries(result.figures ?? {}).map(([name, { title, href }]) => figure(title, href, name))),
    h("h3", {}, "Tables"), values.filter(([, value]) => isTable(value)).map(([name, rows]) => rowsOf(name, rows)),
    arraysOf(result),
    h("h3", {}, "How good the numbers are"), facts("quality", quality),
    h("details", {}, h("summary", {}, "Where they come from"), facts("provenance", result.provenance)),
  ];
}

class JobView {
  constructor(view, id) {
    this.id = id;
    this.job = null; // until it is loaded
    this.turn = 0;
    this.head = h("div");
    this.live = h("div", { "aria-live": "polite" });
    this.partials = new Map();
    this.result = h("div");
    view.append(this.head, this.live, this.result);
  }

  actions() {
    const { job } = this;
    const again = h("a", { className: "button", href: `#/new/${job.kind}?from=${job.id}` }, "New job from this one");
    const act = (label, path, method) => h("button", { type: "button", onclick: async () => {
      const answer = method === "DELETE" ? await (await ask(path, { method })).json() : await post(path);
      if (answer.id !== job.id) location.hash = `#/job/${answer.id}`;
      else await this.load();
    } }, label);
    if (LIVE.has(job.state)) return [act("Cancel", `/v1/jobs/${job.id}`, "DELETE")];
    if (job.state === "succeeded") return [again];
    return [act("Run again", `/v1/jobs/${job.id}/retry`, "POST")];
  }

  async load() {
    const turn = ++this.turn;
    const job = await get(`/v1/jobs/${this.id}`);
    if (turn !== this.turn) return; // a later answer is, or will be, here
    this.job = job;
    document.title = `${nameOf(job)} - tangentd`;
    this.head.replaceChildren(
      h("h2", {}, nameOf(job), " ", h("span", { className: job.state }, job.state)),
      h("p", { className: "quiet" }, job.kind, " ", h("code", {}, job.id)),
      h("p", { className: "actions" }, this.actions()), timeline(job));
    if (job.problem) this.head.append(problemOf(job.problem));
    this.live.replaceChildren(job.state === "running" ? progressOf(job.progress) : "");
    if (LIVE.has(job.state)) return;
    this.partials.clear();
    if (job.state !== "succeeded") return;
    const result = await get(`/v1/jobs/${this.id}/result`);
    this.result.replaceChildren(...resultOf(job, result).flat().filter(Boolean));
  }

  async onEvent(type, data) {
    if (!this.job || type === "connected" || type === "resync") {
      if (!this.job || LIVE.has(this.job.state)) await this.load();
    } else if (data?.id !== this.id) {
      return;
    } else if (type === "progress") {
      this.live.replaceChildren(progressOf(data.progress));
    } else if (type === "partial") {
      this.partials.set(data.name, partialMatrix(data));
      if (LIVE.has(this.job.state)) this.result.replaceChildren(...this.partials.values());
    } else {
      await this.load();
    }
  }
}

export async function showJob(view, id) {
  const shown = new JobView(view, id);
  return loadAndListen(() => shown.load(), (type, data) => shown.onEvent(type, data));
}
