// Faces over the photo: outlines to click on, and marking by hand those that no search found.

import { chosen, chosenFaces, tell } from "./photos.js";
import { count, knows, say } from "./texts.js";

const NEAREST_PX = 12; // as the service has it: between the eyes of a face that is marked
const WIDEST = 2 / 3; // of the longer side
const STEP = 0.01, FINE_STEP = 0.002; // of the photo's sides, by arrow key

const element = (id) => document.getElementById(id);
const cross = { x: 0.5, y: 0.4 };
let firstEye = null;
let isMarking = false;

export function showFaces(photo) {
  const { faces, marked, width, height } = photo;
  const outlines = [...faces.map((face) => found(photo, face)), ...marked.map((eyes) => byHand(photo, eyes))];
  const focused = [...element("faces").children].indexOf(document.activeElement);
  element("faces").replaceChildren(...outlines);
  if (focused >= 0) element("faces").children[focused]?.focus();
  if (width) element("canvas").style.setProperty("--ratio", `${width} / ${height}`);
  element("mark").hidden = !["ready", "failed"].includes(photo.state) || !width;
  if (element("mark").hidden) endMarking();
  else if (!isMarking) element("faces-told").textContent = told(photo);
  if (photo.state === "looking") element("faces-told").textContent = say("faces.looking");
}

export function whyNot(code) {
  return say(knows(`face.${code}`) ? `face.${code}` : "face.other");
}

function told(photo) {
  const n = photo.faces.length + photo.marked.length;
  if (n === 0) return say("faces.none");
  const inside = chosenFaces(photo);
  return inside === n ? count("faces", n) : say("faces.chosen", { chosen: inside, n });
}

function found(photo, face) {
  const n = face.index + 1;
  const outline = outlined(photo, face.box);
  if (face.code) { // it is shown, and cannot be chosen
    outline.disabled = true;
    outline.classList.add("cannot");
    outline.setAttribute("aria-label", say("faces.cannot", { n, why: whyNot(face.code) }));
    outline.title = outline.getAttribute("aria-label");
    return outline;
  }
  const isIn = !photo.skip.has(face.index);
  outline.setAttribute("aria-pressed", String(isIn));
  outline.setAttribute("aria-label", say("faces.label", { n }));
  outline.title = say(isIn ? "faces.in" : "faces.out", { n });
  outline.addEventListener("click", () => {
    if (!photo.skip.delete(face.index)) photo.skip.add(face.index);
    tell(photo);
  });
  return outline;
}

function byHand(photo, eyes) {
  const [x1, y1, x2, y2] = eyes;
  const apart = Math.hypot(x2 - x1, y2 - y1);
  const box = [(x1 + x2) / 2 - 1.1 * apart, (y1 + y2) / 2 - 0.9 * apart, 2.2 * apart, 2.7 * apart];
  const outline = outlined(photo, box);
  outline.classList.add("by-hand");
  outline.title = say("faces.marked");
  outline.setAttribute("aria-label", say("faces.marked"));
  outline.addEventListener("click", () => {
    photo.marked.splice(photo.marked.indexOf(eyes), 1);
    tell(photo);
  });
  return outline;
}

// A button of the face's size and place. box: x, y, width and height in pixels of the upright photo.
function outlined(photo, [x, y, width, height]) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "face";
  button.disabled = photo.state === "working" || photo.state === "waiting";
  Object.assign(button.style, {
    left: `${(100 * x) / photo.width}%`, top: `${(100 * y) / photo.height}%`,
    width: `${(100 * width) / photo.width}%`, height: `${(100 * height) / photo.height}%`,
  });
  return button;
}

export function wireFaces() {
  element("mark").addEventListener("click", () => (isMarking ? endMarking() : beginMarking()));
  element("aim").addEventListener("pointerdown", (event) => {
    if (event.target === element("crosshair") && event.pointerType === "mouse") return; // its click marks its centre
    const area = element("aim").getBoundingClientRect();
    cross.x = (event.clientX - area.left) / area.width;
    cross.y = (event.clientY - area.top) / area.height;
    event.preventDefault();
    markEye();
  });
  element("crosshair").addEventListener("click", markEye);
  element("crosshair").addEventListener("keydown", moveCross);
}

function beginMarking() {
  isMarking = true;
  firstEye = null;
  element("aim").hidden = false;
  element("mark").textContent = say("mark.end");
  element("mark").setAttribute("aria-pressed", "true");
  element("faces-told").textContent = say("mark.first");
  placeCross();
  element("crosshair").focus();
}

export function endMarking() {
  if (!isMarking) return;
  isMarking = false;
  element("aim").hidden = true;
  element("aim").querySelectorAll(".eye").forEach((eye) => eye.remove());
  element("mark").textContent = say("mark.begin");
  element("mark").setAttribute("aria-pressed", "false");
}

function moveCross(event) {
  const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  if (event.key === "Escape") {
    endMarking();
    element("mark").focus();
  }
  const way = ways[event.key];
  if (!way) return;
  event.preventDefault();
  const step = event.shiftKey ? FINE_STEP : STEP;
  cross.x = Math.min(1, Math.max(0, cross.x + way[0] * step));
  cross.y = Math.min(1, Math.max(0, cross.y + way[1] * step));
  placeCross();
}

function placeCross() {
  const crosshair = element("crosshair");
  Object.assign(crosshair.style, { left: `${100 * cross.x}%`, top: `${100 * cross.y}%` });
  const [x, y] = [cross.x, cross.y].map((part) => Math.round(100 * part));
  crosshair.setAttribute("aria-label", say("mark.cross", { x, y }));
}

function markEye() {
  const photo = chosen();
  placeCross();
  const eye = [cross.x * (photo.width - 1), cross.y * (photo.height - 1)];
  if (!firstEye) {
    firstEye = eye;
    showEye();
    element("faces-told").textContent = say("mark.second");
    return;
  }
  const apart = Math.hypot(eye[0] - firstEye[0], eye[1] - firstEye[1]);
  if (apart < NEAREST_PX || apart > WIDEST * Math.max(photo.width, photo.height)) {
    element("faces-told").textContent = say("mark.close");
    return;
  }
  photo.marked.push([...firstEye, ...eye]);
  if (photo.state === "failed") Object.assign(photo, { state: "ready", error: null });
  endMarking();
  tell(photo);
  element("faces-told").textContent = say("mark.done");
  element("mark").focus();
}

function showEye() {
  const dot = document.createElement("span");
  dot.className = "eye";
  Object.assign(dot.style, { left: `${100 * cross.x}%`, top: `${100 * cross.y}%` });
  element("aim").append(dot);
}
