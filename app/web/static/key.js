// Asks for a key where the service wants one, and keeps it in this tab's sessionStorage alone.

const KEY = "diffam-key";

const element = (id) => document.getElementById(id);

export const keptKey = () => sessionStorage.getItem(KEY);

export function askForKey(wasRefused) {
  const dialog = element("key");
  element("key-refused").hidden = !wasRefused;
  element("key-field").value = "";
  dialog.showModal();
  dialog.oncancel = (event) => event.preventDefault(); // nothing can be done without one
  return new Promise((resolve) => {
    dialog.onclose = () => {
      sessionStorage.setItem(KEY, element("key-field").value.trim());
      resolve(keptKey());
    };
  });
}
