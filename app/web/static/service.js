// The calls of the API that page and widget make. What goes wrong becomes a Refused with the code of a problem document.

const TRIES = 4;
const PAUSE_MS = 1000;
const OVER = ["succeeded", "failed", "canceled"];

let key = null;
let askForKey = null;

export class Refused extends Error {
  constructor(code, detail = "", status = 0) {
    super(detail || code);
    Object.assign(this, { code, status });
  }
}

// The key of every call from now on; null: none. `dialog` is told whether one was refused, and promises another.
export function useKey(known, dialog = null) {
  let asking = null; // however many calls need one, the visitor is asked once
  key = known;
  askForKey = dialog && ((wasRefused) => (asking ??= dialog(wasRefused).then((given) => {
    key = given;
    asking = null;
  })));
}

// The answer, if it is a good one. What may succeed later is tried again where `again` says so: a request that makes
// a job only with its Idempotency-Key, under which the service makes one job however often it is sent.
async function ask(path, { again = true, ...options } = {}) {
  for (let tried = 1; ; tried += 1) {
    const sent = key;
    const headers = { ...options.headers, ...(sent && { Authorization: `Bearer ${sent}` }) };
    const refused = await answer(path, { cache: "no-store", ...options, headers });
    if (!(refused instanceof Refused)) return refused;
    if (refused.status === 401 && askForKey) {
      if (key === sent) await askForKey(Boolean(sent));
    } else if (!again || !refused.retryable || tried === TRIES) {
      throw refused;
    } else {
      await pause(refused.waitMs || PAUSE_MS * tried, options.signal);
    }
  }
}

// Of whoever has a key that is good, and may not do this.
export const askForAnotherKey = () => askForKey(true);

async function answer(path, options) {
  let response;
  try {
    response = await fetch(new URL(path, import.meta.url), options); // of the service, whoever's page this is
  } catch (error) {
    if (error.name === "AbortError") throw error;
    return Object.assign(new Refused("unreachable"), { retryable: true });
  }
  return response.ok ? response : refusal(response);
}

async function refusal(response) {
  const told = await response.json().catch(() => ({}));
  const waitMs = 1000 * Math.min(10, Number(response.headers.get("Retry-After")) || 0);
  const refused = new Refused(told.code ?? "internal", told.detail ?? response.statusText, response.status);
  return Object.assign(refused, { retryable: told.retryable ?? response.status >= 500, waitMs });
}

function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => { clearTimeout(timer); reject(signal.reason); }, { once: true });
  });
}

const json = async (path, options) => (await ask(path, options)).json();

export const readLimits = () => json("/v1/limits");
export const readOperations = () => json("/v1/admin", { again: false });
export const readLooks = async () => (await json("/v1/references")).references;

// A picture as an address for <img>, which cannot send a key by itself.
export async function picture(path) {
  return (await ask(path, { cache: "default" })).blob();
}

export function newKey() { // crypto.randomUUID is for https pages alone
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function form(file, fields) {
  const body = new FormData();
  body.append("photo", file, "photo"); // its name stays here
  for (const [name, value] of Object.entries(fields)) body.append(name, value);
  return body;
}

// The job that looked for faces, once it is over.
export async function findFaces(file, signal) {
  const headers = { "Idempotency-Key": newKey(), Prefer: "wait=10" };
  const job = await json("/v1/faces", { method: "POST", body: form(file, {}), headers, signal });
  return OVER.includes(job.status) ? job : watch(job, () => {}, signal);
}

export function sendJob(file, fields, key, signal) {
  return json("/v1/jobs", { method: "POST", body: form(file, fields), headers: { "Idempotency-Key": key }, signal });
}

// Made and forgotten by the service in one answer: the job, with its picture inside.
export function makeOnce(file, fields, signal) {
  const options = { method: "POST", body: form(file, { ...fields, store: "0" }), headers: { Prefer: "wait=30" }, signal };
  return json("/v1/jobs", { ...options, again: false });
}

export const readJob = (id, signal) => json(`/v1/jobs/${id}`, { signal });
export const cancel = (id) => ask(`/v1/jobs/${id}/cancel`, { method: "POST", again: false });

// Tells every event of the job to `onEvent` and returns the job once it is over. The stream is read with fetch, which
// sends a key and knows why it was refused; EventSource can do neither. It goes on where it broke.
export async function watch(job, onEvent, signal) {
  let read = 0;
  for (let broken = 0; ;) {
    try {
      const headers = { Accept: "text/event-stream", ...(read && { "Last-Event-ID": String(read) }) };
      const response = await ask(`/v1/jobs/${job.id}/events`, { headers, signal });
      for await (const event of eventsOf(response)) {
        [read, broken] = [event.revision ?? read, 0];
        onEvent(event);
      }
    } catch (error) {
      broken += 1;
      if (error instanceof Refused || signal?.aborted || broken > TRIES) throw error;
      await pause(PAUSE_MS, signal);
    }
    const now = await readJob(job.id, signal);
    if (OVER.includes(now.status)) return now;
  }
}

async function* eventsOf(response) {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ""; reader;) {
    const { value, done } = await reader.read();
    if (done) return;
    const events = (text + value).split("\n\n");
    text = events.pop();
    for (const event of events) {
      const data = event.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5));
      if (data.length) yield JSON.parse(data.join("\n"));
    }
  }
}

export const remove = (id) => ask(`/v1/jobs/${id}`, { method: "DELETE" });

// Deletes the job and asks for it again: the status of that answer, 410 where nothing is left.
export async function erase(id) {
  await remove(id);
  try {
    await readJob(id);
    return 200;
  } catch (refused) {
    if (refused.status) return refused.status;
    throw refused;
  }
}
