// The page: takes photos in, shows the chosen one as it stands, and lets each button do its one thing.

import { download, showAlbum, wireAlbum } from "./album.js";
import { showCandidates } from "./candidates.js";
import { endMarking, showFaces, wireFaces } from "./faces.js";
import { askForKey, keptKey } from "./key.js";
import { fetchLooks, wireLooks, wishOfForm } from "./looks.js";
import { listenToThePhone } from "./phone.js";
import { add, changes, choose, chosen, chosenFaces, copyOf, erase, limits, look, photos, protect, stop, tell } from "./photos.js";
import { sentenceOf } from "./problems.js";
import { learn, showProgress } from "./progress.js";
import { fileOf, showComparison, showResult, wireComparison } from "./result.js";
import { readLimits, useKey } from "./service.js";
import { clock, say } from "./texts.js";
import { showWorn, wearLooks } from "./worn.js";

const element = (id) => document.getElementById(id);
const AT_WORK = ["waiting", "working"];
let shown = { photo: null, state: null, picked: 0 };

function takeIn(files) {
  const added = [...files].map((file) => add(file));
  if (!added.length) return;
  element("start").hidden = true;
  element("work").hidden = false;
  notice("");
  choose(added[0]);
  element("picture-title").focus({ preventScroll: true });
  window.scrollTo({ top: 0 });
}

function notice(text) {
  element("notice").textContent = text;
  element("notice").hidden = !text;
}

function show(photo) {
  const { state, picked } = photo;
  const isNew = shown.photo !== photo || shown.state !== state;
  if (isNew) endMarking();
  element("work").dataset.state = state;
  element("picture-title").textContent = photo.name;
  element("after").hidden = state !== "done";
  element("before").hidden = state === "done";
  if (isNew && element("photo").getAttribute("src") !== photo.url) element("photo").src = photo.url;
  for (const id of ["progress", "result", "erased", "failed", "wish"]) element(id).hidden = !parts(state).includes(id);
  if (state !== "done" && (isNew || !AT_WORK.includes(state))) showFaces(photo);
  if (AT_WORK.includes(state)) showProgress(photo);
  if (shown.photo !== photo) showWorn(photo);
  if (isNew) showState(photo);
  if (state === "done" && (isNew || shown.picked !== picked)) showPicked(photo);
  showSend(photo);
  if (isNew && shown.photo === photo) moveFocus(state);
  shown = { photo, state, picked };
}

function parts(state) {
  if (AT_WORK.includes(state)) return ["progress"];
  return { done: ["result", "wish"], erased: ["erased", "wish"], failed: ["failed", "wish"] }[state] ?? ["wish"];
}

function showState(photo) {
  element("looks-title").textContent = say(photo.state === "done" ? "looks.again" : "looks.title");
  if (AT_WORK.includes(photo.state)) element("bar").removeAttribute("value");
  if (photo.state === "done") showComparison(photo);
  if (photo.state === "failed") element("why").textContent = sentenceOf(photo.error);
  if (photo.state === "erased") showProof(photo.proof);
}

function showPicked(photo) {
  showCandidates(photo);
  showResult(photo);
}

function showProof({ id, status, at }) {
  element("proof").textContent = say("erased.proof", { time: clock(at), status: status === 410 ? "410 Gone" : status });
  Object.assign(element("see"), { href: `/v1/jobs/${id}`, hidden: Boolean(keptKey()) });
}

function showSend(photo) {
  const ready = photos.filter((each) => each.state === "ready");
  const isReady = photo.state === "ready";
  element("protect").textContent = say(photo.state === "done" ? "protect.again" : "protect.one");
  element("protect").disabled = photo.state === "looking";
  element("protect").hidden = photo.state === "failed"; // "Try again" is there
  element("protect-all").hidden = ready.length < 2;
  element("protect-all").textContent = say("protect.all", { n: ready.length });
  element("another").hidden = isReady || photo.state === "looking" || photos.length > 1;
}

// To what is new: where the keyboard was is hidden now, and a screen reader begins there.
function moveFocus(state) {
  const at = document.activeElement;
  const titles = { waiting: "progress-title", working: "progress-title", done: "verdict", failed: "failed-title", erased: "erased-title" };
  if (titles[state] && (!at || at === document.body || !at.checkVisibility())) element(titles[state]).focus();
}

function send(photo) {
  if (chosenFaces(photo) === 0 && photo.faces.length) {
    element("faces-told").textContent = say("problem.none_chosen");
    return;
  }
  protect(photo, wishOfForm());
}

function wireIntake() {
  for (const id of ["choose", "take", "more-photos", "choose-another"]) {
    element(id).addEventListener("change", ({ target }) => {
      takeIn(target.files);
      target.value = "";
    });
  }
  document.addEventListener("paste", (event) => takeIn(event.clipboardData.files));
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    element("dropping").hidden = false;
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) element("dropping").hidden = true;
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    element("dropping").hidden = true;
    takeIn(event.dataTransfer.files);
  });
}

function wireButtons() {
  element("wish").addEventListener("submit", (event) => {
    event.preventDefault();
    if (chosen().state === "done") choose(copyOf(chosen())); // what is done stays in the list
    send(chosen());
  });
  element("protect-all").addEventListener("click", () => photos.filter((each) => each.state === "ready").forEach(send));
  element("cancel").addEventListener("click", () => stop(chosen()));
  element("again").addEventListener("click", () => retry(chosen()));
  element("download").addEventListener("click", (event) => {
    event.preventDefault();
    download(chosen());
  });
  element("share").addEventListener("click", () => share(chosen()));
  element("erase").addEventListener("click", () => erase(chosen()).catch((error) => notice(sentenceOf(error))));
}

function retry(photo) {
  if (photo.wish) protect(photo, wishOfForm());
  else look(photo);
}

async function share(photo) {
  try {
    await navigator.share({ files: [fileOf(photo)] });
    photo.isTaken = true;
  } catch (error) {
    if (error.name !== "AbortError") notice(sentenceOf(error)); // the visitor changed their mind
  }
}

// Leaving would lose these: what is at work, and what is done and was neither downloaded, shared nor deleted.
function wireLeaving() {
  window.addEventListener("beforeunload", (event) => {
    if (photos.some((photo) => AT_WORK.includes(photo.state) || (photo.state === "done" && !photo.isTaken))) event.preventDefault();
  });
}

async function begin() {
  useKey(keptKey(), askForKey);
  for (const wire of [wireIntake, wireButtons, wireFaces, wireLooks, wireLeaving]) wire();
  wireComparison(chosen);
  wireAlbum((error) => notice(sentenceOf(error)));
  element("photo").addEventListener("load", () => { element("unseen-photo").hidden = true; });
  element("photo").addEventListener("error", () => { element("unseen-photo").hidden = false; });
  changes.addEventListener("change", ({ detail: photo }) => {
    if (photo.state === "done" && !photo.isKnown) {
      photo.isKnown = true;
      if (photo.pictures.length === 1) learn(photo.job);
      setTimeout(wearLooks, 0, photo); // once its place among those at work is free
    }
    if (photo === chosen()) show(photo);
    else if (chosen()) showSend(chosen());
    showAlbum();
  });
  setInterval(() => photos.filter((photo) => photo.state === "working").forEach(tell), 500);
  listenToThePhone(takeIn, () => notice(say("share.missed")));
  try {
    limits.current = await readLimits();
    await fetchLooks();
  } catch (error) {
    notice(sentenceOf(error));
  }
}

begin();
