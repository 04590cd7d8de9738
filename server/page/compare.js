// Two jobs side by side: parameters that differ, numbers with their difference, figures in pairs.
import { get } from "./api.js";
import { h, number, table } from "./dom.js";
import { figure } from "./figure.js";
import { nameOf } from "./jobs.js";

const load = async (id) => {
  const job = await get(`/v1/jobs/${id}`);
  if (job.state !== "succeeded") throw new Error(`${nameOf(job)} is ${job.state}; only results can be compared.`);
  return { job, result: await get(`/v1/jobs/${id}/result`) };
};

const text = (value) => (value && typeof value === "object" ? JSON.stringify(value) : number(value));

/** Rows of two objects; those that are equal only if wanted. */
function rowsOf(a, b, equalToo) {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])]
    .filter((name) => equalToo || text(a[name]) !== text(b[name]))
    .map((name) => ({ name, first: text(a[name]), second: text(b[name]),
      difference: typeof a[name] === "number" && typeof b[name] === "number" ? b[name] - a[name] : "" }));
}

const plain = (values) => Object.fromEntries(Object.entries(values).filter(([, value]) => typeof value !== "object"));

export async function showCompare(view, first, second) {
  const both = await Promise.all([load(first), load(second)]);
  const [a, b] = both.map(({ result }) => result);
  const [jobA, jobB] = both.map(({ result }) => result.provenance.job);
  const inputs = ({ inputs: given }) => Object.fromEntries(given.map((entry) => [entry.name || entry.input, entry.sha256.slice(0, 12)]));
  const section = (title, rows, columns) => (rows.length
    ? table(title, columns, rows) : h("p", { className: "quiet" }, `${title}: none.`));
  const figures = [...new Set([...Object.keys(a.figures ?? {}), ...Object.keys(b.figures ?? {})])];
  view.append(
    h("h2", {}, "Two jobs"),
    h("p", {}, both.map(({ job }, i) => [i ? " and " : "", h("a", { href: `#/job/${job.id}` }, nameOf(job))]).flat()),
    section("Parameters that differ", rowsOf(jobA.params, jobB.params, false), ["name", "first", "second"]),
    section("Inputs that differ", rowsOf(inputs(a.provenance), inputs(b.provenance), false), ["name", "first", "second"]),
    section("Numbers", rowsOf(plain(a.values), plain(b.values), true), ["name", "first", "second", "difference"]),
    h("h3", {}, "Figures"),
    ...figures.map((name) => h("div", { className: "pair" }, both.map(({ job, result }) => {
      const entry = result.figures?.[name];
      return entry ? figure(`${nameOf(job)}: ${entry.title}`, entry.href, name)
        : h("p", { className: "quiet" }, `${nameOf(job)} has no figure ${name}.`);
    }))));
}
