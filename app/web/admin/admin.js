// The operator's view: asks what goes on every few seconds, while somebody looks, and shows it.

import { askForKey, keptKey } from "../key.js";
import { askForAnotherKey, readOperations, useKey } from "../service.js";
import { bars, curve } from "./drawing.js";
import { sheetOf } from "./sheets.js";
import { fill, make, named, prose, share } from "./table.js";
import { bytes, clock, count, date, kind, lasting, minute, NOTHING, several, stage } from "./words.js";

const EVERY_MS = 3000;
const element = (id) => document.getElementById(id);

let timer = null;
let isAsking = false;
let refusal = ""; // why the dialog opens again

const sum = (list, of) => list.reduce((all, each) => all + of(each), 0);
const jobName = (job) => make("code", { text: job.id });

// Whose a job is: the name of a key, if there is one.
function keyName(owner, keys) {
  if (!owner) return NOTHING;
  const found = keys?.find((key) => key.id === owner);
  if (found) return found.name;
  return owner.startsWith("guest-") ? "a guest" : `${owner.slice(0, 8)}, not listed`;
}

function showTiles({ lines, workers, hours, max_queued: most, lease_s: lease }) {
  const waiting = sum(lines, (line) => line.waiting);
  const running = sum(lines, (line) => line.running);
  const busy = new Set(lines.flatMap((line) => line.at_work.map((job) => job.worker))).size;
  const oldest = Math.max(0, ...lines.map((line) => line.oldest_s ?? 0));
  const heard = workers.length ? Math.max(...workers.map((worker) => worker.heard_s)) : null;
  const [good, bad, canceled] = ["succeeded", "failed", "canceled"].map((how) => sum(hours, (hour) => hour[how]));
  const tiles = [
    ["Waiting", count(waiting), waiting ? `the oldest for ${lasting(oldest)}` : `of ${count(most)} that may`, waiting >= most],
    ["At work", count(running), running ? `by ${several(busy, "worker")}` : "nothing runs", false],
    ["Workers", count(workers.length), heard === null ? "photos wait" : `last sign ${lasting(heard)} ago`, heard === null || heard > lease / 2],
    ["Done in 24 h", count(good), canceled ? `${count(canceled)} more canceled` : "none canceled", false],
    ["Failed in 24 h", count(bad), bad ? `${count((100 * bad) / (good + bad))} % of those not canceled` : "none", bad > good],
  ];
  const shown = tiles.map(([name, value, more, isBad]) => make("div", {
    className: isBad ? "tile alarming" : "tile",
    children: [make("dt", { text: name }), make("dd", { children: [make("strong", { text: value }), make("span", { text: more })] })],
  }));
  element("tiles").replaceChildren(...shown);
}

function showQueue({ lines, keys }) {
  fill("queue", lines, (line) => line.kind, (line) => [
    kind(line.kind), count(line.waiting), count(line.running), lasting(line.oldest_s), lasting(line.seconds_per_job), lasting(line.eta_s),
  ]);
  const first = lines.flatMap((line) => line.first.map((job, n) => ({ ...job, kind: line.kind, place: n + 1 })));
  fill("next", first, (job) => job.id, (job) => [
    jobName(job), kind(job.kind), count(job.place), lasting(job.waited_s), lasting(job.eta_s),
    job.attempt ? several(job.attempt, "time") : "no", keyName(job.owner, keys),
  ]);
}

function progress(part, label) {
  return make("progress", { max: 1, value: part, "aria-label": label });
}

function showRunning({ lines, keys, lease_s: lease }) {
  const running = lines.flatMap((line) => line.at_work);
  fill("running", running, (job) => job.id, (job) => [
    jobName(job), kind(job.kind),
    make("span", { className: "stage", children: [job.stage ? stage(job.stage) : "taken", progress(job.fraction, `Job ${job.id}`)] }),
    lasting(job.ran_s), `${job.attempt} of ${job.max_attempts}`, job.worker || NOTHING, sign(job.heard_s, lease), keyName(job.owner, keys),
  ]);
}

const sign = (heard, lease) => make("span", { className: heard > lease / 2 ? "bad" : "", text: `${lasting(heard)} ago` });

function showWorkers({ workers, lease_s: lease, version }) {
  fill("workers", workers, (worker) => worker.name, ({ name, heard_s: heard, jobs, facts }) => [
    name, sign(heard, lease), jobs.length ? make("code", { text: jobs.join(" ") }) : "nothing",
    facts?.bundle ?? NOTHING, facts?.device ?? NOTHING,
    facts ? named(facts.version, facts.version === version ? "" : `the web has ${version}`, `torch ${facts.torch}`) : NOTHING,
    facts ? named(minute(facts.started_at), date(facts.started_at)) : NOTHING,
  ]);
}

function showTrainings({ trainings, lease_s: lease }) {
  element("training").hidden = !trainings.length;
  element("trainings").replaceChildren(...trainings.map((training) => card(training, lease)));
}

function card({ id, reference_id: look, target_id: target, held_out: judge, heard_s: heard, progress: at, curve: points, sheet }, lease) {
  const told = at ? `${stage(at.stage)}, step ${at.step} of ${at.steps}` : "taken";
  const left = at?.eta_s ? `${lasting(at.eta_s)} left` : "";
  const head = make("p", { className: "row", children: [
    make("span", { text: told }), make("span", { className: "quiet", text: left }),
  ] });
  const about = make("p", { className: "quiet", children: [
    "Job ", make("code", { text: id }), `, judged by ${judge}, last sign `, sign(heard, lease),
  ] });
  return make("article", { children: [
    make("h3", { text: `${look} towards ${target}` }), head, progress(at?.fraction ?? 0, `${look} towards ${target}`), about,
    make("div", { className: "looks", children: [...sheetOf(id, sheet), curves(points, at?.steps ?? 0)] }),
  ] });
}

// One small picture a term: their sizes have nothing to do with each other.
function curves(points, steps) {
  const terms = [...new Set(points.flatMap((point) => Object.keys(point.terms)))];
  return make("ul", { className: "curves", children: terms.map((term) => {
    const line = points.filter((point) => term in point.terms).map((point) => [point.step, point.terms[term]]);
    const [first, last] = [line[0][1], line.at(-1)[1]].map((value) => Number(value.toPrecision(3)));
    const name = term.replaceAll("_", " ");
    const words = make("p", { children: [make("span", { text: name }), make("strong", { text: last })] });
    return make("li", { children: [words, curve(line, steps, `Loss ${name}: from ${first} to ${last}`)] });
  }) });
}

function showEnded({ hours, failures }) {
  const marks = hours.filter((_, n) => n % 6 === 0).map((hour) => make("span", { text: minute(hour.at) }));
  const axis = make("p", { className: "axis", "aria-hidden": "true", children: [...marks, make("span", { text: "now" })] });
  element("hours").replaceChildren(bars(hours, minute), axis);
  fill("failures", failures, ({ code, kind: name }) => `${code} ${name}`, (failure) => [
    make("span", { children: [
      make("a", { href: `/problems/${failure.code}`, text: failure.code }), make("small", { children: prose(failure.explanation) }),
    ] }),
    kind(failure.kind), named(count(failure.count), failure.status), `after ${minute(failure.last_at)}`,
    failure.retryable ? "may help" : "would not help",
  ]);
}

function showKeys({ keys, keys_in_all: all }) {
  element("access").hidden = keys === null;
  if (keys === null) return;
  fill("keys", keys, (key) => key.id, (key) => [
    named(key.name, key.id), key.scopes.join(", "), share(key.requests_now, key.quota.requests_per_minute, count),
    share(key.jobs_now, key.quota.jobs_at_once, count), share(key.bytes_now, key.quota.bytes_per_day, bytes), date(key.created_at),
  ]);
  element("keys-more").hidden = all === keys.length;
  element("keys-more").textContent = `The newest ${count(keys.length)} of ${count(all)}; diffam keys list has them all.`;
}

function show(seen) {
  element("what").textContent = `Bundle ${seen.bundle.name} (${seen.bundle.grade}), version ${seen.version}`;
  for (const part of [showTiles, showQueue, showRunning, showWorkers, showTrainings, showEnded, showKeys]) part(seen);
  element("at").textContent = clock(seen.at);
  element("view").hidden = false;
  notice("");
  if (document.hidden) tell("paused", "Paused");
  else tell("live", "Live");
}

// A screen reader says the state when it changes, and not with every look.
function tell(state, words) {
  document.querySelector(".live").dataset.state = state;
  if (element("state").textContent !== words) element("state").textContent = words;
}

function notice(text) {
  if (element("notice").textContent !== text) element("notice").textContent = text;
  element("notice").hidden = !text;
}

async function look() {
  if (isAsking || document.hidden) return;
  clearTimeout(timer);
  isAsking = true;
  let pause = EVERY_MS;
  try {
    show(await readOperations());
  } catch (refused) {
    pause = await refuse(refused);
  }
  isAsking = false;
  timer = setTimeout(look, pause);
}

// After how long to ask again.
async function refuse(refused) {
  if (refused.code === "scope_missing") {
    element("view").hidden = true;
    refusal = "This key may do other things, but not see this: it lacks the scope admin.";
    await askForAnotherKey();
    return 0;
  }
  tell("lost", "No answer");
  if (refused.code === "unreachable") notice("The service cannot be reached. What is shown is as it was last seen.");
  else notice(refused.message);
  return EVERY_MS;
}

useKey(keptKey(), (wasRefused) => {
  element("view").hidden = true;
  element("key-refused").textContent = refusal || "This key is not known here, or was revoked.";
  refusal = "";
  return askForKey(wasRefused);
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) tell("paused", "Paused");
  else look();
});
look();
