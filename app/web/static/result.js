// What came of a photo: before and after, the verdict, what each recogniser makes of it, and how long it is kept.

import { whyNot } from "./faces.js";
import { outcomeOf, pictureNow } from "./photos.js";
import { clock, knows, say } from "./texts.js";

const element = (id) => document.getElementById(id);
const WORST_FIRST = ["weak", "partial", "strong"];

export function showComparison(photo) {
  element("original").src = photo.url;
  const { width, height } = outcomeOf(photo).photo;
  element("frame").style.setProperty("--ratio", `${width} / ${height}`);
  element("slider").value = 50;
  tellSlider();
  zoom(1);
}

export function wireComparison(chosen) {
  element("slider").addEventListener("slide", tellSlider);
  // A photo that this browser cannot show has no before: the result is shown alone.
  element("original").addEventListener("error", () => { element("slider").value = 0; });
  element("zoom").addEventListener("click", (event) => {
    if (event.target.value) zoom(Number(event.target.value), chosen());
  });
}

function tellSlider() {
  element("slider").setAttribute("aria-valuenow", String(Math.round(element("slider").value)));
}

// Enlarges the comparison, with the largest face in the middle.
function zoom(times, photo) {
  for (const button of element("zoom").children) button.setAttribute("aria-pressed", String(Number(button.value) === times));
  element("slider").style.setProperty("--zoom", String(times));
  if (!photo || times === 1) return;
  const { faces: [{ box }], photo: { width, height } } = outcomeOf(photo);
  const frame = element("frame");
  frame.scrollLeft = ((box[0] + box[2] / 2) / width) * frame.scrollWidth - frame.clientWidth / 2;
  frame.scrollTop = ((box[1] + box[3] / 2) / height) * frame.scrollHeight - frame.clientHeight / 2;
}

export function verdictOf(photo, n = photo.picked) {
  const words = outcomeOf(photo, n).faces.filter((face) => face.verdict).map((face) => face.verdict.word);
  return WORST_FIRST.find((word) => words.includes(word)) ?? "none";
}

export function showResult(photo) {
  if (element("protected").src !== pictureNow(photo).url) element("protected").src = pictureNow(photo).url;
  const word = verdictOf(photo);
  element("verdict").replaceChildren(icon(word === "none" ? "weak" : word), say(`verdict.${word}`));
  element("result").dataset.word = word;
  element("verdict-told").textContent = say(`verdict.${word}.told`);
  const file = fileOf(photo);
  Object.assign(element("download"), { href: pictureNow(photo).url, download: file.name });
  element("share").hidden = !navigator.canShare?.({ files: [file] });
  element("kept").textContent = say("result.kept", { time: clock(new Date(photo.job.expires_at)) });
  element("grade").textContent = say(`grade.${photo.job.bundle.grade}`, {}, "");
  const { faces } = outcomeOf(photo);
  element("reports").replaceChildren(...faces.map((face) => reportOf(face, faces.length, photo.job)));
}

export function fileOf(photo) {
  const { media_type } = outcomeOf(photo).photo;
  const name = say("result.name", { name: photo.name.replace(/\.[^.]*$/, "") || "photo" });
  return new File([pictureNow(photo).file], `${name}.${media_type.slice(6).replace("jpeg", "jpg")}`, { type: media_type });
}

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `/page/icons.svg#${name}`);
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

function paragraph(text, className = "") {
  return Object.assign(document.createElement("p"), { textContent: text, className });
}

// What was measured is told of what was made so: a quick picture is make-up alone.
const isAsMeasured = ({ bundle, input }) => bundle.grade === "measured" && input.effort !== "quick";

function reportOf(face, howMany, job) {
  const n = face.index + 1;
  if (face.status !== "protected") return paragraph(say("face.alone", { n, why: whyNot(face.code) }), "quiet");
  const report = document.createElement("section");
  const seen = face.judges.length ? face.judges : face.recognisers;
  const hidden = seen.filter((each) => each.dodged).length;
  const title = document.createElement("h3");
  title.textContent = howMany > 1 ? say("faces.label", { n }) : say("chart.title");
  report.append(title, paragraph(say("verdict.count", { hidden, n: seen.length })), chart(seen), paragraph(say("chart.bar"), "quiet"), paragraph(say("verdict.same"), "quiet"));
  if (isAsMeasured(job)) report.append(paragraph(say("verdict.another"), "quiet"));
  return report;
}

function chart(seen) {
  const table = document.createElement("table");
  const head = table.createTHead().insertRow();
  for (const about of ["recogniser", "likeness", "answer"]) {
    const cell = Object.assign(document.createElement("th"), { scope: "col", textContent: say(`chart.${about}`) });
    head.append(cell);
  }
  const body = table.createTBody();
  for (const each of seen) body.append(row(each));
  return table;
}

function row(each) {
  const line = document.createElement("tr");
  const threshold = each["threshold_far_0.01"];
  const name = Object.assign(document.createElement("th"), { scope: "row" });
  name.append(knows(`recogniser.${each.name}`) ? say(`recogniser.${each.name}`) : each.stands_for ?? each.name);
  const role = each.role === "surrogate" ? "chart.attacked" : "chart.held_out";
  name.append(Object.assign(document.createElement("small"), { textContent: say(role) }));
  const likeness = document.createElement("td");
  const bar = document.createElement("span");
  bar.className = `likeness ${each.dodged ? "lost" : "knows"}`;
  bar.setAttribute("role", "img");
  bar.setAttribute("aria-label", say("chart.value", { match: each.own_match.toFixed(2), threshold: threshold.toFixed(2) }));
  bar.title = bar.getAttribute("aria-label");
  bar.style.setProperty("--match", `${100 * placed(each.own_match, threshold)}%`);
  likeness.append(bar);
  const answer = document.createElement("td");
  answer.className = each.dodged ? "lost" : "knows";
  answer.append(icon(each.dodged ? "yes" : "no"), say(each.dodged ? "chart.lost" : "chart.knows"));
  line.append(name, likeness, answer);
  return line;
}

// Where a likeness stands between 0 and 1 when every recogniser's threshold is drawn at a half.
function placed(match, threshold) {
  const place = match < threshold ? (0.5 * match) / threshold : 0.5 + (0.5 * (match - threshold)) / (1 - threshold);
  return Math.min(1, Math.max(0.02, place));
}
