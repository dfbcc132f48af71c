// How numbers, spans of time and names are told.

const number = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const time = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const hour = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });

const KINDS = { protect: "Photos", detect: "Faces to find", finetune: "Looks and styles" };
const STAGES = {
  detect: "finding faces", invert: "reading the face", make_up: "putting on make-up", composite: "blending in", refine: "refining",
  score: "measuring", load: "loading models", remove_makeup: "taking make-up off", fine_tune: "fine-tuning",
};

export const NOTHING = "–";
export const count = (n) => number.format(n);
export const several = (n, word) => `${count(n)} ${word}${n === 1 ? "" : "s"}`;
export const kind = (name) => KINDS[name] ?? name;
export const stage = (name) => STAGES[name] ?? name;
export const clock = (moment) => time.format(new Date(moment));
export const minute = (moment) => hour.format(new Date(moment));
export const date = (moment) => day.format(new Date(moment));

// The largest unit in which it is readable; what is not known is a dash.
export function lasting(seconds) {
  if (seconds === null || seconds === undefined) return NOTHING;
  if (seconds < 10) return `${count(seconds)} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${count(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

export function bytes(n) {
  if (n >= 1e9) return `${count(n / 1e9)} GB`;
  if (n >= 1e6) return `${count(n / 1e6)} MB`;
  return n ? `${count(n / 1e3)} kB` : "0";
}
