// What page and widget say, in the language of the page that they are on, or the nearest that there is.

const asked = document.documentElement.lang || navigator.language;
const answer = await fetch(new URL(`languages/${encodeURIComponent(asked)}.json`, import.meta.url));
const texts = await answer.json();
export const language = answer.headers.get("Content-Language");

// The text about something, with values in the place of {names}; a text that is not there is `otherwise`.
export function say(about, values = {}, otherwise = about) {
  const text = texts[about] ?? otherwise;
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

export const knows = (about) => about in texts;

// Of what there is one or more: `about.one`, or `about.other` with {n}.
export const count = (about, n) => say(`${about}.${n === 1 ? "one" : "other"}`, { n });

export function seconds(n) {
  return n < 90 ? say("time.s", { n: Math.max(1, Math.round(n)) }) : say("time.min", { n: Math.round(n / 60) });
}

export function clock(date) {
  return new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit" }).format(date);
}

export function share(number) {
  return new Intl.NumberFormat(language, { style: "percent" }).format(number);
}
