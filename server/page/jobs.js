// The list of jobs: filtered, paged, live.
import { ask, get, loadAndListen } from "./api.js";
import { between, h, head, seconds, time } from "./dom.js";

const STATES = ["queued", "running", "cancelling", "succeeded", "failed", "cancelled", "expired"];
export const LIVE = new Set(["queued", "running", "cancelling"]);
const PAGE = 50;
const MOST_ASKED = 10; // jobs that are asked for one by one
const MOST_ROWS = 500;

/** A bar with phase and time left. */
export function progressOf(progress) {
  if (!progress) return "";
  const left = Number.isFinite(progress.eta_s) ? `, ${seconds(progress.eta_s)} left` : "";
  return h("span", { className: "progress" },
    h("progress", { value: progress.fraction, max: 1, "aria-label": "Progress" }),
    ` ${Math.floor(100 * progress.fraction)} % ${progress.phase}${left}`);
}

export const nameOf = (job) => job.name || `${job.kind} ${job.id.slice(-6)}`;

function took(job) {
  if (!job.started) return "";
  return seconds(Math.max(0, between(job.started, job.finished)));
}

class List {
  constructor() {
    this.rows = new Map(); // id -> row
    this.chosen = new Set();
    this.stale = new Set(); // ids of jobs that have changed
    this.body = h("tbody");
    this.none = h("p", { className: "quiet" });
    this.more = h("button", { type: "button", hidden: true, onclick: () => this.load(this.next) }, "Show more");
    this.compare = h("button", { type: "button", disabled: true, onclick: () => {
      location.hash = `#/compare/${[...this.chosen].join("/")}`;
    } }, "Compare two chosen jobs");
  }

  query() {
    const query = new URLSearchParams({ limit: PAGE });
    for (const [name, value] of new FormData(this.filters)) if (value) query.set(name, value);
    return `/v1/jobs?${query}`;
  }

  /** The first page, or the one that `next` names. */
  async load(next) {
    const query = this.query();
    const { jobs, next: after } = await get(next ?? query);
    if (query !== this.query()) return; // the filters have changed meanwhile
    if (!next) {
      this.rows.clear();
      this.body.replaceChildren();
    }
    for (const job of jobs) this.put(job, true);
    this.next = after;
    this.more.hidden = !after;
    this.none.textContent = this.rows.size ? "" : "No jobs here yet. “New job” has an example of each kind.";
  }

  choose(id, on) {
    if (on) this.chosen.add(id);
    else this.chosen.delete(id);
    this.compare.disabled = this.chosen.size !== 2;
  }

  put(job, atEnd = false) {
    const state = h("td", { className: job.state }, job.state);
    const row = h("tr", {},
      h("td", {}, h("input", { type: "checkbox", checked: this.chosen.has(job.id), "aria-label": `Choose ${nameOf(job)}`,
        onchange: (event) => this.choose(job.id, event.target.checked) })),
      h("td", {}, h("a", { href: `#/job/${job.id}` }, nameOf(job))),
      h("td", {}, job.kind),
      state,
      h("td", {}, job.state === "running" ? progressOf(job.progress) : took(job)),
      h("td", {}, time(job.created)),
      h("td", {}, LIVE.has(job.state)
        ? h("button", { type: "button", "aria-label": `Cancel ${nameOf(job)}`, onclick: () =>
          ask(`/v1/jobs/${job.id}`, { method: "DELETE" }) }, "Cancel") : null));
    const old = this.rows.get(job.id);
    if (old) old.replaceWith(row);
    else if (atEnd) this.body.append(row);
    else this.body.prepend(row);
    this.rows.set(job.id, row);
    this.none.textContent = "";
  }

  /** Notes that a job is another now. Many changes at once cost one look at the list. */
  changed(id) {
    this.stale.add(id);
    this.timer ??= setTimeout(() => this.catchUp().catch(() => {}), 150);
  }

  async catchUp() {
    const ids = [...this.stale];
    this.stale.clear();
    try {
      const known = ids.every((id) => this.rows.has(id));
      if (ids.length > MOST_ASKED || this.rows.size > MOST_ROWS || (this.filtered() && !known)) await this.load();
      else for (const id of ids) this.put(await get(`/v1/jobs/${id}`));
    } finally {
      this.timer = undefined;
      if (this.stale.size) this.changed(this.stale.values().next().value);
    }
  }

  filtered() {
    return [...new FormData(this.filters).values()].some(Boolean);
  }

  async onEvent(type, data) {
    if (type === "progress") {
      this.rows.get(data.id)?.cells[4].replaceChildren(progressOf(data.progress));
    } else if (type === "removed") {
      this.rows.get(data.id)?.remove();
      this.rows.delete(data.id);
    } else if (type === "connected" || type === "resync") {
      await this.load();
    } else if (STATES.includes(type)) {
      this.changed(data.id);
    }
  }

  fill(view, kinds) {
    const reload = () => this.load();
    const choice = (name, label, options) => h("label", {}, `${label} `,
      h("select", { name, onchange: reload }, h("option", { value: "" }, "any"), options.map((o) => h("option", {}, o))));
    this.filters = h("form", { className: "filters", role: "search", onsubmit: (event) => event.preventDefault() },
      choice("kind", "Kind", kinds.map(({ name }) => name)),
      choice("state", "State", STATES),
      h("label", {}, "Name ", h("input", { name: "name", type: "search", oninput: reload })),
      this.compare);
    const hidden = (text) => h("span", { className: "hidden" }, text);
    view.append(h("h2", {}, "Jobs"), this.filters,
      h("div", { className: "scroll" }, h("table", { className: "jobs" },
        head([hidden("Choose"), "Job", "Kind", "State", "Progress or time taken", "Created", hidden("Actions")]),
        this.body)),
      this.none, this.more);
  }
}

export async function showJobs(view) {
  const list = new List();
  const { kinds } = await get("/v1/kinds");
  list.fill(view, kinds);
  return loadAndListen(() => list.load(), (type, data) => list.onEvent(type, data));
}
