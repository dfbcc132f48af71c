// Two things alone: the page itself opens without a network, and takes what the phone shares with it.
// No photo and no answer of the API ever lies in its cache: what is not named here passes it by.

const SHELL = "shell";
const HELD_MS = 60_000;
const FILES = [
  "album.js", "candidates.js", "cutting.js", "faces.js", "icon.svg", "icons-check.svg", "icons-cross.svg", "icons.svg", "key.js",
  "looks.js", "page.css", "page.js", "phone.js", "photos.js", "problems.js", "progress.js", "result.js", "service.js", "texts.js", "worn.js",
  "vendor/img-comparison-slider-8.0.7.js",
];

let held = []; // in memory until the page asks, and for a minute at most
let release = () => {};

self.addEventListener("install", (event) => {
  self.skipWaiting();
  event.waitUntil(keepShell());
});
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  const { method, url } = event.request;
  const { origin, pathname } = new URL(url);
  if (origin !== self.location.origin) return;
  if (method === "POST" && pathname === "/share") event.respondWith(receive(event));
  if (method === "GET" && (pathname === "/" || pathname.startsWith("/page/"))) event.respondWith(shell(event.request));
});

self.addEventListener("message", ({ data, ports }) => {
  if (data !== "shared") return;
  ports[0].postMessage(held);
  held = [];
  release();
});

async function keepShell() {
  const cache = await caches.open(SHELL);
  const page = await fetch("/");
  const [, language] = (await page.clone().text()).match(/<html lang="([\w-]+)"/);
  await cache.put("/", page);
  await cache.addAll([...FILES, `languages/${language}.json`].map((name) => `/page/${name}`));
}

// As the service has it; without it, as it was last seen.
async function shell(request) {
  const cache = await caches.open(SHELL);
  const { pathname } = new URL(request.url);
  try {
    const answer = await fetch(request);
    if (answer.ok) await cache.put(pathname, answer.clone());
    return answer;
  } catch (error) {
    const kept = await cache.match(pathname, { ignoreVary: true });
    if (kept) return kept;
    throw error;
  }
}

async function receive(event) {
  held = (await event.request.formData()).getAll("photo");
  const asked = new Promise((resolve) => { release = resolve; });
  const waited = new Promise((resolve) => { setTimeout(resolve, HELD_MS); });
  event.waitUntil(Promise.race([asked, waited]).then(() => { held = []; })); // else the browser may end this worker
  return Response.redirect("/?shared", 303);
}
