// The same job from a terminal or a notebook.
import { hasToken } from "./api.js";

/** A shell command that submits the job. */
export function asCurl(job) {
  const auth = hasToken() ? ` -H "Authorization: Bearer $TANGENTD_TOKEN"` : "";
  const body = JSON.stringify(job).replaceAll("'", "'\\''");
  return `curl -H 'Prefer: wait=30'${auth} ${location.origin}/v1/jobs --json '${body}'`;
}

/** A literal of Python. */
function python(value) {
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (Array.isArray(value)) return `[${value.map(python).join(", ")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  if ("sha256" in value) {
    const { sha256, key, ...labels } = value;
    const data = `DataRef(${[sha256, key].filter(Boolean).map((text) => JSON.stringify(text)).join(", ")})`;
    if (!Object.keys(labels).length) return data;
    return `{"data": ${data}, ${entriesOf(labels)}}`;
  }
  return `{${entriesOf(value)}}`;
}

function entriesOf(value) {
  return Object.entries(value).map(([name, item]) => `${JSON.stringify(name)}: ${python(item)}`).join(", ");
}

/** A call of the Python client. */
export function asPython(job) {
  const given = { ...job.inputs, ...job.params };
  for (const name of ["name", "priority", "max_run_s", "deadline", "keep"]) {
    if (job[name] !== undefined) given[name] = job[name];
  }
  const lines = Object.entries(given).map(([name, value]) => `    ${name}=${python(value)},\n`);
  return `from tangentd import DataRef, Tangent\n\ntg = Tangent("${location.origin}")\n`
    + `job = tg.${job.kind}(\n${lines.join("")})\nresult = job.wait().result()\n`;
}
