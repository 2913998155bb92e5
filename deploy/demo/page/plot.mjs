// SPDX-License-Identifier: MIT
// A small live line plot in SVG: the last minute, one or two series, the
// figure under the pointer, and the same in words for those who do not see it.

const NS = "http://www.w3.org/2000/svg";
const HEIGHT = 124;
const LEFT = 34;
const RIGHT = 8;
const TOP = 8;
const BOTTOM = 20;
const SECONDS = 60;

function make(name, attributes = {}, text = "") {
  const node = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text) node.textContent = text;
  return node;
}

/* The next of 1, 2, 5, 10, 20 … that holds the value. */
function niceTop(value, least) {
  let top = least;
  for (let i = 0; top < value; i++) top *= i % 3 === 1 ? 2.5 : 2;
  return top;
}

const show = (value, unit) => {
  const text = value >= 100 || Number.isInteger(value) ? value.toFixed(0) : value.toFixed(1);
  return unit ? `${text} ${unit}` : text;
};

export class Plot {
  /* series: [{ key, label }]; `least` is the smallest full scale. */
  constructor(parent, { title, unit, series, least }) {
    Object.assign(this, { title, unit, series, least, points: [] });
    this.figure = document.createElement("figure");
    const caption = document.createElement("figcaption");
    caption.append(title);
    this.readings = series.map((one, i) => {
      const reading = document.createElement("span");
      reading.className = `key s${i}`;
      caption.append(reading);
      return reading;
    });
    this.width = 480;
    this.svg = make("svg", { role: "img", height: HEIGHT });
    this.figure.append(caption, this.svg);
    parent.append(this.figure);
    this.hover = null;
    this.svg.addEventListener("pointermove", (e) => {
      const box = this.svg.getBoundingClientRect();
      this.hover = e.clientX - box.left;
      this.draw();
    });
    this.svg.addEventListener("pointerleave", () => { this.hover = null; this.draw(); });
    // One unit is one pixel, so that text stays readable at every width.
    new ResizeObserver(([entry]) => {
      this.width = Math.max(200, Math.round(entry.contentRect.width));
      this.draw();
    }).observe(this.figure);
    this.draw();
  }

  clear() { this.points = []; this.draw(); }

  add(point) {
    this.points.push(point);
    if (this.points.length > SECONDS + 1) this.points.shift();
    this.draw();
  }

  #x(index) {
    const step = (this.width - LEFT - RIGHT) / SECONDS;
    return this.width - RIGHT - (this.points.length - 1 - index) * step;
  }

  draw() {
    const { svg, points, series, unit, width } = this;
    const all = points.flatMap((p) => series.map((s) => p[s.key]));
    const top = niceTop(Math.max(0, ...all), this.least);
    const y = (v) => TOP + (1 - v / top) * (HEIGHT - TOP - BOTTOM);
    svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    svg.replaceChildren();

    for (const value of [0, top / 2, top]) {
      svg.append(make("line", { class: value === 0 ? "base" : "grid",
        x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value) }));
      svg.append(make("text", { class: "tick", x: LEFT - 6, y: y(value) + 3.5,
        "text-anchor": "end" }, show(value, "")));
    }
    for (const ago of [60, 30, 0]) {
      const x = width - RIGHT - (ago * (width - LEFT - RIGHT)) / SECONDS;
      svg.append(make("text", { class: "tick", x, y: HEIGHT - 5,
        "text-anchor": ago === 0 ? "end" : ago === 60 ? "start" : "middle" },
      ago === 0 ? "now" : `${ago} s ago`));
    }
    series.forEach((one, i) => this.#line(one, i, y));
    const at = this.#pointed();
    if (at >= 0) {
      const x = this.#x(at);
      svg.append(make("line", { class: "cross", x1: x, x2: x, y1: TOP, y2: HEIGHT - BOTTOM }));
      series.forEach((one, i) => svg.append(make("circle",
        { class: `dot s${i}`, cx: x, cy: y(points[at][one.key]), r: 3.5 })));
    }
    const shown = points[at >= 0 ? at : points.length - 1];
    const words = series.map((one, i) => {
      const text = `${one.label} ${shown ? show(shown[one.key], unit) : "–"}`;
      this.readings[i].textContent = text;
      return text;
    });
    svg.setAttribute("aria-label", `${this.title}: ${words.join(", ")}`);
  }

  #line(one, i, y) {
    const { points, svg } = this;
    if (points.length < 2) return;
    const dots = points.map((p, n) => `${this.#x(n).toFixed(1)},${y(p[one.key]).toFixed(1)}`);
    if (i === 0) {
      const floor = y(0).toFixed(1);
      const from = this.#x(0).toFixed(1);
      const to = this.#x(points.length - 1).toFixed(1);
      svg.append(make("polygon", { class: "area",
        points: `${from},${floor} ${dots.join(" ")} ${to},${floor}` }));
    }
    svg.append(make("polyline", { class: `line s${i}`, points: dots.join(" ") }));
  }

  #pointed() {
    if (this.hover === null || this.points.length === 0) return -1;
    let best = 0;
    this.points.forEach((_, i) => {
      if (Math.abs(this.#x(i) - this.hover) < Math.abs(this.#x(best) - this.hover)) best = i;
    });
    return best;
  }
}
