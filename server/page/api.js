// The daemon's wire: requests with the token, problems as errors, one stream of events for all views.

let token = sessionStorage.getItem("token") ?? "";
let askForToken = async () => {};

/** What to do when the daemon wants a token: a function that resolves when `useToken` was called. */
export function onUnauthorized(ask) {
  askForToken = ask;
}

export function useToken(text) {
  token = text;
  sessionStorage.setItem("token", token);
}

export const hasToken = () => token !== "";

/** What the daemon said was wrong; `errors` has the single faults with their JSON pointers. */
export class Problem extends Error {
  constructor(status, problem) {
    super(problem.detail ?? problem.title ?? `The daemon answered ${status}.`);
    this.status = status;
    this.title = problem.title ?? "";
    this.errors = problem.errors ?? [];
  }
}

async function problemOf(answer) {
  return new Problem(answer.status, await answer.json().catch(() => ({})));
}

function headersWith(headers) {
  return { ...headers, ...(token && { Authorization: `Bearer ${token}` }) };
}

/** fetch with the token; asks for one and goes on where it is wanted. Throws a Problem. */
export async function ask(path, options = {}) {
  const answer = await fetch(path, { ...options, headers: headersWith(options.headers) });
  if (answer.ok) return answer;
  if (answer.status !== 401) throw await problemOf(answer);
  await askForToken();
  return ask(path, options);
}

export const get = async (path) => (await ask(path)).json();

export async function post(path, body, headers = {}) {
  const answer = await ask(path, {
    method: "POST",
    body: body === undefined ? undefined : JSON.stringify(body),
    headers: { "Content-Type": "application/json", ...headers },
  });
  return answer.json();
}

/** Stores a file in constant memory. `onProgress` gets the share that is sent. Data document. */
export function upload(file, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch tells no progress of uploads
    request.open("POST", "/v1/data");
    if (token) request.setRequestHeader("Authorization", `Bearer ${token}`);
    request.responseType = "json";
    request.upload.onprogress = (event) => onProgress(event.loaded / event.total);
    request.onerror = () => reject(new Error("The connection broke; drop the file again."));
    request.onload = () => (request.status < 300
      ? resolve(request.response)
      : reject(new Problem(request.status, request.response ?? {})));
    request.send(file);
  });
}

/** Saves what is at a path as a file; a plain link could not send the token. */
export async function save(path, name) {
  saveBlob(await (await ask(path)).blob(), name);
}

export function saveBlob(blob, name) {
  const url = URL.createObjectURL(blob);
  Object.assign(document.createElement("a"), { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}

// Events: server-sent, read by fetch, since an EventSource cannot send a token. ------------------

const listeners = new Set();

/** Calls `listener(type, data)` for each event, and ("connected") or ("lost") for the stream's own. */
export function listen(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Loads, listening from before that on, so that no event falls in between. How to stop. */
export async function loadAndListen(load, listener) {
  const stop = listen((type, data) => listener(type, data).catch(() => {}));
  try {
    await load();
  } catch (error) {
    stop();
    throw error;
  }
  return stop;
}

function tell(type, data) {
  for (const listener of listeners) listener(type, data);
}

async function follow(cursor) {
  const answer = await ask("/v1/events", { headers: cursor.id ? { "Last-Event-ID": cursor.id } : {} });
  tell("connected");
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ""; ;) {
    const { value, done } = await reader.read();
    if (done) return;
    const frames = (text + value).split("\n\n");
    text = frames.pop();
    for (const frame of frames) {
      const field = Object.fromEntries(frame.split("\n").map((line) => line.split(/: (.*)/s)));
      if (field.id) cursor.id = field.id;
      if (field.data) tell(field.event, JSON.parse(field.data));
    }
  }
}

/** Follows the daemon's events for as long as the page lives. */
export async function followEvents() {
  const cursor = {};
  for (;;) {
    await follow(cursor).catch(() => {});
    tell("lost");
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
}
