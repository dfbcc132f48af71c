// Somebody chose photos for a page of others: they are protected while this dialog tells how far it is, shows before and
// after, and asks what is to be done where it failed.

import { changes, pictureNow } from "/page/photos.js";
import { sentenceOf } from "/page/problems.js";
import { leftOf, stageOf } from "/page/progress.js";
import { verdictOf } from "/page/result.js";
import { readLooks, useKey } from "/page/service.js";
import { count, knows, say, seconds } from "/page/texts.js";
import { isPicture, named } from "/widget/files.js";
import { built } from "/widget/parts.js";
import { compared, drawn, icon, make } from "/widget/pictures.js";
import { fail, isAtWork, leave, listedFor, send, wishOf } from "/widget/protecting.js";

const TICK_MS = 500;
const THUMB_PX = 200;

// What the input may send of these files, in their order, each with whether it is protected; null: nothing. What is no
// picture goes as it came. `onFailed` is told of each photo that could not be protected.
export async function protectFiles(input, files, onFailed) {
  const pictures = [];
  for (const file of files) if (await isPicture(file)) pictures.push(file);
  const chosen = pictures.length ? await converse(input, pictures, onFailed) : new Map();
  return chosen && files.flatMap((file) => {
    if (!pictures.includes(file)) return { file, protected: false };
    return chosen.get(file) ?? [];
  });
}

// By file, what goes into the input in its place; null where the dialog was canceled.
async function converse(input, files, onFailed) {
  useKey(input.dataset.diffamKey || null);
  const talk = { parts: built(files.length), photos: files.map(listedFor), wish: wishOf(input), shown: {} };
  [talk.current] = talk.photos;
  const { dialog, host } = talk.parts;
  const onChange = ({ detail: photo }) => talk.photos.includes(photo) && changed(talk, photo, onFailed);
  changes.addEventListener("change", onChange);
  document.documentElement.append(host);
  dialog.showModal();
  let ticking = null;
  const answer = await new Promise((resolve) => {
    ticking = setInterval(() => (host.isConnected ? show(talk) : resolve(false)), TICK_MS); // the page may take it away
    wire(talk, input, resolve);
    begin(talk);
  });
  clearInterval(ticking);
  changes.removeEventListener("change", onChange);
  const outcome = answer ? new Map(talk.photos.filter(isTaken).map((photo) => [photo.file, outcomeOf(photo)])) : null;
  talk.photos.forEach(leave);
  host.remove();
  return outcome;
}

// `choice` is the person's word, "original" or "left"; without one, what could be protected is taken.
const isDecided = ({ choice, state }) => Boolean(choice) || state === "done";
const isTaken = (photo) => isDecided(photo) && photo.choice !== "left";

function outcomeOf(photo) {
  if (photo.choice === "original") return { file: photo.file, protected: false };
  return { file: named(pictureNow(photo).file, photo.file), protected: true, verdict: verdictOf(photo) };
}

async function begin(talk) {
  show(talk);
  try {
    if (!talk.wish.reference_id) offer(talk, await readLooks());
  } catch (error) {
    talk.photos.forEach((photo) => fail(photo, error));
    return;
  }
  for (const photo of talk.photos) send(photo, talk.wish);
}

// The input leaves the look to whoever uses it: the first one, until they choose another.
function offer(talk, looks) {
  const titles = looks.map(({ id, title }) => make("option", { value: id, textContent: knows(`look.${id}`) ? say(`look.${id}`) : title }));
  talk.wish.reference_id = looks[0].id;
  talk.parts.look.replaceChildren(...titles);
  talk.parts.lookRow.hidden = false;
}

function changeLook(talk, reference_id) {
  const place = talk.photos.indexOf(talk.current);
  const { photos } = talk;
  talk.wish = { ...talk.wish, reference_id };
  photos.forEach(leave);
  talk.photos = photos.map(({ file, choice }) => Object.assign(listedFor(file), { choice }));
  talk.current = talk.photos[place];
  for (const photo of talk.photos) send(photo, talk.wish);
}

function wire(talk, input, resolve) {
  const { dialog, use, another, cancel, original, leaveOut, again, look } = talk.parts;
  const over = (answer) => {
    resolve(answer);
    dialog.close();
  };
  const decide = (choice) => {
    const { current, photos } = talk;
    current.choice = current.choice === choice ? null : choice;
    if (photos.length === 1) over(true);
    else show(talk);
  };
  dialog.addEventListener("close", () => resolve(false)); // Escape; later than an answer it changes nothing
  use.addEventListener("click", () => over(true));
  cancel.addEventListener("click", () => over(false));
  another.addEventListener("click", () => {
    over(false);
    input.click();
  });
  original.addEventListener("click", () => decide("original"));
  leaveOut.addEventListener("click", () => decide("left"));
  again.addEventListener("click", () => {
    talk.current.choice = null;
    send(talk.current, talk.wish);
  });
  look.addEventListener("change", () => changeLook(talk, look.value));
}

function changed(talk, photo, onFailed) {
  if (photo.state !== photo.lastState) {
    photo.lastState = photo.state;
    if (photo.state === "failed") onFailed({ name: photo.name, code: photo.error.code, message: photo.error.message });
    if (photo.state === "failed" && talk.photos.every((each) => each === photo || !isAtWork(each))) talk.current = photo;
  }
  show(talk);
}

function show(talk) {
  const { parts, current, shown } = talk;
  const { state } = current;
  if (shown.photo !== current || shown.state !== state) {
    talk.shown = { photo: current, state };
    sayState(talk);
    showPicture(talk);
  }
  parts.progress.hidden = state === "done" || state === "failed";
  if (!parts.progress.hidden) showProgress(parts, current);
  showList(talk);
  showChoices(talk);
  if (!parts.dialog.contains(parts.root.activeElement) || !parts.root.activeElement.checkVisibility()) parts.title.focus();
}

function sayState({ parts, photos, current }) {
  const { state } = current;
  const word = state === "done" ? verdictOf(current) : "";
  parts.title.dataset.word = word || (state === "failed" ? "weak" : "");
  if (state === "done") parts.title.replaceChildren(icon(word), say(`verdict.${word}`));
  else parts.title.textContent = state === "failed" ? say("widget.failed") : count("widget.title", photos.length);
  parts.told.textContent = { done: () => say(`verdict.${word}.told`), failed: () => why(current.error) }[state]?.() ?? "";
  parts.bar.removeAttribute("value");
}

const why = (error) => (knows(`widget.problem.${error.code}`) ? say(`widget.problem.${error.code}`) : sentenceOf(error));

async function showPicture(talk) {
  const { current: photo, parts } = talk;
  const { state } = photo;
  const before = await drawn(photo.file, say("photo.alt"));
  const after = state === "done" && await drawn(pictureNow(photo).file, say("compare.after"));
  if (talk.current !== photo || photo.state !== state) return; // another one is shown meanwhile
  if (after && before) parts.view.replaceChildren(compared(before, after));
  else parts.view.replaceChildren(after || before || make("p", { className: "quiet", textContent: say("photo.unseen") }));
}

function showProgress(parts, photo) {
  const { left, done } = leftOf(photo);
  if (photo.event?.progress) parts.bar.value = Math.max(parts.bar.value || 0, Math.min(0.99, done));
  const stage = stageOf(photo);
  if (parts.stage.textContent !== stage) parts.stage.textContent = stage; // else it would be read out again
  parts.left.textContent = left === null || photo.state !== "working" ? "" : say("progress.left", { time: seconds(left) });
}

function showList(talk) {
  const { parts, photos, current } = talk;
  if (photos.length === 1) return;
  parts.list.hidden = false;
  if (!parts.list.children.length) {
    parts.list.replaceChildren(...photos.map((_, n) => item(talk, n)));
    showThumbs(talk);
  }
  photos.forEach((photo, n) => {
    const button = parts.list.children[n].firstChild;
    const told = say({ original: "widget.is_original", left: "widget.is_left" }[photo.choice] ?? `state.${photo.state}`);
    button.setAttribute("aria-label", say("album.photo", { name: photo.name, state: told }));
    button.setAttribute("aria-current", String(photo === current));
    button.lastChild.textContent = told;
  });
}

// One after the other: a hundred large photos at once would not fit into a phone.
async function showThumbs({ parts, photos }) {
  for (const [n, { file }] of photos.entries()) {
    const thumb = await drawn(file, "", THUMB_PX);
    if (thumb) parts.list.children[n].firstChild.firstChild.replaceWith(thumb);
  }
}

function item(talk, n) {
  const button = make("button", { type: "button", className: "photo" }, make("span", { className: "blank" }), make("span"));
  button.addEventListener("click", () => {
    talk.current = talk.photos[n];
    show(talk);
  });
  return make("li", {}, button);
}

function showChoices({ parts, photos, current }) {
  const { state, choice, error } = current;
  const isSingle = photos.length === 1;
  const taken = photos.filter(isTaken).length;
  parts.decide.hidden = !["done", "failed"].includes(state);
  parts.original.textContent = say(state === "failed" ? "widget.anyway" : "widget.original");
  parts.again.hidden = state !== "failed" || error.code === "film";
  parts.leaveOut.hidden = isSingle;
  if (!isSingle) {
    parts.original.setAttribute("aria-pressed", String(choice === "original"));
    parts.leaveOut.setAttribute("aria-pressed", String(choice === "left"));
  }
  parts.use.hidden = isSingle && !taken;
  parts.use.disabled = !taken || !photos.every(isDecided);
  parts.use.textContent = count("widget.use", taken || photos.length);
  parts.another.textContent = count("widget.another", photos.length);
  parts.another.classList.toggle("primary", isSingle && state === "failed");
}
