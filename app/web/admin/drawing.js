// Small pictures of numbers, drawn as SVG: how a loss falls, and how jobs ended hour by hour.

const [WIDTH, HEIGHT, MARGIN] = [160, 44, 3];
const [BAR, GAP, TALL] = [20, 6, 90];
const OUTCOMES = ["succeeded", "canceled", "failed"]; // from the ground up

function svg(name, attributes, children = []) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, value);
  element.append(...children);
  return element;
}

// A line from the first step to the last, between the least and the greatest value; the ground is 0 where none is below.
export function curve(points, steps, label) {
  const values = points.map(([, value]) => value);
  const least = Math.min(0, ...values);
  const range = Math.max(...values, least + 1e-9) - least;
  const place = ([step, value]) => {
    const x = MARGIN + (WIDTH - 2 * MARGIN) * (step / Math.max(1, steps));
    const y = HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * ((value - least) / range);
    return `${x.toFixed(1)} ${y.toFixed(1)}`;
  };
  const line = svg("path", { d: `M${points.map(place).join("L")}`, class: "line" });
  const [x, y] = place(points.at(-1)).split(" ");
  const end = svg("circle", { cx: x, cy: y, r: 2.5, class: "end" });
  return svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "curve", role: "img", "aria-label": label }, [line, end]);
}

// A bar an hour, the oldest first.
export function bars(hours, clock) {
  const most = Math.max(1, ...hours.map((hour) => OUTCOMES.reduce((sum, name) => sum + hour[name], 0)));
  const width = hours.length * (BAR + GAP) - GAP;
  const drawn = hours.flatMap((hour, n) => {
    let ground = TALL;
    const told = `${clock(hour.at)}: ${OUTCOMES.map((name) => `${hour[name]} ${name}`).join(", ")}`;
    const parts = OUTCOMES.filter((name) => hour[name]).map((name) => {
      const height = Math.max(2, (TALL * hour[name]) / most);
      ground -= height;
      return svg("rect", { x: n * (BAR + GAP), y: ground.toFixed(1), width: BAR, height: height.toFixed(1), class: name });
    });
    const foot = svg("rect", { x: n * (BAR + GAP), y: TALL, width: BAR, height: 1.5, class: "foot" });
    return svg("g", {}, [title(told), foot, ...parts]);
  });
  const sums = OUTCOMES.map((name) => `${hours.reduce((sum, hour) => sum + hour[name], 0)} ${name}`).join(", ");
  const stretched = { viewBox: `0 0 ${width} ${TALL + 2}`, preserveAspectRatio: "none" };
  return svg("svg", { ...stretched, class: "bars", role: "img", "aria-label": `By hour: ${sums}` }, drawn);
}

function title(text) {
  const element = svg("title", {});
  element.textContent = text;
  return element;
}
