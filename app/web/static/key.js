// Asks for a key where the service wants one. service.js keeps it, in this tab's sessionStorage alone.

const element = (id) => document.getElementById(id);

export function askForKey(wasRefused) {
  const dialog = element("key");
  element("key-refused").hidden = !wasRefused;
  element("key-field").value = "";
  dialog.showModal();
  dialog.oncancel = (event) => event.preventDefault(); // nothing can be done without one
  return new Promise((resolve) => {
    dialog.onclose = () => resolve(element("key-field").value.trim());
  });
}
