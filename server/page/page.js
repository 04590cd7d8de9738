// The page: which view the address asks for, the daemon's status, and the token.
import { followEvents, get, listen, onUnauthorized, useToken } from "./api.js";
import { bytes, h } from "./dom.js";
import { showCompare } from "./compare.js";
import { showData } from "./data.js";
import { showJob } from "./job.js";
import { showJobs } from "./jobs.js";
import { showNew } from "./new.js";

const $ = (id) => document.getElementById(id);

const views = [
  [/^#?\/?$/, "Jobs", showJobs],
  [/^#\/new(?:\/([a-z0-9_]+))?(?:\?from=(\w+))?$/, "New job", showNew],
  [/^#\/job\/(\w+)$/, "Job", showJob],
  [/^#\/compare\/(\w+)\/(\w+)$/, "Two jobs", showCompare],
  [/^#\/data$/, "Data", showData],
];

let leave = () => {};

/** Shows the view of the address; each may return what is to be done when it is left. */
async function show() {
  leave();
  leave = () => {};
  const view = h("div");
  const [pattern, title, fill] = views.find(([candidate]) => candidate.test(location.hash)) ?? views[0];
  const [, ...args] = pattern.exec(location.hash) ?? [];
  $("view").replaceChildren(view);
  document.title = `${title} - tangentd`;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.textContent === title) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  try {
    const done = (await fill(view, ...args)) ?? (() => {});
    if (view.isConnected) leave = done;
    else done();
  } catch (error) {
    view.replaceChildren(h("h2", {}, "This cannot be shown"), h("p", { role: "alert" }, error.message));
  }
}

function askForToken() {
  const dialog = $("login");
  if (!dialog.open) dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
}

$("login").addEventListener("cancel", (event) => event.preventDefault());
$("login").addEventListener("close", () => {
  useToken($("token").value.trim());
  $("token").value = "";
});
onUnauthorized(askForToken);

async function showStatus() {
  if (document.hidden) return;
  try {
    const s = await get("/v1/status");
    $("status").textContent = `${s.workers.busy} of ${s.workers.total} workers busy, ${s.queue.queued} jobs waiting, `
      + `${bytes(s.memory.reserved_bytes)} of ${bytes(s.memory.budget_bytes)} reserved`
      + (s.store.writable ? "" : "; the store takes no new work");
  } catch {
    $("status").textContent = "The daemon does not answer; trying again.";
  }
}

listen((type) => {
  if (type === "lost") $("status").textContent = "The daemon does not answer; trying again.";
  if (type === "connected") showStatus();
});

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address names the view
  $("view").focus();
});
addEventListener("hashchange", () => { show().then(() => $("view").focus()); });
show();
showStatus();
setInterval(showStatus, 5000);
followEvents();
