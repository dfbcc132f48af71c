// How styles in training look. <img> cannot send a key, so each sheet is fetched, once, and shown from memory.

import { picture } from "../service.js";
import { make } from "./table.js";

const known = new Map();

export function sheetOf(id, sheet) {
  if (!sheet) return [];
  const shown = known.get(id) ?? { image: make("img", { alt: "" }), caption: make("figcaption", { className: "quiet" }), step: null };
  known.set(id, shown);
  if (shown.step !== sheet.step) {
    shown.step = sheet.step;
    fetchSheet(shown, sheet).catch(() => { shown.step = null; }); // the next look tries again
  }
  return [make("figure", { children: [shown.image, shown.caption] })];
}

async function fetchSheet({ image, caption }, { url, step }) {
  const address = URL.createObjectURL(await picture(url));
  URL.revokeObjectURL(image.src);
  image.src = address;
  image.alt = `Drawn people, and below them the same in the style after step ${step}`;
  caption.textContent = `Drawn people as they are, and in the style after step ${step}`;
}
