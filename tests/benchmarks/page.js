// Runs the script of a quiz on just enough of a page: `node page.js SCRIPT FACTS PRESSED`, answers what it then says.
// PRESSED: keys by name, and `click:SIDE` for a click on that side of the pair that is shown.
const [script, facts, pressed] = process.argv.slice(2)
const { readFileSync } = require("node:fs")
const { runInNewContext } = require("node:vm")

const elements = { facts: { textContent: readFileSync(facts, "utf8") } }
const heard = []
const buttonOf = side => ({ dataset: { side }, addEventListener: (_, act) => { buttonOf[side] = act } })
const sections = JSON.parse(elements.facts.textContent).protected.map(() => ({ hidden: true }))
const document = {
  getElementById: id => (elements[id] ??= {}),
  querySelectorAll: what => (what === "section" ? sections : ["left", "right"].map(buttonOf)),
}
const scope = { document, addEventListener: (_, act) => heard.push(act), scrollTo() {}, encodeURIComponent, Math, JSON }
runInNewContext(readFileSync(script, "utf8"), scope)
const seen = []
for (const key of pressed.split(",")) {
  seen.push([elements.where.textContent, elements.progress.value, sections.map(section => !section.hidden)])
  if (key.startsWith("click:")) buttonOf[key.slice(6)]()
  else heard.forEach(act => act({ key, preventDefault() {} }))
}
console.log(JSON.stringify({ seen, told: elements.told?.textContent, saved: elements.save?.href }))
