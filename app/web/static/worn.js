// The looks on the visitor's own face: small pictures, made of a cut-out, of which the service keeps nothing.

import { cutOut } from "./cutting.js";
import { changes, chosen, isBusy } from "./photos.js";
import { looksOnOffer, showPicture, showPictures } from "./looks.js";
import { makeOnce } from "./service.js";
import { say } from "./texts.js";

const worn = new Map(); // by file: the addresses of pictures, by look
let last = Promise.resolve(); // photo after photo

export function showWorn(photo) {
  const own = worn.get(photo.file);
  showPictures(own);
  document.getElementById("look-told").textContent = own?.size ? say("looks.own") : "";
}

// Makes what is missing for that photo's face, one at a time, and only while nobody waits for a photo.
export function wearLooks(photo) {
  last = last.then(() => wear(photo));
}

async function wear(photo) {
  try {
    const face = photo.job.output.faces.find((each) => each.status === "protected");
    if (!face) return;
    if (!worn.has(photo.file)) worn.set(photo.file, new Map());
    keep(photo, photo.look, URL.createObjectURL(await cutOut(photo.pictures[0].file, face.box)));
    const cut = await cutOut(photo.file, face.box);
    for (const look of looksOnOffer()) {
      if (worn.get(photo.file).has(look)) continue;
      await quiet();
      const job = await makeOnce(cut, { reference_id: look, effort: "quick", judges: "none", output_format: "jpeg" });
      if (job.output) keep(photo, look, job.output.photo.url);
    }
  } catch {
    // Nobody asked for these: the pictures of the looks on other people stay where they are.
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
