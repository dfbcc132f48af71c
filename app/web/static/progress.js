// How far the work is, stage by stage, and about how many seconds are left.

import { limits } from "./photos.js";
import { say, seconds } from "./texts.js";

const element = (id) => document.getElementById(id);

// Seconds of each stage: a guess of their shares until a photo was protected here, then what that one took.
const took = { detect: 0.1, invert: 0.7, make_up: 0.3, composite: 0.1, refine: 6.7, score: 0.4 };
const STAGES = Object.keys(took);
let isMeasured = false;

export function learn(job) {
  if (!job.timings.stages_s) return;
  for (const stage of STAGES) took[stage] = job.timings.stages_s[stage] ?? 0;
  isMeasured = true;
}

// Seconds left of a photo's work, and the share that is done; null where nothing was measured yet.
export function leftOf(photo, now = Date.now()) {
  const { progress } = photo.event ?? {};
  const all = STAGES.reduce((sum, stage) => sum + took[stage], 0);
  const measured = isMeasured ? all : limits.current?.seconds_per_photo ?? null;
  if (!progress) return { left: measured, done: 0 };
  const place = STAGES.indexOf(progress.stage);
  const after = STAGES.slice(place + 1).reduce((sum, stage) => sum + took[stage], 0);
  const scale = measured === null ? 1 : measured / all;
  const here = took[progress.stage] * scale;
  const spent = (now - (photo.times[progress.stage] ?? now)) / 1000;
  const left = after * scale + Math.max(0.05 * here, here - spent);
  return { left: measured === null ? null : left, done: 1 - left / (all * scale) };
}

export function showProgress(photo) {
  const { left, done } = leftOf(photo);
  const bar = element("bar");
  if (photo.event?.progress) bar.value = Math.max(bar.value || 0, Math.min(0.99, done));
  else bar.removeAttribute("value");
  const stage = stageOf(photo);
  if (element("stage").textContent !== stage) element("stage").textContent = stage; // else it would be read out again
  element("left").textContent = left === null || photo.state === "waiting" ? "" : say("progress.left", { time: seconds(left) });
}

export function stageOf(photo) {
  if (photo.state === "waiting") return say("progress.waiting");
  const { event, job } = photo;
  if (!job) return say("progress.sending");
  if (event?.progress) return say(`stage.${event.progress.stage}`);
  if (event?.status === "succeeded") return say("progress.fetching");
  const place = job.queue?.position;
  return place > 1 ? say("progress.position", { n: place }) : say("progress.queued");
}
