// The list of photos, a job each: which is shown, how far each is, and what can be done with all of them.

import { choose, chosen, erase, photos, pictureNow } from "./photos.js";
import { fileOf } from "./result.js";
import { titleOf } from "./looks.js";
import { leftOf } from "./progress.js";
import { say } from "./texts.js";

const element = (id) => document.getElementById(id);
const items = new Map();
const inState = (state) => photos.filter((photo) => photo.state === state);

export function showAlbum() {
  element("album").hidden = photos.length < 2;
  for (const photo of photos) showItem(photo);
  element("download-all").hidden = element("erase-all").hidden = inState("done").length < 2;
}

function showItem(photo) {
  if (!items.has(photo)) items.set(photo, newItem(photo));
  const item = items.get(photo);
  const state = say(`state.${photo.state}`);
  const values = { name: photo.name, look: photo.look && titleOf(photo.look), state };
  item.button.setAttribute("aria-label", say(photo.look ? "album.job" : "album.photo", values));
  item.button.setAttribute("aria-current", String(photo === chosen()));
  item.button.dataset.state = photo.state;
  item.image.src = pictureNow(photo)?.url ?? photo.url;
  item.state.textContent = photo.look ? `${values.look} · ${state}` : state;
  item.bar.hidden = photo.state !== "working";
  item.bar.value = Math.max(0, leftOf(photo).done);
}

function newItem(photo) {
  const make = (tag, className = "") => Object.assign(document.createElement(tag), { className });
  const [place, button, image, state, bar] = ["li", "button", "img", "span", "progress"].map((tag) => make(tag));
  Object.assign(button, { type: "button", className: "job" });
  Object.assign(image, { alt: "", loading: "lazy" });
  Object.assign(bar, { max: 1, ariaHidden: "true" });
  button.append(image, state, bar);
  button.addEventListener("click", () => choose(photo));
  place.append(button);
  element("jobs").append(place);
  return { button, image, state, bar };
}

export function download(photo) {
  const file = fileOf(photo);
  Object.assign(document.createElement("a"), { href: pictureNow(photo).url, download: file.name }).click();
  photo.isTaken = true;
}

export function wireAlbum(onError) {
  element("download-all").addEventListener("click", () => inState("done").forEach(download));
  element("erase-all").addEventListener("click", () => Promise.all(inState("done").map(erase)).catch(onError));
}
