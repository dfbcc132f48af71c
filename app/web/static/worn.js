// The looks on the visitor's own face: small pictures, made of a cut-out, of which the service keeps nothing.

import { changes, chosen, isBusy } from "./photos.js";
import { looksOnOffer, showPicture, showPictures } from "./looks.js";
import { makeOnce } from "./service.js";
import { say } from "./texts.js";

const SIDE_PX = 320;
const ROOM = 1.6; // of the face's box: enough around a face for it to be found again
const worn = new Map(); // by file: the addresses of pictures, by look
let isAtWork = false;

export function showWorn(photo) {
  const own = worn.get(photo.file);
  showPictures(own);
  document.getElementById("look-told").textContent = own?.size ? say("looks.own") : "";
}

// Makes what is missing for that photo's face, one at a time, and only while nobody waits for a photo.
export async function wearLooks(photo) {
  if (isAtWork) return;
  isAtWork = true;
  try {
    const face = photo.job.output.faces.find((each) => each.status === "protected");
    if (!face) return;
    if (!worn.has(photo.file)) worn.set(photo.file, new Map());
    keep(photo, photo.look, URL.createObjectURL(await cutOut(photo.result, face.box)));
    const cut = await cutOut(photo.file, face.box);
    for (const look of looksOnOffer()) {
      if (worn.get(photo.file).has(look)) continue;
      await quiet();
      const job = await makeOnce(cut, { reference_id: look, effort: "quick", judges: "none", output_format: "jpeg" });
      if (job.output) keep(photo, look, job.output.photo.url);
    }
  } catch {
    // Nobody asked for these: the pictures of the looks on other people stay where they are.
  } finally {
    isAtWork = false;
  }
}

function keep(photo, look, address) {
  worn.get(photo.file).set(look, address);
  if (chosen()?.file === photo.file) {
    showPicture(look, address);
    document.getElementById("look-told").textContent = say("looks.own");
  }
}

async function quiet() {
  while (isBusy()) await new Promise((go) => changes.addEventListener("change", () => setTimeout(go), { once: true }));
}

// A square around a face. box: x, y, width and height in pixels of the upright photo.
async function cutOut(file, [x, y, width, height]) {
  const photo = await createImageBitmap(file);
  const side = Math.min(ROOM * Math.max(width, height), photo.width, photo.height);
  const left = Math.min(Math.max(0, x + width / 2 - side / 2), photo.width - side);
  const top = Math.min(Math.max(0, y + height / 2 - side / 2), photo.height - side);
  const pixels = Math.round(Math.min(side, SIDE_PX));
  const canvas = Object.assign(document.createElement("canvas"), { width: pixels, height: pixels });
  canvas.getContext("2d").drawImage(photo, left, top, side, side, 0, 0, pixels, pixels);
  photo.close();
  return new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.92));
}
