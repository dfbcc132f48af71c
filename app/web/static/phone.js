// Where the page is installed, the phone's share sheet offers it: the worker hands over what was shared.

const WORKER = "/service-worker.js";

// `takeIn` is given the files that were shared; `missed` is called where they could not be handed over.
export async function listenToThePhone(takeIn, missed) {
  if (window.top !== window || !navigator.serviceWorker) return; // in a frame, or not on https: no worker
  const registered = navigator.serviceWorker.register(WORKER).catch(() => {}); // the page works without
  if (!new URLSearchParams(location.search).has("shared")) return;
  history.replaceState(null, "", "/");
  const files = await shared();
  if (files.length) takeIn(files);
  else missed();
  await registered;
}

function shared() {
  const worker = navigator.serviceWorker.controller;
  if (!worker) return [];
  const { port1, port2 } = new MessageChannel();
  worker.postMessage("shared", [port2]);
  return new Promise((take) => { port1.onmessage = ({ data }) => take(data); });
}
