// Tables that change only where their rows did: whoever reads or points at one is not disturbed by the next look.

export function make(name, { text, children = [], ...properties } = {}) {
  const element = document.createElement(name);
  for (const [property, value] of Object.entries(properties)) {
    if (property.startsWith("--")) element.style.setProperty(property, value);
    else if (property in element) element[property] = value;
    else element.setAttribute(property, value);
  }
  if (text !== undefined) element.textContent = text;
  element.append(...children);
  return element;
}

// cells: a row's cells, each a text or an element; its first one names the row. keyOf: what tells a row from the others.
export function fill(id, rows, keyOf, cells) {
  const table = document.getElementById(id);
  const body = table.tBodies[0];
  const labels = [...table.tHead.rows[0].cells].map((head) => head.textContent);
  const known = new Map([...body.rows].map((row) => [row.dataset.key, row]));
  const alike = new Map(); // ids that clients choose may begin alike
  const shown = rows.map((row) => {
    const name = keyOf(row);
    alike.set(name, (alike.get(name) ?? 0) + 1);
    const key = `${name} ${alike.get(name)}`;
    const line = known.get(key) ?? newRow(key, labels);
    cells(row).forEach((content, n) => put(line.cells[n], content));
    return line;
  });
  if (shown.length !== body.rows.length || shown.some((line, n) => line !== body.rows[n])) body.replaceChildren(...shown);
  table.hidden = !rows.length;
  document.getElementById(`${id}-none`).hidden = Boolean(rows.length);
}

function newRow(key, labels) {
  const head = (label) => make("th", { role: "rowheader", scope: "row", "data-label": label });
  const cell = (label) => make("td", { role: "cell", "data-label": label });
  const row = make("tr", { role: "row", children: labels.map((label, n) => (n ? cell(label) : head(label))) });
  row.dataset.key = key;
  return row;
}

function put(cell, content) {
  const isElement = content instanceof Element;
  const now = isElement ? content.outerHTML : content;
  if (cell.told === now) return;
  cell.told = now;
  cell.replaceChildren(content);
}

// A name, and in small letters what belongs to it.
export function named(name, ...more) {
  return make("span", { children: [name, ...more.filter(Boolean).map((text) => make("small", { text }))] });
}

// A text in which what stands between backticks is code.
export const prose = (text) => text.split("`").map((part, n) => (n % 2 ? make("code", { text: part }) : part));

// So much of so much, as words and as a bar.
export function share(used, most, words = String) {
  const part = Math.min(1, most ? used / most : 0);
  const bar = make("span", { className: part >= 0.9 ? "bar full" : "bar", "aria-hidden": "true", "--share": `${100 * part}%` });
  return make("span", { className: "share", children: [make("span", { text: `${words(used)} of ${words(most)}` }), bar] });
}
