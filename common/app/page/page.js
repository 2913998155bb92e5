// SPDX-License-Identifier: MIT
// The page: asks for page.json every second and shows it. That is one daemon,
// or a list of them (edgectl dashboard). All text goes into the document as
// text, never as markup; the Content-Security-Policy sees to that as well.

import * as figures from "./figures.js";

const EVERY_MS = 1000;
const TOO_LATE_MS = 10000;
const SVG = "http://www.w3.org/2000/svg";
const ROWS_MAX = 400;
const FEW = 30; // points

const at = (id) => document.getElementById(id);

/** Set only what changed: what is selected or read aloud stays. */
function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function mark(node, name) {
  if (node.className !== name) node.className = name;
}

function make(tag, className = "", text = "") {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  return node;
}

/** Keep one child for each item, in their order, made once by `create`. */
function keep(parent, items, keyOf, create, update) {
  const old = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  items.forEach((item, i) => {
    const key = keyOf(item);
    let node = old.get(key);
    old.delete(key);
    if (!node) {
      node = create(item);
      node.dataset.key = key;
    }
    if (parent.children[i] !== node) parent.insertBefore(node, parent.children[i] ?? null);
    update(node, item);
  });
  for (const node of old.values()) node.remove();
}

/* ---- small pictures ---- */

function newPlot() {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  svg.append(document.createElementNS(SVG, "path"), document.createElementNS(SVG, "polyline"));
  return svg;
}

/** The newest point is at the right; few points do not look like many. */
function plot(svg, points) {
  const end = Math.max(points.length, FEW) - 1;
  const top = Math.max(...points, 0) || 1;
  const from = end + 1 - points.length;
  const line = points.map((v, i) => `${from + i},${(28 - 25 * v / top).toFixed(1)}`);
  const [area, stroke] = svg.children;
  svg.setAttribute("viewBox", `0 0 ${end} 30`);
  stroke.setAttribute("points", line.join(" "));
  area.setAttribute("d", line.length > 1 ? `M${from},30 L${line.join(" L")} L${end},30 Z` : "");
}

/* ---- one daemon ---- */

const STATES = { good: "ok", warn: "warning", bad: "problem" };

class Daemon {
  constructor(name) {
    this.series = new figures.Series();
    const part = at("daemon").content.cloneNode(true);
    this.root = part.firstElementChild;
    this.root.dataset.key = name;
    this.root.id = `daemon-${name}`;
    this.find = (selector) => this.root.querySelector(selector);
    this.heading = this.find(".name");
    this.heading.id = `name-${name}`;
    this.root.setAttribute("aria-labelledby", this.heading.id);
    this.search = this.find("input");
    this.search.addEventListener("input", () => this.showAll());
    this.find("details").addEventListener("toggle", () => this.showAll());
    say(this.heading, name);
  }

  /** "good", "warn" or "bad", and in a word. */
  health(snapshot) {
    if (snapshot.error) return ["bad", "no answer"];
    const { state = "" } = snapshot.status;
    if (!snapshot.ready) return ["bad", state === "running" ? "not ready" : state];
    return [figures.alerts(snapshot).length ? "warn" : "good", "ready"];
  }

  show(snapshot) {
    this.last = snapshot;
    [this.level, this.word] = this.health(snapshot);
    const pill = this.find(".pill");
    mark(pill, `pill ${this.level}`);
    say(pill, this.word);
    this.root.classList.toggle("gone", Boolean(snapshot.error));
    this.showAlerts(figures.alerts(snapshot));
    if (snapshot.error) return;
    const { status } = snapshot;
    this.families = figures.parseMetrics(snapshot.metrics ?? "");
    this.series.add(status.program, this.families, snapshot.ms);
    this.sessions = status.sessions ?? 0;
    say(this.find(".facts"), `version ${status.version}, up ${figures.duration(status.uptime)}, ` +
      `${status.workers} worker${status.workers === 1 ? "" : "s"}, process ${status.pid}`);
    this.showTiles(status);
    this.showServers(figures.servers(status));
    this.showCertificates(figures.certificates(status));
    this.showRefusals(figures.refusals(this.series));
    this.showConfiguration(status);
    this.showAll();
  }

  showAlerts(alerts) {
    keep(this.find(".alerts"), alerts, (a) => a.text, (a) => make("li", "", a.text),
      (node, a) => mark(node, a.bad ? "bad" : "warn"));
  }

  showTiles(status) {
    const sessions = { title: "Sessions", kind: "now", value: status.sessions,
      points: this.#sessionPoints(status.sessions), help: "what a drain would wait for" };
    const list = [sessions, ...figures.tiles(status.program, this.series)];
    if (status.relay_ports) list.push({ title: "Ports taken", kind: "share", points: [],
      value: status.relay_ports.taken, of: status.relay_ports.all, help: "of those there are" });
    keep(this.find(".tiles"), list, (t) => t.title, newTile, showTile);
  }

  #sessionPoints(value) {
    this.points ??= [];
    this.points.push(value);
    if (this.points.length > figures.KEEP) this.points.shift();
    return this.points;
  }

  table(name, items, keyOf, cells, update) {
    const card = this.find(name);
    card.hidden = items.length === 0;
    keep(card.querySelector("tbody"), items, keyOf, () => newRow(cells), update);
  }

  showServers(servers) {
    this.table(".servers", servers, (s) => `${s.group} ${s.server}`, ["", "quiet", "", "number"],
      (row, s) => {
        const level = s.good ? "good" : s.state === "down" ? "bad" : "warn";
        say(row.cells[0], s.server);
        say(row.cells[1], s.group);
        mark(row.cells[2], `dot ${level}`);
        say(row.cells[2], s.state);
        say(row.cells[3], s.failures === null ? "–" : figures.human(s.failures));
      });
  }

  showCertificates(certificates) {
    this.table(".certificates", certificates, (c) => c.file, ["", "quiet", "number"], (row, c) => {
      const level = c.days < figures.VERY_SOON ? "bad" : c.days < figures.SOON ? "warn" : "good";
      row.title = c.file;
      say(row.cells[0], c.subject);
      say(row.cells[1], Number.isNaN(c.ends.getTime()) ? "" : c.ends.toISOString().slice(0, 10));
      mark(row.cells[2], `number days ${level}`);
      say(row.cells[2], c.days < 0 ? "ended" : String(c.days));
    });
  }

  showRefusals(refusals) {
    const card = this.find(".refusals");
    card.querySelector(".none").hidden = refusals.length > 0;
    card.querySelector("table").hidden = refusals.length === 0;
    keep(card.querySelector("tbody"), refusals.slice(0, 12), (s) => s.key, newSeriesRow, showSeriesRow);
  }

  showConfiguration(status) {
    const one = (name) => this.families.get(`${status.program.replaceAll("-", "_")}_${name}`)
      ?.samples[0]?.value ?? 0;
    const refused = one("reloads_refused_total");
    const facts = [
      ["File", status.config || "none: environment and flags"],
      ["Read", `${moment(status.config_loaded)}, ${figures.duration(
        Math.max(0, (Date.now() - Date.parse(status.config_loaded)) / 1000))} ago`],
      ["Reloads", refused ? `${one("reloads_total")}, and ${refused} refused` : String(one("reloads_total"))],
      ["Listeners", (status.listeners ?? []).map((l) => (typeof l === "string" ? l.replace(":", " ")
        : [l.kind ?? l.transport, l.address, l.zone].filter(Boolean).join(" "))).join("\n")],
    ].filter(([, value]) => value);
    const list = facts.flatMap(([name, value]) => [{ tag: "dt", name, text: name },
      { tag: "dd", name, text: value }]);
    keep(this.find("dl"), list, (f) => `${f.tag} ${f.name}`, (f) => make(f.tag),
      (node, f) => say(node, f.text));
  }

  /** Only while somebody looks. */
  showAll() {
    if (!this.find("details").open || !this.families) return;
    const wanted = this.search.value.trim().toLowerCase().split(/\s+/);
    const found = this.series.all().filter((s) => {
      const text = `${figures.title(s)} ${s.name} ${s.help}`.toLowerCase();
      return wanted.every((word) => text.includes(word));
    });
    keep(this.find(".all tbody"), found.slice(0, ROWS_MAX), (s) => s.key, newSeriesRow, showSeriesRow);
    say(this.find(".more"), found.length > ROWS_MAX ? `and ${found.length - ROWS_MAX} more`
      : found.length ? "" : "no such figure");
  }
}

/* ---- its parts ---- */

function newTile({ title, help }) {
  const tile = make("div", "tile");
  tile.title = help;
  tile.append(make("span", "what", title), make("strong"), newPlot(), make("span", "quiet"));
  return tile;
}

/** In the reader's zone, the same in all countries. */
function moment(text) {
  const when = new Date(text);
  return `${when.toLocaleDateString("sv")} ${when.toLocaleTimeString("sv")}`;
}

const per = (rate) => figures.human(rate);

function showTile(tile, { kind, value, rate = 0, points, of }) {
  const [, figure, svg, note] = tile.children;
  const main = { now: () => figures.human(value), share: () => figures.human(value),
    bits: () => figures.human(rate * 8, "bit/s") }[kind] ?? (() => `${per(rate)}/s`);
  mark(tile, `tile ${kind === "warn" && rate > 0 ? "warn" : value || rate ? "" : "idle"}`.trim());
  say(figure, main());
  say(note, { now: () => "now", share: () => `of ${figures.human(of)}`,
    bits: () => `${figures.human(value, "B")} in all` }[kind]?.() ?? `${figures.human(value)} in all`);
  plot(svg, points);
}

function newRow(classes) {
  const row = document.createElement("tr");
  row.append(...classes.map((name) => make("td", name)));
  return row;
}

function newSeriesRow(s) {
  const row = newRow(["", "number", "number", "trend"]);
  row.cells[0].append(make("span", "title", figures.title(s)), make("small", "quiet", s.help));
  row.cells[3].append(newPlot());
  return row;
}

function showSeriesRow(row, s) {
  mark(row, s.value === 0 ? "idle" : s.rate > 0 ? "busy" : "");
  say(row.cells[1], s.name.endsWith("timestamp_seconds")
    ? new Date(s.value * 1000).toISOString().slice(0, 10) : figures.human(s.value));
  say(row.cells[2], s.type === "counter" ? per(s.rate) : "–");
  plot(row.cells[3].firstChild, s.points);
}

/* ---- all of them ---- */

const daemons = new Map();

function showOverview() {
  const nav = at("overview");
  nav.hidden = daemons.size < 2;
  keep(nav, [...daemons.entries()], ([name]) => name, ([name]) => {
    const link = make("a");
    link.href = `#daemon-${name}`;
    link.append(make("span"), make("strong", "", name), make("span", "quiet"));
    return link;
  }, (link, [, d]) => {
    mark(link, d.level);
    mark(link.children[0], `dot ${d.level}`);
    link.children[0].setAttribute("aria-label", STATES[d.level]);
    say(link.children[2], d.last.error ? d.word : `${d.word}, ${figures.human(d.sessions)} sessions`);
  });
}

function show(snapshots) {
  for (const [name, d] of daemons)
    if (!snapshots.some((s) => s.name === name)) {
      d.root.remove();
      daemons.delete(name);
    }
  for (const snapshot of snapshots) {
    let d = daemons.get(snapshot.name);
    if (!d) {
      d = new Daemon(snapshot.name);
      daemons.set(snapshot.name, d);
      at("daemons").append(d.root);
    }
    d.show(snapshot);
  }
  showOverview();
  const all = [...daemons.values()];
  const worst = ["bad", "warn", "good"].find((level) => all.some((d) => d.level === level));
  const name = all.length === 1 ? snapshots[0].name : "edge";
  say(at("title"), name);
  document.body.classList.toggle("single", all.length === 1);
  document.title = { bad: "✖ ", warn: "! ", good: "" }[worst] + name;
  document.body.dataset.state = worst;
  mark(at("state"), worst);
  say(at("state"), { good: "All well", warn: "Something to look at", bad: "Something is wrong" }[worst]);
  say(at("clock"), new Date().toLocaleTimeString("sv"));
}

function showSilence(why) {
  document.body.dataset.state = "silent";
  document.title = "✖ no answer";
  mark(at("state"), "bad");
  say(at("state"), `No answer: ${why}. These figures are old.`);
}

async function look() {
  try {
    const answer = await fetch("page.json", { signal: AbortSignal.timeout(TOO_LATE_MS) });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    // In a list, each has the name it is called by and its own page or error.
    show([await answer.json()].flat().map(({ page, ...rest }) => ({ ...page, ...rest })));
  } catch (error) {
    showSilence(error.name === "TimeoutError" ? "too late" : error.message);
  }
  setTimeout(look, EVERY_MS);
}

look();
