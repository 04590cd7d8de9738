// The first page: status, a live list of jobs, and how to submit one. No other host is asked.
const $ = (id) => document.getElementById(id);
const rows = new Map();
let token = sessionStorage.getItem("token") ?? "";

function ask(path, options = {}) {
  const headers = { ...options.headers, ...(token && { Authorization: `Bearer ${token}` }) };
  return fetch(path, { ...options, headers });
}

async function get(path) {
  const answer = await ask(path);
  if (!answer.ok) throw Object.assign(new Error(answer.statusText), { status: answer.status });
  return answer.json();
}

function cell(row, child) {
  row.insertCell().append(child);
}

function link(href, text) {
  return Object.assign(document.createElement("a"), { href, textContent: text });
}

function showProgress(td, state, progress) {
  td.replaceChildren();
  if (state !== "running" || !progress) return;
  const bar = document.createElement("progress");
  if (Number.isFinite(progress.fraction)) bar.value = progress.fraction;
  td.append(bar, ` ${progress.phase ?? ""}`);
}

function showState(row, state) {
  row.cells[3].textContent = state;
  row.cells[3].className = state;
}

function show(job) {
  const old = rows.get(job.id);
  const row = document.createElement("tr");
  cell(row, link(`/v1/jobs/${job.id}`, job.id.slice(-8)));
  cell(row, job.kind ?? "");
  cell(row, job.name ?? "");
  cell(row, "");
  cell(row, "");
  cell(row, job.created ? new Date(job.created).toLocaleString() : "");
  showState(row, job.state);
  showProgress(row.cells[4], job.state, job.progress);
  if (job.state === "succeeded") row.cells[4].append(link(`/v1/jobs/${job.id}/result?format=text`, "result"));
  if (old) old.replaceWith(row);
  else $("jobs").prepend(row);
  rows.set(job.id, row);
  $("none").hidden = true;
}

async function onEvent(type, data) {
  if (type === "progress") {
    const row = rows.get(data.id);
    if (row) showProgress(row.cells[4], "running", data.progress);
  } else if (type === "removed") {
    rows.get(data.id)?.remove();
    rows.delete(data.id);
  } else if (type !== "resync" && type !== "partial") {
    show(await get(`/v1/jobs/${data.id}`));
  }
}

// Server-sent events by fetch, since an EventSource cannot send a token.
async function follow(cursor) {
  const headers = cursor.id ? { "Last-Event-ID": cursor.id } : {};
  const answer = await ask("/v1/events", { headers });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ""; ;) {
    const { value, done } = await reader.read();
    if (done) return;
    const frames = (text + value).split("\n\n");
    text = frames.pop();
    for (const frame of frames) {
      const field = Object.fromEntries(frame.split("\n").map((line) => line.split(/: (.*)/s)));
      if (field.id) cursor.id = field.id;
      if (field.data) await onEvent(field.event, JSON.parse(field.data)).catch(() => {});
    }
  }
}

async function showStatus() {
  const s = await get("/v1/status");
  $("status").textContent = `version ${s.version} · ${s.workers.busy} of ${s.workers.total} workers busy · `
    + `${s.queue.queued} waiting · ${(s.memory.resident_bytes / 2 ** 20).toFixed(0)} MiB resident`;
}

async function showKinds() {
  const { kinds } = await get("/v1/kinds");
  for (const { name } of kinds) {
    const button = Object.assign(document.createElement("button"), { className: "kind", textContent: name });
    button.addEventListener("click", async () => {
      const { example } = await get(`/v1/kinds/${name}`);
      const job = typeof example === "string" ? example : JSON.stringify(example);
      const auth = token ? ` -H "Authorization: Bearer $TOKEN"` : "";
      $("curl").textContent = `curl -H "Prefer: wait=30"${auth} --json '${job}' ${location.origin}/v1/jobs`;
    });
    $("kinds").append(button);
  }
  $("kinds").firstElementChild?.click();
}

async function live() {
  const cursor = {};
  for (;;) {
    try {
      await showStatus();
      $("login").hidden = true;
      const { jobs } = await get("/v1/jobs?limit=50");
      $("none").hidden = jobs.length > 0;
      jobs.reverse().forEach(show);
      await follow(cursor);
    } catch (error) {
      const denied = error.status === 401 || error.status === 403;
      $("login").hidden = !denied;
      $("status").textContent = denied ? "A token is needed." : "The daemon does not answer; trying again.";
      if (denied) return;
    }
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
}

$("login").addEventListener("submit", (event) => {
  event.preventDefault();
  token = event.target.token.value.trim();
  sessionStorage.setItem("token", token);
  live();
});
setInterval(() => showStatus().catch(() => {}), 5000);
showKinds();
live();
