// The looks on offer, as pictures to choose from; and the form beside them, which is what is wished of a photo.

import { picture, readLooks } from "./service.js";
import { knows, say, share } from "./texts.js";

const element = (id) => document.getElementById(id);
const CANDIDATES = 3;
let looks = [];
const onOthers = new Map(); // the addresses of their own pictures, by look

export const titleOf = (id) => {
  const look = looks.find((each) => each.id === id);
  return knows(`look.${id}`) ? say(`look.${id}`) : look?.title ?? id;
};

export const looksOnOffer = () => looks.map((look) => look.id);

export async function fetchLooks() {
  looks = await readLooks();
  element("looks").replaceChildren(...looks.map((look, place) => choice(look, place === 0)));
  await Promise.allSettled(looks.map(async ({ id, image }) => {
    onOthers.set(id, URL.createObjectURL(await picture(image)));
    showPicture(id, onOthers.get(id));
  }));
}

function choice(look, isFirst) {
  const label = document.createElement("label");
  const radio = Object.assign(document.createElement("input"), {
    type: "radio", name: "reference_id", value: look.id, checked: isFirst, className: "unseen",
  });
  const image = Object.assign(document.createElement("img"), { alt: "", width: 96, height: 96 });
  const title = document.createElement("span");
  title.textContent = titleOf(look.id);
  label.className = "look";
  label.title = look.description;
  label.append(radio, image, title);
  label.dataset.look = look.id;
  return label;
}

export function showPicture(id, address) {
  element("looks").querySelector(`[data-look="${CSS.escape(id)}"] img`).src = address;
}

// Every look on one's own face, as far as there are pictures of it. own: addresses by look.
export function showPictures(own = new Map()) {
  for (const [id, address] of onOthers) showPicture(id, own.get(id) ?? address);
}

export function wireLooks() {
  const strength = element("strength");
  const tellStrength = () => {
    element("strength-told").textContent = share(strength.value / 100);
    strength.disabled = element("auto").checked;
    const falling = document.querySelector("[name=vary][value=strength]");
    falling.disabled = element("auto").checked; // which is one strength, not three
    if (falling.disabled && falling.checked) document.querySelector("[name=vary][value='']").checked = true;
  };
  strength.addEventListener("input", tellStrength);
  element("auto").addEventListener("change", tellStrength);
  tellStrength();
  element("regions").addEventListener("change", ({ target }) => {
    if (!element("regions").querySelector(":checked")) target.checked = true; // make-up nowhere would be none
  });
}

// The fields of POST /v1/jobs that the form says.
export function wishOfForm() {
  const form = new FormData(element("wish"));
  const wish = { reference_id: form.get("reference_id"), output_format: form.get("output_format") };
  if (form.get("effort")) wish.effort = form.get("effort");
  const regions = form.getAll("regions");
  if (regions.length < element("regions").elements.length) wish.regions = regions.join(",");
  if (form.get("vary")) Object.assign(wish, { vary: form.get("vary"), candidates: form.get("vary") === "look" ? Math.min(CANDIDATES, looks.length) : CANDIDATES });
  wish.strength = element("auto").checked ? "auto" : String(element("strength").value / 100);
  return wish;
}
