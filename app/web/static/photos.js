// The list of photos, one job each: what was chosen, what was found in it, how far its job is and what came of it.

import * as service from "./service.js";

const AT_ONCE = 3; // a browser opens six connections to one service, and every job that is watched keeps one

export const photos = [];
export const changes = new EventTarget();
export const limits = { current: null };
let current = null;

// state: looking, ready, waiting, working, done, failed, erased.
export function listed(file, name, known) {
  const photo = {
    file, name, url: null, state: "looking", width: 0, height: 0, faces: [], skip: new Set(), marked: [],
    look: null, wish: null, key: null, sentAs: null, stopping: null, job: null, event: null, times: {},
    pictures: [], picked: 0, isKnown: false, isTaken: false, error: null, proof: null, ...known,
  };
  photos.push(photo);
  return photo;
}

export function add(file) {
  const photo = listed(file, file.name, { url: URL.createObjectURL(file) });
  look(photo);
  return photo;
}

// The same photo once more, for another look: its faces, and what was said about them, are known.
export function copyOf({ file, name, url, width, height, faces, skip, marked }) {
  const known = { url, width, height, faces, skip: new Set(skip), marked: [...marked], state: "ready" };
  return listed(file, name, known);
}

export const chosen = () => current;

export function choose(photo) {
  current = photo;
  tell(photo);
}

export function tell(photo) {
  changes.dispatchEvent(new CustomEvent("change", { detail: photo }));
}

function set(photo, values) {
  Object.assign(photo, values);
  tell(photo);
}

export async function look(photo) {
  set(photo, { state: "looking", error: null });
  try {
    const { input, output, error } = await service.findFaces(photo.file);
    if (error) throw new service.Refused(error.code, error.message);
    set(photo, { state: "ready", faces: output.faces, width: input.width, height: input.height });
  } catch (error) {
    set(photo, { state: "failed", error });
  }
}

// How many of its faces would be protected.
export function chosenFaces(photo) {
  const able = photo.faces.filter((face) => face.status === "found" && !photo.skip.has(face.index));
  return able.length + photo.marked.length;
}

function fieldsOf(photo, wish) {
  const fields = { ...wish };
  if (photo.skip.size) fields.skip = [...photo.skip].join(",");
  if (photo.marked.length) fields.eyes = photo.marked.map((eyes) => eyes.map((x) => x.toFixed(1)).join(",")).join(",");
  return fields;
}

let busy = 0;
const waiting = [];

async function inTurn(work) {
  if (busy >= AT_ONCE) await new Promise((go) => waiting.push(go));
  else busy += 1;
  try {
    return await work();
  } finally {
    const next = waiting.shift(); // it takes over this place
    if (next) next();
    else busy -= 1;
  }
}

export const isBusy = () => busy > 0;

// Sends the photo, follows its job and fetches the result. `wish`: form fields of POST /v1/jobs.
export async function protect(photo, wish) {
  const key = JSON.stringify(fieldsOf(photo, wish));
  if (photo.sentAs !== key) Object.assign(photo, { sentAs: key, key: service.newKey() }); // else it finds its own job
  const stopping = new AbortController();
  set(photo, { state: "waiting", wish, look: wish.reference_id, error: null, job: null, event: null, stopping, times: {} });
  try {
    await inTurn(async () => {
      stopping.signal.throwIfAborted();
      set(photo, { state: "working" });
      await follow(photo, await service.sendJob(photo.file, fieldsOf(photo, wish), photo.key, stopping.signal));
    });
  } catch (error) {
    const wasStopped = error.name === "AbortError" || stopping.signal.aborted;
    const mayHaveArrived = error.code === "unreachable" || error.status >= 500; // sent again, it finds its job
    if (wasStopped || !mayHaveArrived) photo.key = photo.sentAs = null;
    set(photo, { state: "failed", error: wasStopped ? new service.Refused("canceled") : error });
  }
}

async function follow(photo, job) {
  set(photo, { job });
  const over = await service.watch(job, (event) => {
    if (event.progress && !(event.progress.stage in photo.times)) photo.times[event.progress.stage] = Date.now();
    set(photo, { event });
  }, photo.stopping.signal);
  if (over.error) throw new service.Refused(over.error.code, over.error.message);
  const found = over.output.candidates.length ? over.output.candidates : [over.output];
  const pictures = await Promise.all(found.map(async (each) => pictureOf(await service.picture(each.photo.url))));
  set(photo, { state: "done", job: over, pictures, picked: 0, key: null, sentAs: null });
}

const pictureOf = (file) => ({ file, url: URL.createObjectURL(file) });

// The picture that is picked among those of its job: the file, and its address in this tab.
export const pictureNow = (photo) => photo.pictures[photo.picked];

// What the service says of one of them: the file, its look and strength, and what became of each face.
export const outcomeOf = (photo, n = photo.picked) => photo.job.output.candidates[n] ?? photo.job.output;

export const pick = (photo, picked) => set(photo, { picked });

// Stops the work on it, here and there; what the service had of it is deleted.
export async function stop(photo) {
  const { job } = photo;
  photo.stopping.abort();
  if (job) await service.cancel(job.id).then(() => service.remove(job.id)).catch(() => {}); // over already: it expires
}

// Takes it out of the list; its pictures leave the memory.
export function forget(photo) {
  photos.splice(photos.indexOf(photo), 1);
  for (const { url } of photo.pictures) URL.revokeObjectURL(url);
}

export async function erase(photo) {
  const { id } = photo.job;
  const status = await service.erase(id);
  for (const { url } of photo.pictures) URL.revokeObjectURL(url);
  set(photo, { state: "erased", pictures: [], picked: 0, proof: { id, status, at: new Date() } });
}
