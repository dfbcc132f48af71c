// What the dialog is made of. It lies in a shadow root, so that the page's style does not reach it.

import { count, language, say } from "/page/texts.js";
import { make } from "/widget/pictures.js";
import { sheet } from "/widget/style.js";

const OURS_ALONE = ["click", "pointerdown", "mousedown", "touchstart", "keydown", "keyup", "keypress", "input", "change"];

const button = (className, about = "") => make("button", { type: "button", className: `plain ${className}`, textContent: about && say(about) });

// howMany: photos.
export function built(howMany) {
  const parts = {
    title: make("h2", { id: "title", tabIndex: -1 }),
    told: make("p"),
    bar: make("progress", { max: 1, ariaLabel: count("widget.title", howMany) }),
    stage: make("span", { role: "status" }),
    left: make("span", { className: "quiet" }),
    view: make("div", { className: "view" }),
    list: make("ol", { hidden: true }),
    look: make("select", { id: "look" }),
    use: button("primary"),
    another: button(""),
    cancel: button("", "widget.cancel"),
    original: button("small"),
    leaveOut: button("small", "widget.leave"),
    again: button("small", "failed.again"),
  };
  parts.progress = make("div", {}, parts.bar, make("p", { className: "row" }, parts.stage, parts.left));
  parts.lookRow = make("label", { htmlFor: "look", hidden: true }, say("widget.look"), parts.look);
  parts.decide = make("div", { className: "choices" }, parts.again, parts.original, parts.leaveOut);
  const spoken = make("div", { role: "status" }, parts.title, parts.told);
  const footer = make("div", { className: "choices footer" }, parts.use, parts.another, parts.cancel);
  const values = { service: new URL(import.meta.url).host, site: location.host };
  const promise = make("p", { className: "quiet", textContent: say("widget.promise", values) });
  parts.dialog = make("dialog", { lang: language }, spoken, parts.view, parts.progress, parts.list, parts.lookRow, parts.decide, footer, promise);
  parts.dialog.setAttribute("aria-labelledby", "title");
  parts.host = make("div");
  parts.host.dir = "ltr";
  parts.root = parts.host.attachShadow({ mode: "open" });
  parts.root.adoptedStyleSheets = [sheet];
  parts.root.append(parts.dialog);
  for (const type of OURS_ALONE) parts.host.addEventListener(type, (event) => event.stopPropagation()); // the page has no part in it
  return parts;
}
