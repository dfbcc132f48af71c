// The pictures of one job, side by side: the first face that was made up, as it looks in each. One of them is picked:
// it is shown, measured, downloaded and shared.

import { cutOut } from "./cutting.js";
import { titleOf } from "./looks.js";
import { outcomeOf, pick } from "./photos.js";
import { icon, verdictOf } from "./result.js";
import { say, share } from "./texts.js";

const element = (id) => document.getElementById(id);
let offered = null; // the pictures whose buttons these are

export function showCandidates(photo) {
  const { pictures, picked } = photo;
  element("candidates").hidden = pictures.length < 2;
  if (offered !== pictures) element("candidates").replaceChildren(...pictures.map((_, n) => choice(photo, n)));
  offered = pictures;
  [...element("candidates").children].forEach((button, n) => button.setAttribute("aria-pressed", String(n === picked)));
}

function choice(photo, n) {
  const { faces, reference_id: look, strength } = outcomeOf(photo, n);
  const button = Object.assign(document.createElement("button"), { type: "button", className: "candidate" });
  const image = Object.assign(document.createElement("img"), { alt: "" });
  const word = verdictOf(photo, n);
  const verdict = Object.assign(document.createElement("small"), { className: word });
  verdict.append(icon(word === "none" ? "weak" : word), say(`verdict.${word}`));
  const name = strength === "auto" ? titleOf(look) : say("candidates.name", { look: titleOf(look), strength: share(strength) });
  button.append(image, name, verdict);
  button.addEventListener("click", () => pick(photo, n));
  const { box } = faces.find((face) => face.status === "protected") ?? faces[0];
  cutOut(photo.pictures[n].file, box).then((face) => {
    image.src = URL.createObjectURL(face);
    image.addEventListener("load", () => URL.revokeObjectURL(image.src), { once: true });
  });
  return button;
}
