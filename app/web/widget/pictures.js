// Pictures on canvases: these need no address, so a page's policy has nothing to say about them.

import { say } from "/page/texts.js";

const SIDE_PX = 1024;
const NAMESPACE = "http://www.w3.org/2000/svg";
const SHIELD = "M12 3l7.5 3v5.5c0 4.5-3 8-7.5 9.500-4.5-1.5-7.5-5-7.5-9.500V6z";
const EYE = "M2.5 12S6 6 12 6s9.5 6 9.5 6-3.5 6-9.5 6-9.500-6-9.500-6zM12 9.200a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 1 0 0-5.6z";
const SHAPES = { strong: `${SHIELD}M8.5 12l2.5 2.5 4.5-5`, partial: `${SHIELD}M8.5 12h7`, weak: EYE, none: EYE };

export function make(tag, values = {}, ...children) {
  const element = Object.assign(document.createElement(tag), values);
  element.append(...children);
  return element;
}

export function icon(word) {
  const svg = document.createElementNS(NAMESPACE, "svg");
  const path = document.createElementNS(NAMESPACE, "path");
  path.setAttribute("d", SHAPES[word]);
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.append(path);
  return svg;
}

// A canvas with the picture, none of its sides longer than `side`; null where this browser cannot read the format.
export async function drawn(file, label, side = SIDE_PX) {
  const picture = await createImageBitmap(file).catch(() => null);
  if (!picture) return null;
  const scale = Math.min(1, side / Math.max(picture.width, picture.height));
  const canvas = make("canvas", { width: Math.ceil(picture.width * scale), height: Math.ceil(picture.height * scale) });
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close();
  if (label) {
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", label);
  } else {
    canvas.setAttribute("aria-hidden", "true");
  }
  return canvas;
}

// Before on the left of a line, after on its right. The line is a slider, so mouse, finger and keyboard move it.
export function compared(before, after) {
  const frame = make("div", { className: "compared" });
  const slider = make("input", { type: "range", min: 0, max: 100, value: 50, ariaLabel: say("compare.slider") });
  const move = () => frame.style.setProperty("--line", `${slider.value}%`);
  slider.addEventListener("input", move);
  move();
  before.className = "before";
  const labels = ["before", "after"].map((word) => {
    const label = make("span", { className: `label ${word}`, textContent: say(`compare.${word}`) });
    label.setAttribute("aria-hidden", "true");
    return label;
  });
  frame.append(after, before, make("span", { className: "line" }), ...labels, slider);
  return frame;
}
