// A photo's way through the service: what is wished of it, and that nothing of it stays there.

import { forget, limits, listed, protect, stop, tell } from "/page/photos.js";
import { learn } from "/page/progress.js";
import { readLimits, Refused, remove } from "/page/service.js";
import { isFilm } from "/widget/files.js";

const KEPT_S = 600; // should this tab be closed before it could have its result deleted
const ATTRIBUTES = { effort: "diffamEffort", strength: "diffamStrength", target_id: "diffamTarget" };

let reading = null;
const knowLimits = () => (reading ??= readLimits().catch((error) => {
  reading = null; // the next photo asks again
  throw error;
}));

export const isAtWork = ({ state }) => ["waiting", "working"].includes(state);

export const listedFor = (file) => listed(file, file.name, { state: "ready", choice: null });

// The fields of POST /v1/jobs that an input's attributes say.
export function wishOf({ dataset }) {
  const wish = { reference_id: dataset.diffamReference, output_format: "same" };
  for (const [field, name] of Object.entries(ATTRIBUTES)) if (dataset[name]) wish[field] = dataset[name];
  return wish;
}

export function fail(photo, error) {
  Object.assign(photo, { state: "failed", error });
  tell(photo);
}

export async function send(photo, wish) {
  if (isFilm(photo.file)) return fail(photo, new Refused("film"));
  photo.state = "waiting";
  tell(photo);
  try {
    limits.current = await knowLimits();
  } catch (error) {
    return fail(photo, error);
  }
  if (photo.isLeft) return undefined;
  await protect(photo, { ...wish, ttl_s: String(Math.min(KEPT_S, limits.current.retention.max_ttl_s)) });
  if (photo.state === "done") learn(photo.job);
  const isOver = photo.job && !photo.key && !photo.stopping.signal.aborted; // with its key it may be found once more
  return isOver && remove(photo.job.id).catch(() => {}); // else it expires
}

// Lets go of a photo, wherever it is.
export function leave(photo) {
  photo.isLeft = true;
  if (isAtWork(photo) && photo.stopping) stop(photo);
  forget(photo);
}
